"""What invoices do to their subscription: paid ones make it active, failing ones past due, the last failure ends it."""

from __future__ import annotations

from app.simulator import settings
from app.simulator.engines import clocks, collecting, invoicing, subscription_changes, subscriptions
from app.simulator.registry import Doc, timed
from app.simulator.transaction import Transaction


def _subscription(tx: Transaction, invoice: Doc) -> Doc | None:
    """The subscription behind an invoice, unless it has ended. The customer's own clock counts, whoever pays."""
    sub = tx.get("subscription", invoice.get("_subscription"))
    if sub is None or sub.get("deleted") or sub["status"] in subscriptions.OVER:
        return None
    if tx.test_clock is None and sub["test_clock"]:
        clocks.enter(tx, {"test_clock": sub["test_clock"]}, {})
    return sub


def _awaited(sub: Doc, invoice: Doc) -> bool:
    return bool(sub.get("_awaits")) and sub["_awaits"]["invoice"] == invoice["id"]


def paid(tx: Transaction, invoice: Doc) -> None:
    """An invoice of a subscription is paid."""
    sub = _subscription(tx, invoice)
    if sub is None:
        return
    changes = _keep_method(tx, sub, invoice)
    if sub.get("_beginning"):
        tx.update(sub, changes | {"status": "trialing" if sub["trial_end"] else "active"})
    elif _awaited(sub, invoice):
        tx.update(sub, changes)
        subscription_changes.arrived(tx, sub)
    elif sub["status"] == "incomplete":
        tx.unschedule("subscription.incomplete", sub["id"])
        subscriptions.become(tx, sub, "active", **changes)
    elif sub["status"] in ("past_due", "unpaid") and _settles(tx, sub, invoice):
        subscriptions.become(tx, sub, "active", **changes)
    elif changes:
        subscriptions.told(tx, sub, tx.update(sub, changes))


def _keep_method(tx: Transaction, sub: Doc, invoice: Doc) -> Doc:
    """The method that paid becomes the subscription's own when that was asked for."""
    wish = (sub["payment_settings"] or {}).get("save_default_payment_method")
    intent = collecting.intent_of(tx, invoice) if wish == "on_subscription" else None
    if intent is None or intent["payment_method"] in (None, sub["default_payment_method"]):
        return {}
    return {"default_payment_method": intent["payment_method"]}


def _settles(tx: Transaction, sub: Doc, invoice: Doc) -> bool:
    """Whether nothing newer is owed: the latest invoice is this one, or no other is open."""
    if sub["latest_invoice"] == invoice["id"]:
        return True
    return not any(x["status"] == "open" for x in tx.scan("invoice", {"_subscription": sub["id"]}))


def failed(tx: Transaction, invoice: Doc) -> None:
    """An attempt at an invoice of a subscription came to nothing."""
    sub = _subscription(tx, invoice)
    if (
        sub is None
        or sub.get("_beginning")
        or _awaited(sub, invoice)
        or sub["status"] in ("incomplete", "paused")
    ):
        return
    if sub["status"] in ("active", "trialing"):
        subscriptions.become(tx, sub, "past_due")
    retried = invoice["auto_advance"] and invoice["billing_reason"] != "subscription_create"
    if invoice["next_payment_attempt"] is None and retried and sub["status"] == "past_due":
        _given_up(tx, sub, invoice)


def _given_up(tx: Transaction, sub: Doc, invoice: Doc) -> None:
    """The last attempt has failed."""
    tx.emit("invoice.updated", invoice, tx.update(invoice, auto_advance=False))
    wish = settings.get(tx, "dunning_end")
    if wish == "cancel":
        subscriptions.end(tx, sub, "payment_failed")
    elif wish == "unpaid":
        subscriptions.become(tx, sub, "unpaid")
    elif wish == "pause":
        subscriptions.pause(tx, sub, "final_payment_failure")


def given_up(tx: Transaction, invoice: Doc) -> None:
    """An invoice is void or uncollectible: a subscription that owed only this one is active again, a resumption that
    is written off takes place, and without its first invoice a subscription never begins."""
    sub = _subscription(tx, invoice)
    if sub is None:
        return
    if _awaited(sub, invoice):
        if sub["_awaits"]["kind"] == "resume" and invoice["status"] == "uncollectible":
            subscription_changes.arrived(tx, sub)
    elif sub["status"] == "incomplete" and invoice["status"] == "void":
        subscriptions.expire(tx, sub)
    elif sub["status"] in ("past_due", "unpaid") and _settles(tx, sub, invoice):
        subscriptions.become(tx, sub, "active")


def set_up(tx: Transaction, intent: Doc, method: Doc) -> None:
    """The method that a subscription asked for while nothing was due becomes its own."""
    sub = tx.get("subscription", intent.get("_subscription"))
    if sub is not None and not sub.get("deleted") and sub["status"] not in subscriptions.OVER:
        changes = {"default_payment_method": method["id"], "pending_setup_intent": None}
        subscriptions.told(tx, sub, tx.update(sub, changes))


@timed("subscription.overdue")
def _overdue(tx: Transaction, identifier: str) -> None:
    """An invoice that was sent has not been paid by its date."""
    invoice = tx.get("invoice", identifier)
    if invoice is None or invoice.get("status") != "open":
        return
    sub = _subscription(tx, invoice)
    if sub is not None and sub["status"] in ("active", "trialing"):
        subscriptions.become(tx, sub, "past_due")


@timed("subscription.uncollected")
def _uncollected(tx: Transaction, identifier: str) -> None:
    """An invoice made while collection was paused: finalized, and void or uncollectible at once."""
    invoice = tx.get("invoice", identifier)
    if invoice is None or invoice.get("status") != "draft":
        return
    if invoicing.finalize(tx, invoice)["status"] == "open":
        if invoice["_collection"] == "void":
            invoicing.void(tx, invoice)
        else:
            invoicing.mark_uncollectible(tx, invoice)
