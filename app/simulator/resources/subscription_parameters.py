"""What the parameters of subscriptions mean: fields of the document, and terms that count only in the call."""

from __future__ import annotations

from app.simulator.engines import discounts, periods, subscription_shapes, subscriptions, totals
from app.simulator.errors import invalid
from app.simulator.fields import merged, plain, unset
from app.simulator.registry import Doc
from app.simulator.resources.prices import currency_of, new_price, usable
from app.simulator.resources.subscription_items import counted, rates
from app.simulator.transaction import Transaction

_KEPT = ("application_fee_percent", "default_source", "description", "days_until_due", "on_behalf_of", "transfer_data",
         "billing_thresholds", "pending_invoice_item_interval", "collection_method")  # fmt: skip
MOST_DAYS = 3650
FAR = 1827 * 86400
_PARTS = {"day_of_month": (1, 31), "hour": (0, 23), "minute": (0, 59), "month": (1, 12), "second": (0, 59)}
TERMS = ("payment_behavior", "proration_behavior", "proration_date", "off_session")


def terms_of(tx: Transaction, params: Doc, specs: list[Doc]) -> Doc:
    """What of the parameters of a creation counts only in the beginning."""
    terms: Doc = {k: params[k] for k in TERMS if k in params}
    terms["trial_end"] = _trial(tx, params, specs)
    anchor = _anchor(tx, params, specs)
    start = params.get("backdate_start_date")
    if start is not None and not tx.now - FAR <= start <= tx.now:
        raise invalid("`backdate_start_date` must be in the past, at most five years.", "backdate_start_date")
    currency = specs[0]["price"]["currency"]
    return terms | {
        "billing_cycle_anchor": anchor, "start_date": start, "discounts": params.get("discounts") or None,
        "cancel_at": params.get("cancel_at"), "extra_lines": extra_lines(tx, params, currency, params["customer"]),
    }  # fmt: skip


def _anchor(tx: Transaction, params: Doc, specs: list[Doc]) -> int | None:
    anchor, config = params.get("billing_cycle_anchor"), params.get("billing_cycle_anchor_config")
    if anchor is not None and anchor < tx.now:
        raise invalid(
            "Invalid timestamp: must be an integer Unix timestamp in the future.", "billing_cycle_anchor"
        )
    if anchor is not None and anchor > tx.now + FAR:
        raise invalid(
            "`billing_cycle_anchor` cannot be later than next natural billing date for plan",
            "billing_cycle_anchor",
        )
    if anchor is not None or config is None or not specs[0]["price"]["recurring"]:
        return anchor
    for key, (least, most) in _PARTS.items():
        if not least <= config.get(key, least) <= most:
            where = f"billing_cycle_anchor_config[{key}]"
            raise invalid(f"Invalid {where}: must be between {least} and {most}.", where)
    return periods.configured(tx.now, config, specs[0]["price"]["recurring"])


def _trial(tx: Transaction, params: Doc, specs: list[Doc]) -> int | None:
    days, end = params.get("trial_period_days"), params.get("trial_end")
    if days is not None and end is not None:
        raise invalid(
            "You may only specify one of these parameters: trial_end, trial_period_days.", "trial_end"
        )
    if days is None and end is None and params.get("trial_from_plan"):
        days = max(((x["price"]["recurring"] or {}).get("trial_period_days") or 0 for x in specs), default=0)
    if days is not None:
        if not 0 <= days <= 730:
            raise invalid("Invalid trial_period_days: must be between 0 and 730.", "trial_period_days")
        return tx.now + days * subscriptions.DAY if days else None
    return None if end in (None, "now") else future(tx, end)


def future(tx: Transaction, end: int) -> int:
    """The end of a trial, if it lies ahead and within reach."""
    if end <= tx.now:
        raise invalid("Invalid timestamp: must be an integer Unix timestamp in the future.", "trial_end")
    if end > tx.now + FAR:
        raise invalid("Invalid trial_end: must be within five years.", "trial_end")
    return int(end)


