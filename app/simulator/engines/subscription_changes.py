"""Changes of a running subscription, applied and billed; with pending_if_incomplete only once their invoice is paid."""

from __future__ import annotations

from app.simulator.engines import (
    collecting,
    invoice_items,
    invoicing,
    renewals,
    subscriptions,
)
from app.simulator.engines.plan_changes import Change, work_out
from app.simulator.errors import invalid
from app.simulator.registry import Doc, timed
from app.simulator.transaction import Transaction


def change(tx: Transaction, sub: Doc, specs: list[Doc], terms: Doc, fields: Doc) -> None:
    """Apply `specs` (items with id to change, deleted, or without id to add) and `fields`, and bill as `terms` say:
    proration_behavior, proration_date, payment_behavior, trial_end, anchor_now, extra_lines, off_session."""
    with tx.ordered(subscriptions.rank):
        if (
            terms.get("trial_end") == "now"
            and sub["status"] == "trialing"
            and not specs
            and _stopped(tx, sub, fields)
        ):
            return
        worked = work_out(tx, sub, specs, terms)
        worked.lines += terms.get("extra_lines", [])
        if terms.get("payment_behavior") == "pending_if_incomplete" and worked.at_once:
            _attempt_pending(tx, sub, worked)
            return
        previous = apply(tx, sub, worked, fields)
        pend(tx, sub, worked.prorations)
        if worked.at_once:
            bill(tx, sub, worked.lines, terms, previous)
        else:
            subscriptions.told(tx, sub, previous)
        if sub["status"] == "trialing" and "trial_end" in previous:
            subscriptions.remind_of_trial(tx, sub)


def _stopped(tx: Transaction, sub: Doc, fields: Doc) -> bool:
    """A trial ended by hand without a payment method, which its settings answer with a pause or an end."""
    tx.update(sub, fields)
    before = sub["trial_end"]
    tx.update(sub, trial_end=tx.now)
    if renewals.stops_now(tx, sub):
        return True
    tx.update(sub, trial_end=before)
    return False


# ------------------------------------------------------------------------------- applying, billing


def apply(tx: Transaction, sub: Doc, worked: Change, fields: Doc | None = None) -> Doc:
    """Make the change; returns what was before."""
    for identifier in worked.gone:
        row = tx.get("subscription_item", identifier)
        if row is not None and not row.get("deleted"):
            tx.delete(row)
    previous = tx.update(sub, worked.fields | (fields or {}))
    if sub["cancel_at_period_end"]:
        previous |= tx.update(sub, cancel_at=subscriptions.period(sub)[1])
    if previous.keys() & {"items", "cancel_at", "status", "trial_end", "billing_cycle_anchor"}:
        subscriptions.plan_ahead(tx, sub)
    return previous


def pend(tx: Transaction, sub: Doc, lines: list[Doc]) -> None:
    """Keep lines for the next invoice."""
    owner = tx.find("customer", sub["customer"])
    for line in lines:
        invoice_items.pend(tx, owner, sub["currency"], line)


def bill(tx: Transaction, sub: Doc, lines: list[Doc], terms: Doc, previous: Doc) -> Doc:
    """An invoice for what is pending and these lines, finalized and charged in this call."""
    invoice = subscriptions.draft(tx, sub, lines, "subscription_update", (tx.now, tx.now))
    previous |= tx.update(sub, latest_invoice=invoice["id"])
    subscriptions.told(tx, sub, previous)
    invoicing.finalize(tx, invoice)
    if invoice["status"] == "paid":
        return invoice
    if sub["collection_method"] == "send_invoice":
        invoicing.send(tx, invoice)
        subscriptions.watch_due_date(tx, sub, invoice)
        return invoice
    behavior = terms.get("payment_behavior") or "allow_incomplete"
    if behavior == "default_incomplete":
        subscriptions.become(tx, sub, "past_due")
        return invoice
    outcome, error = invoicing.charge(tx, invoice, None, off_session=bool(terms.get("off_session")))
    if behavior == "error_if_incomplete" and outcome in ("failed", "requires_action"):
        if error is None and collecting.method_for(tx, invoice) is None:
            raise invalid(subscriptions.NO_METHOD, code="resource_missing")
        raise subscriptions.unpaid(error)
    return invoice


