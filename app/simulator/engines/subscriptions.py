"""The life of a subscription: begun, made active, ended; its periods and what is put off until their ends.

Changes of items are in subscription_changes, renewals and trials in renewals, unpaid invoices in dunning.
"""

from __future__ import annotations

from typing import Any

from app.simulator import settings
from app.simulator.engines import (
    collecting,
    discounts,
    invoice_items,
    invoicing,
    periods,
    proration,
    setups,
    subscription_items,
)
from app.simulator.engines.subscription_shapes import blank, cancellation, paused_for
from app.simulator.errors import StripeError, invalid
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction

DAY = 86400
PATIENCE = 23 * 3600
OVER = ("canceled", "incomplete_expired")
NO_METHOD = (
    "This customer has no attached payment source or default payment method. Please consider adding a default payment "
    "method. For more information, visit "
    "https://stripe.com/docs/billing/subscriptions/payment-methods-setting#payment-method-priority."
)
# Kinds of work that a subscription has put off at most once each.
_DUE = (
    "cycle",
    "cancel",
    "trial_will_end",
    "upcoming",
    "incomplete",
    "pending_update",
    "collect",
    "resumption",
)


def rank(kind: str) -> int:
    """The order in which the events of one call are told: the payment, the subscription, its invoice."""
    if kind.startswith(("invoice.", "invoice_payment.", "invoiceitem.")):
        return 2
    return 1 if kind.startswith(("customer.subscription.", "customer.discount.")) else 0


# --------------------------------------------------------------------------------------- beginning


def begin(tx: Transaction, owner: Doc, specs: list[Doc], terms: Doc, fields: Doc) -> Doc:
    """A new subscription with its first invoice, charged as `terms["payment_behavior"]` says.

    `specs` are items as subscription_items.new takes them; `terms` hold what only counts now: trial_end,
    billing_cycle_anchor, proration_behavior, payment_behavior, off_session, payment_method, extra_lines, and the
    payment_intent that has paid for it already; `fields` go into the document. Raises 402 with error_if_incomplete,
    400 without any payment method.
    """
    wish = fields.get("currency") or subscription_items.sold_in(specs, owner["currency"])
    currency = subscription_items.check(specs, wish)
    with tx.ordered(rank):
        sub = _stored(tx, owner, specs, terms, fields | {"currency": currency, "_beginning": True})
        keep_currency(tx, owner, currency)
        _given(tx, sub, terms)
        invoice = _first_invoice(tx, sub, terms)
        tx.update(sub, latest_invoice=invoice["id"])
        _open(tx, sub, invoice, terms)
        tx.update(sub, _beginning=False)
        plan_ahead(tx, sub)
        tx.emit("customer.subscription.created", sub)
        remind_of_trial(tx, sub)
    return sub


def _given(tx: Transaction, sub: Doc, terms: Doc) -> None:
    """Discounts of the subscription, and the end it may have from the start."""
    if terms.get("discounts"):
        granted = discounts.grant(
            tx, terms["discounts"], currency=sub["currency"], customer=sub["customer"], subscription=sub["id"]
        )
        tx.update(sub, discounts=granted)
    at = terms.get("cancel_at")
    if at is not None or sub["cancel_at_period_end"]:
        end = at if isinstance(at, int) else period(sub)[1]
        details = cancellation("cancellation_requested")
        tx.update(sub, cancel_at=end, canceled_at=tx.now, cancellation_details=details)


def keep_currency(tx: Transaction, owner: Doc, currency: str) -> None:
    """A customer is billed in one currency, that of the first subscription."""
    if owner["currency"] is None:
        tx.emit("customer.updated", owner, tx.update(owner, currency=currency))
    elif owner["currency"] != currency:
        raise invalid(
            "You cannot combine currencies on a single customer. This customer has an active subscription, subscription "
            f"schedule, discount, quote, or invoice item with currency {owner['currency']}",
        )