def extra_lines(tx: Transaction, params: Doc, currency: str, customer: str) -> list[Doc]:
    """One-time items for the invoice that is made now."""
    lines = []
    for i, given in enumerate(params.get("add_invoice_items") or []):
        param = f"add_invoice_items[{i}]"
        if "price_data" in given:
            price = new_price(tx, given["price_data"], inline=True)
        else:
            price = usable(tx, given.get("price", ""), f"{param}[price]")
        quantity = counted(given.get("quantity", 1), param)
        lines.append(
            {
                "amount": totals.unit_total(price, quantity), "price": price, "quantity": quantity,
                "discountable": given.get("discountable", True), "metadata": plain(given.get("metadata")),
                "tax_rates": [r["id"] for r in rates(tx, given.get("tax_rates") or [], f"{param}[tax_rates]")],
                "discounts": discounts.grant(tx, given.get("discounts"), currency=currency, customer=customer),
            }
        )  # fmt: skip
    return lines


def fields_of(tx: Transaction, params: Doc, owner: Doc, held: Doc | None = None) -> Doc:
    """What of the parameters stands in the document."""
    fields: Doc = {k: unset(params[k]) for k in _KEPT if k in params}
    base = held or subscription_shapes.blank(tx)
    if fields.get("pending_invoice_item_interval"):
        fields["pending_invoice_item_interval"] = {"interval_count": 1} | fields[
            "pending_invoice_item_interval"
        ]
    if "metadata" in params:
        fields["metadata"] = merged(held, params) if held else plain(params["metadata"] or None)
    if "currency" in params and held is None:
        fields["currency"] = currency_of(params["currency"])
    if params.get("default_payment_method"):
        fields["default_payment_method"] = method_of(tx, params["default_payment_method"], owner)
    if "default_tax_rates" in params:
        fields["default_tax_rates"] = rates(tx, params["default_tax_rates"], "default_tax_rates")
    for key in ("payment_settings", "invoice_settings"):
        if key in params:
            fields[key] = base[key] | {k: unset(v) for k, v in params[key].items()}
    if "trial_settings" in params:
        wish = params["trial_settings"].get("end_behavior") or {}
        fields["trial_settings"] = {"end_behavior": base["trial_settings"]["end_behavior"] | wish}
    if "automatic_tax" in params:
        enabled = params["automatic_tax"]["enabled"]
        liability = {"type": "self"} if enabled else None
        fields["automatic_tax"] = {"disabled_reason": None, "enabled": enabled, "liability": liability}
    if held is None:
        fields |= _beginnings(params)
    _check_collection(fields, base)
    return fields


def _beginnings(params: Doc) -> Doc:
    """What can be said only when a subscription is made."""
    fields: Doc = {}
    if (params.get("billing_mode") or {}).get("type") == "classic":
        fields["billing_mode"] = {"flexible": None, "type": "classic", "updated_at": None}
    if params.get("cancel_at_period_end"):
        fields["cancel_at_period_end"] = True
    if "billing_cycle_anchor_config" in params:
        empty = dict.fromkeys(("day_of_month", "hour", "minute", "month", "second"))
        fields["billing_cycle_anchor_config"] = empty | params["billing_cycle_anchor_config"]
    return fields


def _check_collection(fields: Doc, base: Doc) -> None:
    method = fields.get("collection_method", base["collection_method"])
    days = fields.get("days_until_due", base.get("days_until_due"))
    if days is not None and not 0 <= days <= MOST_DAYS:
        raise invalid("Invalid days_until_due: must be between 0 and 3650.", "days_until_due")
    if method == "send_invoice" and days is None:
        raise invalid(
            "If collection_method is set to `send_invoice`, `days_until_due` must be passed.",
            "days_until_due",
        )
    if method == "charge_automatically" and fields.get("days_until_due") is not None:
        raise invalid(
            "`days_until_due` can only be set when `collection_method` is `send_invoice`.", "days_until_due"
        )


def method_of(tx: Transaction, identifier: str, owner: Doc) -> str:
    """A payment method of the customer, by its id."""
    doc = tx.get("payment_method", identifier)
    if doc is None or doc["customer"] != owner["id"]:
        raise invalid(
            f"The customer does not have a payment method with the ID {identifier}. The payment method must be attached "
            "to the customer.", "default_payment_method", "resource_missing",
        )  # fmt: skip
    return str(doc["id"])