# --------------------------------------------------------------------- changes that wait for money


def _attempt_pending(tx: Transaction, sub: Doc, worked: Change) -> None:
    """Bill a change that is made only when it is paid; until then it is the pending_update."""
    drop_awaited(tx, sub)
    pend(tx, sub, worked.prorations)
    invoice = subscriptions.draft(
        tx, sub, worked.lines, "subscription_update", (tx.now, tx.now), automatic_advance=False
    )
    previous = tx.update(
        sub, latest_invoice=invoice["id"],
        _awaits={"kind": "update", "invoice": invoice["id"], "fields": worked.fields, "gone": worked.gone},
    )  # fmt: skip
    invoicing.finalize(tx, invoice)
    if invoice["status"] != "paid":
        invoicing.charge(tx, invoice, None, off_session=False)
    if sub.get("_awaits"):
        tx.schedule(tx.now + subscriptions.PATIENCE, "subscription.pending_update", sub["id"])
        previous |= tx.update(sub, pending_update=_pending(tx, sub, worked))
        subscriptions.told(tx, sub, previous)


def _pending(tx: Transaction, sub: Doc, worked: Change) -> Doc:
    held = {x["id"]: x for x in sub["items"]["data"]}
    changed = [x for x in worked.fields["items"]["data"] if held.get(x["id"]) != x]
    return {
        "billing_cycle_anchor": worked.fields.get("billing_cycle_anchor"), "cancel_at_period_end": None,
        "discount": None, "discounts": None, "expires_at": tx.now + subscriptions.PATIENCE, "metadata": None,
        "subscription_items": changed or None, "trial_end": worked.fields.get("trial_end"), "trial_from_plan": None,
    }  # fmt: skip


def arrived(tx: Transaction, sub: Doc, status: str = "active") -> None:
    """What the subscription waited for has happened: its invoice is paid, or for a resumption tried."""
    awaits = sub["_awaits"]
    waited, resumed = sub["pending_update"] is not None, awaits["kind"] == "resume"
    tx.unschedule("subscription.pending_update", sub["id"])
    tx.unschedule("subscription.resumption", sub["id"])
    fields: Doc = dict(awaits["fields"])
    if resumed:
        fields |= {"status": status, "status_details": None}
    tx.update(sub, _awaits=None)
    previous = apply(tx, sub, Change(fields, awaits["gone"]), {"pending_update": None})
    if resumed:
        tx.emit("customer.subscription.resumed", sub)
    if waited:
        tx.emit("customer.subscription.pending_update_applied", sub)
    subscriptions.told(tx, sub, previous)


def drop_awaited(tx: Transaction, sub: Doc) -> None:
    """A newer change takes the place of one that still waits: its invoice is void."""
    awaits = sub.get("_awaits")
    if not awaits:
        return
    tx.unschedule("subscription.pending_update", sub["id"])
    tx.unschedule("subscription.resumption", sub["id"])
    tx.update(sub, _awaits=None, pending_update=None)
    void_open(tx, awaits["invoice"])


def void_open(tx: Transaction, identifier: str) -> None:
    """Take an invoice back, if it is open."""
    invoice = tx.get("invoice", identifier)
    if invoice is not None and invoice.get("status") == "open":
        invoicing.void(tx, invoice)


@timed("subscription.pending_update")
def _expired(tx: Transaction, identifier: str) -> None:
    sub = tx.get("subscription", identifier)
    if sub is None or sub.get("deleted") or not sub.get("_awaits"):
        return
    invoice = sub["_awaits"]["invoice"]
    previous = tx.update(sub, pending_update=None, _awaits=None)
    tx.emit("customer.subscription.pending_update_expired", sub)
    subscriptions.told(tx, sub, previous)
    void_open(tx, invoice)