def _stored(tx: Transaction, owner: Doc, specs: list[Doc], terms: Doc, fields: Doc) -> Doc:
    trial = terms.get("trial_end")
    trial = trial if trial is not None and trial > tx.now else None
    anchor = terms.get("billing_cycle_anchor") or trial or tx.now
    end = trial or periods.boundary(anchor, subscription_items.recurring(specs), tx.now)
    if anchor > end:
        raise invalid(
            f"`billing_cycle_anchor` cannot be later than next natural billing date ({end}) for plan",
            "billing_cycle_anchor",
        )
    identifier = tx.new_id("sub_")
    items = [subscription_items.new(tx, identifier, spec, (tx.now, end)) for spec in specs]
    return tx.create(
        "subscription",
        blank(tx)
        | {
            "billing_cycle_anchor": anchor, "customer": owner["id"], "items": subscription_items.held(items, identifier),
            "start_date": terms.get("start_date") or tx.now, "test_clock": owner.get("test_clock"),
            "trial_end": trial, "trial_start": tx.now if trial else None,
            "status": "trialing" if trial else "incomplete",
        }
        | fields,
        id=identifier,
    )  # fmt: skip


def _first_invoice(tx: Transaction, sub: Doc, terms: Doc) -> Doc:
    items = sub["items"]["data"]
    lines = [_first_line(tx, sub, item, terms) for item in items]
    if sub["start_date"] < tx.now and not sub["trial_end"] and terms.get("proration_behavior") != "none":
        lines = [proration.backdated(tx, sub, item) for item in items] + lines
    prepaid = {"_prepaid": terms["payment_intent"]} if terms.get("payment_intent") else {}
    return draft(
        tx, sub, lines + terms.get("extra_lines", []), "subscription_create", (tx.now, tx.now), fields=prepaid
    )


def _first_line(tx: Transaction, sub: Doc, item: Doc, terms: Doc) -> Doc:
    """A whole period, a free trial, or the part of a period up to the anchor."""
    start, end = period = item["current_period_start"], item["current_period_end"]
    if sub["trial_end"]:
        text = f"Trial period for {subscription_items.named(tx, item)}"
        return subscription_items.line(tx, sub, item, 0, period, description=text)
    amount = subscription_items.cost(tx, item, sub["currency"])
    natural = periods.start_of(sub["billing_cycle_anchor"], item["price"]["recurring"], end)
    if natural == start:
        return subscription_items.line(tx, sub, item, amount, period)
    free = terms.get("proration_behavior") == "none"
    part = 0 if free else periods.share(amount, natural, start, end)
    return subscription_items.line(tx, sub, item, part, period)


def draft(
    tx: Transaction, sub: Doc, lines: list[Doc], reason: str, period: tuple[int, int], **more: Any
) -> Doc:
    """A draft for a subscription with these lines and what was pending for it."""
    owner = tx.find("customer", sub["customer"])
    waiting = invoice_items.pending(tx, owner["id"], sub["currency"], sub["id"])[::-1]
    return invoicing.draft(
        tx, customer=owner, currency=sub["currency"], billing_reason=reason,
        lines=invoice_items.as_lines(tx, waiting) + lines,
        subscription=sub, collection_method=sub["collection_method"], discounts=sub["discounts"],
        default_payment_method=None, default_tax_rates=sub["default_tax_rates"] or (),
        days_until_due=sub["days_until_due"], period=period, clock=sub["test_clock"],
        fields=_carried(sub, owner) | more.pop("fields", {}), **more,
    )  # fmt: skip


def _carried(sub: Doc, owner: Doc) -> Doc:
    settings = sub["invoice_settings"]
    found: Doc = {k: settings[k] for k in ("description", "footer", "custom_fields") if settings[k]}
    if sub["automatic_tax"]["enabled"]:
        found["automatic_tax"] = invoicing.automatic_tax(True, owner)
    return found


