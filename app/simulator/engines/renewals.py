"""What time brings to a subscription: reminders, the end of a trial, the next period with its invoice, its end."""

from __future__ import annotations

from collections.abc import Callable

from app.simulator.engines import collecting, invoicing, periods, proration, subscription_items, subscriptions
from app.simulator.registry import Doc, timed
from app.simulator.transaction import Transaction

# What happens to a subscription at the end of its period before it is renewed: schedules change phases.
TURNING: list[Callable[[Transaction, Doc], None]] = []


def _due(tx: Transaction, identifier: str) -> Doc | None:
    """The subscription that work was put off for, unless it has ended."""
    sub = tx.get("subscription", identifier)
    return None if sub is None or sub.get("deleted") or sub["status"] in subscriptions.OVER else sub


@timed("subscription.trial_will_end")
def _trial_will_end(tx: Transaction, identifier: str) -> None:
    sub = _due(tx, identifier)
    if sub is not None and sub["status"] == "trialing":
        tx.emit("customer.subscription.trial_will_end", sub)


@timed("subscription.cancel")
def _cancel(tx: Transaction, identifier: str) -> None:
    sub = _due(tx, identifier)
    if sub is not None:
        subscriptions.end(tx, sub, "cancellation_requested")


@timed("subscription.incomplete")
def _incomplete(tx: Transaction, identifier: str) -> None:
    sub = _due(tx, identifier)
    if sub is not None and sub["status"] == "incomplete":
        subscriptions.expire(tx, sub)


@timed("subscription.collect")
def _collect(tx: Transaction, identifier: str) -> None:
    """A pause of collection that was to end has ended."""
    sub = _due(tx, identifier)
    if sub is not None and sub["pause_collection"]:
        subscriptions.told(tx, sub, tx.update(sub, pause_collection=None))


@timed("subscription.upcoming")
def _upcoming(tx: Transaction, identifier: str) -> None:
    sub = _due(tx, identifier)
    if sub is not None:
        tx.emit("invoice.upcoming", upcoming(tx, identifier))


def upcoming(tx: Transaction, identifier: str) -> Doc:
    """The invoice that the next renewal will make, without storing anything. Read documents again after it."""
    now = tx.now
    try:
        return invoicing.as_preview(
            invoicing.rehearsed(tx, lambda: next_invoice(tx, tx.find("subscription", identifier)))
        )
    finally:
        tx.now = now


def next_invoice(tx: Transaction, sub: Doc) -> Doc:
    """Renew ahead of time, for a rehearsal: the time is that of the renewal afterwards."""
    tx.now = subscriptions.period(sub)[1]
    for turn in TURNING:
        turn(tx, sub)
    _turn(tx, sub)
    return _cycle_invoice(tx, sub, advance=False)


# ---------------------------------------------------------------------------------------- the turn


@timed("subscription.cycle")
def _cycle(tx: Transaction, identifier: str) -> None:
    """The end of the current period."""
    sub = _due(tx, identifier)
    if sub is None or sub["status"] in ("paused", "incomplete"):
        return
    for turn in TURNING:
        turn(tx, sub)
    if sub["status"] in subscriptions.OVER:
        return
    if sub["cancel_at"] is not None and sub["cancel_at"] <= tx.now:
        subscriptions.end(tx, sub, "cancellation_requested")
    elif sub["status"] == "trialing" and _stops_after_trial(tx, sub):
        return
    else:
        with tx.ordered(subscriptions.rank):
            renew(tx, sub)


def _stops_after_trial(tx: Transaction, sub: Doc) -> bool:
    """Without a payment method a trial may end in a pause or in nothing."""
    if sub["collection_method"] != "charge_automatically" or has_method(tx, sub):
        return False
    behavior = sub["trial_settings"]["end_behavior"]["missing_payment_method"]
    if behavior == "pause":
        subscriptions.pause(tx, sub, "trial_end_without_payment_method")
    elif behavior == "cancel":
        subscriptions.end(tx, sub, "payment_failed")
    return behavior in ("pause", "cancel")


def has_method(tx: Transaction, sub: Doc) -> bool:
    """Whether there is anything to charge."""
    known = {"customer": sub["customer"], "_subscription": sub["id"], "default_payment_method": None}
    return collecting.method_for(tx, known) is not None


def stops_now(tx: Transaction, sub: Doc) -> bool:
    """The same as at the end of a trial, for one that is ended by hand."""
    return _stops_after_trial(tx, sub)


def renew(tx: Transaction, sub: Doc) -> None:
    """The next period and its invoice, which is charged an hour later."""
    previous = _turn(tx, sub) | (sub.get("_turned") or {})
    tx.update(sub, _turned=None)
    invoice = _cycle_invoice(tx, sub, advance=sub["status"] != "unpaid")
    previous |= tx.update(sub, latest_invoice=invoice["id"])
    subscriptions.plan_ahead(tx, sub)
    subscriptions.told(tx, sub, previous)
    if sub["collection_method"] == "send_invoice":
        subscriptions.watch_due_date(tx, sub, invoice)


def _turn(tx: Transaction, sub: Doc) -> Doc:
    """Move the items into the period that begins now; returns what was before."""
    items = sub["items"]["data"]
    end = periods.boundary(sub["billing_cycle_anchor"], subscription_items.recurring(items), tx.now)
    changes: Doc = {
        "items": subscription_items.held(subscriptions.with_period(items, tx.now, end), sub["id"]),
        "status": "active" if sub["status"] == "trialing" else sub["status"],
    }
    if sub["cancel_at_period_end"]:
        changes["cancel_at"] = end
    return tx.update(sub, changes)


def _cycle_invoice(tx: Transaction, sub: Doc, *, advance: bool) -> Doc:
    """The draft for the period that has just begun."""
    items = sub["items"]["data"]
    lines = [
        subscription_items.line(
            tx, sub, x, subscription_items.cost(tx, x, sub["currency"]),
            (x["current_period_start"], x["current_period_end"]),
        )
        for x in items
    ]  # fmt: skip
    before = proration.before(sub, items[0])
    paused = (sub["pause_collection"] or {}).get("behavior")
    invoice = subscriptions.draft(
        tx, sub, lines, "subscription_cycle", (before, items[0]["current_period_start"]),
        automatic_advance=advance and not paused, fields={"_collection": paused},
    )  # fmt: skip
    if advance and paused in ("void", "mark_uncollectible"):
        at = tx.now + invoicing.DRAFT_FOR + 1
        tx.schedule(at, "subscription.uncollected", invoice["id"], clock=sub["test_clock"] or "")
    return invoice
