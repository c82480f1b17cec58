"""Ending a subscription at once, pausing it on request, and taking it up again."""

from __future__ import annotations

from typing import Any

from app.simulator.engines import (
    invoice_items,
    invoicing,
    periods,
    plan_changes,
    proration,
    subscription_items,
    subscriptions,
)
from app.simulator.engines import subscription_changes as changes
from app.simulator.registry import Doc, timed
from app.simulator.transaction import Transaction


def cancel(tx: Transaction, sub: Doc, details: Doc, *, prorate: bool, invoice_now: bool) -> None:
    """Cancel at once; with `prorate` unused time is given back, with `invoice_now` what is pending is billed."""
    with tx.ordered(subscriptions.rank):
        waiting = sub["status"] == "incomplete"
        changes.drop_awaited(tx, sub)
        if prorate and sub["status"] not in ("trialing", "incomplete", "paused"):
            lines = proration.credits(tx, sub, sub["items"]["data"], tx.now)
            changes.pend(tx, sub, [x for x in lines if x["amount"]])
        if invoice_now and invoice_items.pending(tx, sub["customer"], sub["currency"], sub["id"]):
            changes.bill(tx, sub, [], {}, {})
        subscriptions.end(tx, sub, "cancellation_requested", details=details)
        if waiting:
            changes.void_open(tx, sub["latest_invoice"])


def pause(tx: Transaction, sub: Doc, *, credit_from: int | None, invoice_now: bool) -> None:
    """Pause a subscription on request; unused time from `credit_from` on is given back."""
    with tx.ordered(subscriptions.rank):
        paid = sub["status"] != "trialing" and credit_from is not None
        if paid and credit_from is not None:
            lines = proration.credits(tx, sub, sub["items"]["data"], credit_from)
            changes.pend(tx, sub, [x for x in lines if x["amount"]])
        if invoice_now:
            changes.bill(tx, sub, [], {}, {})
        subscriptions.pause(tx, sub, "pause_requested")


def resume(tx: Transaction, sub: Doc, *, anchor_now: bool, terms: Doc) -> None:
    """Take a paused subscription up again: at once when there is nothing to pay, else with its invoice."""
    anchor = tx.now if anchor_now else sub["billing_cycle_anchor"]
    end = periods.boundary(anchor, subscription_items.recurring(sub["items"]["data"]), tx.now)
    items = subscriptions.with_period(sub["items"]["data"], tx.now, end)
    fields: Doc = {"items": subscription_items.held(items, sub["id"]), "billing_cycle_anchor": anchor}
    if sub["trial_end"] and sub["trial_end"] > tx.now:
        fields["trial_end"] = tx.now
    behavior = terms.get("proration_behavior") or "create_prorations"
    with tx.ordered(subscriptions.rank):
        changes.drop_awaited(tx, sub)
        tx.update(sub, _awaits={"kind": "resume", "invoice": None, "fields": fields, "gone": []})
        if not anchor_now:
            rest = proration.debits(tx, sub, items, terms.get("proration_date") or tx.now)
            changes.pend(tx, sub, [] if behavior == "none" else rest)
        if anchor_now or behavior == "always_invoice":
            _bill_resumption(
                tx, sub, [plan_changes.whole(tx, sub, x) for x in items] if anchor_now else [], terms
            )
        else:
            changes.arrived(tx, sub)


def _bill_resumption(tx: Transaction, sub: Doc, lines: list[Doc], terms: Doc) -> None:
    tries = terms.get("payment_behavior", "resume_on_payment_attempt") == "resume_on_payment_attempt"
    invoice = subscriptions.draft(
        tx, sub, lines, "subscription_update", (tx.now, tx.now), automatic_advance=tries
    )
    previous = tx.update(
        sub, latest_invoice=invoice["id"], _awaits=sub["_awaits"] | {"invoice": invoice["id"]}
    )
    subscriptions.told(tx, sub, previous)
    invoicing.finalize(tx, invoice)
    if invoice["status"] == "paid":
        return
    if tries:
        invoicing.charge(tx, invoice, None, off_session=False)
        if sub.get("_awaits"):
            changes.arrived(tx, sub, "past_due")
        return
    tx.schedule(tx.now + subscriptions.PATIENCE, "subscription.resumption", sub["id"])


@timed("subscription.resumption")
def _not_resumed(tx: Transaction, identifier: str) -> None:
    sub: Any = tx.get("subscription", identifier)
    if sub is not None and not sub.get("deleted") and sub.get("_awaits"):
        changes.drop_awaited(tx, sub)