def _open(tx: Transaction, sub: Doc, invoice: Doc, terms: Doc) -> None:
    """Finalize and charge the first invoice; the status says what came of it."""
    if sub["collection_method"] == "send_invoice" or terms.get("scheduled"):
        tx.update(sub, status="trialing" if sub["trial_end"] else "active")
        if sub["collection_method"] == "send_invoice":
            watch_due_date(tx, sub, invoice)
        return
    invoicing.finalize(tx, invoice)
    behavior = terms.get("payment_behavior") or "allow_incomplete"
    if invoice["status"] == "paid":
        tx.update(sub, status="trialing" if sub["trial_end"] else "active")
        if behavior == "default_incomplete" and collecting.method_for(tx, invoice) is None:
            wanted = setups.open_intent(tx, {"customer": sub["customer"], "_subscription": sub["id"]})
            tx.update(sub, pending_setup_intent=wanted["id"])
        return
    if behavior != "default_incomplete":
        _charge_first(tx, invoice, terms, behavior)
    if sub["status"] == "incomplete":
        tx.schedule(tx.now + PATIENCE, "subscription.incomplete", sub["id"])


def _charge_first(tx: Transaction, invoice: Doc, terms: Doc, behavior: str) -> None:
    method = terms.get("payment_method")
    if method is None and collecting.method_for(tx, invoice) is None:
        raise invalid(NO_METHOD, code="resource_missing")
    outcome, error = invoicing.charge(tx, invoice, method, off_session=bool(terms.get("off_session")))
    if outcome == "processing":
        sub = tx.find("subscription", invoice["_subscription"])
        tx.update(sub, status="active")
    elif outcome != "paid" and behavior == "error_if_incomplete":
        raise unpaid(error)


def unpaid(error: StripeError | None) -> StripeError:
    """The 402 of a call that was to fail when its invoice is not paid; nothing of it stays."""
    if error is None:
        return StripeError(
            402, "Payment for this subscription requires additional user action before it can be completed successfully. "
            "Payment can be completed using the PaymentIntent associated with `subscription.latest_invoice`.",
            kind="card_error", code="subscription_payment_intent_requires_action",
        )  # fmt: skip
    more = {k: v for k, v in error.more.items() if k not in ("payment_intent", "charge")}
    return StripeError(
        error.status, error.message, kind=error.kind, code=error.code, param=error.param, **more
    )


# ------------------------------------------------------------------------------------ what is ahead


def period(sub: Doc) -> tuple[int, int]:
    """The current period: from the earliest start to the earliest end of the items."""
    items = sub["items"]["data"]
    return min(x["current_period_start"] for x in items), min(x["current_period_end"] for x in items)


def with_period(items: list[Doc], start: int, end: int) -> list[Doc]:
    """The items in another period."""
    return [item | {"current_period_start": start, "current_period_end": end} for item in items]


def plan_ahead(tx: Transaction, sub: Doc) -> None:
    """Put off what the current period and its end bring, in place of what was planned before."""
    for kind in ("cycle", "cancel", "upcoming"):
        tx.unschedule(f"subscription.{kind}", sub["id"])
    if sub["status"] in (*OVER, "incomplete"):
        return
    start, end = period(sub)
    resting = sub["status"] == "paused"
    if sub["cancel_at"] and (resting or sub["cancel_at"] < end):
        _later(tx, sub, max(sub["cancel_at"], tx.now), "cancel")
    elif not resting:
        _later(tx, sub, end, "cycle")
        told_at = max(start + 1, end - settings.get(tx, "upcoming_days") * DAY)
        if told_at > tx.now and sub["status"] != "unpaid" and not sub["cancel_at_period_end"]:
            _later(tx, sub, told_at, "upcoming")


def _later(tx: Transaction, sub: Doc, at: int, kind: str) -> None:
    tx.schedule(at, f"subscription.{kind}", sub["id"], clock=sub["test_clock"] or "")


