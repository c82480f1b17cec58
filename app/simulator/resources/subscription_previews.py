"""The part of invoice previews that is about subscriptions: the next renewal, a change, a new subscription."""

from __future__ import annotations

from app.simulator.engines import (
    discounts,
    invoice_items,
    invoicing,
    plan_changes,
    proration,
    renewals,
    subscription_changes,
    subscriptions,
)
from app.simulator.errors import StripeError, invalid
from app.simulator.registry import Doc
from app.simulator.resources.subscription_items import rates, spec
from app.simulator.resources.subscription_parameters import future
from app.simulator.transaction import Transaction

_CHANGES = {"items", "trial_end", "billing_cycle_anchor"}
_ENDINGS = {"cancel_at", "cancel_at_period_end", "cancel_now"}


def _played(tx: Transaction, params: Doc, customer: Doc) -> Doc:
    """Draft the invoice a preview asks for; the caller takes everything back."""
    if params.get("schedule_details"):
        raise invalid("The simulator previews no schedules that do not exist yet.", "schedule_details")
    name = params.get("subscription")
    if name is None and "schedule" in params:
        name = tx.find("subscription_schedule", params["schedule"], "schedule")["subscription"]
    given = params.get("subscription_details") or {}
    if name is None:
        return _begun(tx, params, given, customer)
    sub = tx.find("subscription", name, "subscription")
    if sub["status"] in subscriptions.OVER:
        raise none_coming(customer)
    _overlaid(tx, params, given, sub)
    return _changed(tx, params, given, sub)


invoicing.SUBSCRIBED.append(_played)


def none_coming(customer: Doc) -> StripeError:
    """There is nothing to preview."""
    message = f"No upcoming invoices for customer: {customer['id']}"
    return StripeError(404, message, code="invoice_upcoming_none", param="customer")


def _begun(tx: Transaction, params: Doc, given: Doc, customer: Doc) -> Doc:
    """The first invoice of a subscription that does not exist."""
    if not given.get("items"):
        raise invalid(
            "Missing required param: subscription_details[items].",
            "subscription_details[items]",
            "parameter_missing",
        )
    terms: Doc = {"scheduled": True, "discounts": params.get("discounts") or []}
    if isinstance(given.get("trial_end"), int):
        terms["trial_end"] = future(tx, given["trial_end"])
    fields: Doc = {}
    if given.get("default_tax_rates"):
        fields["default_tax_rates"] = rates(
            tx, given["default_tax_rates"], "subscription_details[default_tax_rates]"
        )
    sub = subscriptions.begin(tx, customer, _specs(tx, given, customer["id"]), terms, fields)
    return _reckoned(tx, params, tx.find("invoice", sub["latest_invoice"]), customer)


def _reckoned(tx: Transaction, params: Doc, invoice: Doc, customer: Doc) -> Doc:
    if (params.get("automatic_tax") or {}).get("enabled"):
        tx.update(invoice, automatic_tax=invoicing.automatic_tax(True, customer))
    return invoice


def _specs(tx: Transaction, given: Doc, customer: str, held: dict[str, Doc] | None = None) -> list[Doc]:
    known = held or {}
    return [
        spec(tx, x, f"subscription_details[items][{i}]", customer=customer, held=known.get(x.get("id", "")))
        for i, x in enumerate(given.get("items") or [])
    ]


# ------------------------------------------------------------------------- of a running subscription


def _overlaid(tx: Transaction, params: Doc, given: Doc, sub: Doc) -> None:
    """What a preview assumes besides items: discounts, tax, when the subscription ends."""
    fields: Doc = {}
    if "discounts" in params:
        fields["discounts"] = discounts.grant(
            tx,
            params["discounts"],
            currency=sub["currency"],
            customer=sub["customer"],
            subscription=sub["id"],
        )
    if "automatic_tax" in params:
        fields["automatic_tax"] = sub["automatic_tax"] | {"enabled": params["automatic_tax"]["enabled"]}
    if "default_tax_rates" in given:
        where = "subscription_details[default_tax_rates]"
        fields["default_tax_rates"] = rates(tx, given["default_tax_rates"], where)
    if given.keys() & _ENDINGS:
        at = given.get("cancel_at")
        ends = subscriptions.period(sub)[1] if given.get("cancel_at_period_end") else None
        fields["cancel_at"] = at if isinstance(at, int) else ends
    tx.update(sub, fields)


def _changed(tx: Transaction, params: Doc, given: Doc, sub: Doc) -> Doc:
    """The invoice of a change when it is billed at once, else that of the next renewal with its prorations."""
    behavior = given.get("proration_behavior", "create_prorations")
    if params.get("preview_mode") == "recurring":
        behavior = "none"
    if given.get("cancel_now"):
        if behavior != "none" and sub["status"] != "trialing":
            moment = given.get("proration_date", tx.now)
            subscription_changes.pend(tx, sub, proration.credits(tx, sub, sub["items"]["data"], moment))
        return _rest(tx, sub)
    if given.keys() & _CHANGES:
        held = {x["id"]: x for x in sub["items"]["data"]}
        worked = plan_changes.work_out(
            tx, sub, _specs(tx, given, sub["customer"], held), _terms(tx, given, behavior)
        )
        subscription_changes.apply(tx, sub, worked)
        subscription_changes.pend(tx, sub, worked.prorations)
        if worked.at_once:
            return subscriptions.draft(
                tx, sub, worked.lines, "upcoming", (tx.now, tx.now), automatic_advance=False
            )
    if sub["cancel_at"] is not None and sub["cancel_at"] <= subscriptions.period(sub)[1]:
        return _rest(tx, sub)
    return renewals.next_invoice(tx, sub)


def _terms(tx: Transaction, given: Doc, behavior: str) -> Doc:
    terms: Doc = {"proration_behavior": behavior}
    if "proration_date" in given:
        terms["proration_date"] = given["proration_date"]
    trial = given.get("trial_end")
    if trial is not None:
        terms["trial_end"] = trial if trial == "now" else future(tx, trial)
    terms["anchor_now"] = (given.get("billing_cycle_anchor") or {}).get("type") == "now"
    return terms


def _rest(tx: Transaction, sub: Doc) -> Doc:
    """What is left to bill of a subscription that is not renewed: pending items only."""
    if not invoice_items.pending(tx, sub["customer"], sub["currency"], sub["id"]):
        raise none_coming(tx.find("customer", sub["customer"]))
    return subscriptions.draft(tx, sub, [], "upcoming", (tx.now, tx.now), automatic_advance=False)