def remind_of_trial(tx: Transaction, sub: Doc) -> None:
    """Have customer.subscription.trial_will_end told three days before the end, or now when that has passed."""
    tx.unschedule("subscription.trial_will_end", sub["id"])
    if sub["status"] != "trialing":
        return
    at = sub["trial_end"] - 3 * DAY
    if at <= tx.now:
        tx.emit("customer.subscription.trial_will_end", sub)
    else:
        _later(tx, sub, at, "trial_will_end")


def watch_due_date(tx: Transaction, sub: Doc, invoice: Doc) -> None:
    """An invoice that is sent makes its subscription past due when it is not paid by its date."""
    at = tx.now + invoicing.DRAFT_FOR + (sub["days_until_due"] or 0) * DAY
    tx.schedule(at, "subscription.overdue", invoice["id"], clock=sub["test_clock"] or "")


# ---------------------------------------------------------------------------------------- statuses


def told(tx: Transaction, sub: Doc, previous: Doc) -> None:
    """`customer.subscription.updated`, when there is anything to tell."""
    if previous:
        tx.emit("customer.subscription.updated", sub, previous)


def become(tx: Transaction, sub: Doc, status: str, **changes: Any) -> None:
    """Go over to another status, and say so."""
    if sub["status"] != status or changes:
        previous = tx.update(sub, {"status": status} | changes)
        plan_ahead(tx, sub)
        told(tx, sub, previous)


def pause(tx: Transaction, sub: Doc, reason: str) -> None:
    """Stop billing until it is resumed."""
    with tx.ordered(rank):
        previous = tx.update(sub, status="paused", status_details=paused_for(tx, reason))
        forget(tx, sub)
        plan_ahead(tx, sub)
        told(tx, sub, previous)
        tx.emit("customer.subscription.paused", sub)


def forget(tx: Transaction, sub: Doc) -> None:
    """Drop everything that was put off."""
    for kind in _DUE:
        tx.unschedule(f"subscription.{kind}", sub["id"])


def end(
    tx: Transaction, sub: Doc, reason: str | None, *, at: int | None = None, details: Doc | None = None
) -> None:
    """Cancel for good. Open invoices are no longer collected by themselves."""
    forget(tx, sub)
    details = (sub["cancellation_details"] or cancellation()) | (details or {})
    if reason and not details.get("reason"):
        details["reason"] = reason
    tx.update(
        sub, status="canceled", ended_at=at or tx.now, canceled_at=sub["canceled_at"] or tx.now, pending_update=None,
        cancel_at_period_end=sub["cancel_at_period_end"], cancellation_details=details,
    )  # fmt: skip
    _stop_collecting(tx, sub)
    tx.emit("customer.subscription.deleted", sub)
    for listener in ENDED:
        listener(tx, sub)


# Who wants to know that a subscription has ended: schedules do.
ENDED: list[Any] = []


def _stop_collecting(tx: Transaction, sub: Doc) -> None:
    for invoice in tx.scan("invoice", {"_subscription": sub["id"]}):
        if invoice["status"] in ("open", "draft") and invoice["auto_advance"]:
            tx.unschedule("invoice.retry", invoice["id"])
            tx.unschedule("invoice.finalize", invoice["id"])
            previous = tx.update(
                invoice, auto_advance=False, next_payment_attempt=None, automatically_finalizes_at=None
            )
            tx.emit("invoice.updated", invoice, previous)


def expire(tx: Transaction, sub: Doc) -> None:
    """The first invoice was not paid in time: terminal, and the invoice is void."""
    invoice = tx.get("invoice", sub["latest_invoice"])
    with tx.ordered(rank):
        forget(tx, sub)
        previous = tx.update(sub, status="incomplete_expired", ended_at=tx.now)
        told(tx, sub, previous)
        if invoice is not None and invoice.get("status") == "open":
            invoicing.void(tx, invoice)
