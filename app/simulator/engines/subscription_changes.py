"""Changes of a running subscription: other items, a new anchor, another end of the trial, and what they cost now.

A change is worked out first and applied after; with pending_if_incomplete only once its invoice is paid.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from app.simulator.engines import (
    collecting,
    invoice_items,
    invoicing,
    periods,
    proration,
    renewals,
    subscription_items,
    subscriptions,
)
from app.simulator.errors import invalid, missing
from app.simulator.registry import Doc, timed
from app.simulator.transaction import Transaction

LAST_ITEM = "A subscription must have at least one active plan."


@dataclass
class Change:
    """What a change makes of a subscription: `fields` of it, `gone` items, lines to bill, and whether now."""

    fields: Doc
    gone: list[str] = field(default_factory=list)
    prorations: list[Doc] = field(default_factory=list)
    lines: list[Doc] = field(default_factory=list)
    at_once: bool = False


@dataclass
class _Items:
    after: list[Doc]
    old: list[Doc]
    new: list[Doc]
    gone: list[str]


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
        _pend(tx, sub, worked.prorations)
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


# ------------------------------------------------------------------------------------- working out


def work_out(tx: Transaction, sub: Doc, specs: list[Doc], terms: Doc) -> Change:
    """What the change comes to, without applying it."""
    items = _items(tx, sub, specs)
    trialing = sub["status"] == "trialing"
    trial = terms.get("trial_end")
    behavior = terms.get("proration_behavior") or "create_prorations"
    moment = _moment(tx, sub, terms)
    if isinstance(trial, int) and trial > tx.now:
        worked = _into_trial(tx, sub, items, trial, trialing)
    elif trialing and trial is None and not terms.get("anchor_now"):
        worked = Change({"items": items.after}, items.gone)
    elif _resets(tx, sub, items, terms):
        worked = _anew(tx, sub, items, moment, trialing)
    else:
        credits = proration.credits(tx, sub, items.old, moment)
        debits = proration.debits(tx, sub, items.new, moment)
        worked = Change({"items": items.after}, items.gone, [*credits, *debits])
    if behavior == "none":
        worked.prorations = []
    worked.at_once = worked.at_once or (behavior == "always_invoice" and bool(worked.prorations or specs))
    worked.fields["items"] = subscription_items.held(worked.fields["items"], sub["id"])
    return worked


def _moment(tx: Transaction, sub: Doc, terms: Doc) -> int:
    given = terms.get("proration_date")
    if given is None:
        return tx.now
    start, end = subscriptions.period(sub)
    if not start <= given <= end:
        raise invalid(
            "The provided proration date must be within the current billing period of the subscription.",
            "proration_date",
        )
    return int(given)


def _items(tx: Transaction, sub: Doc, specs: list[Doc]) -> _Items:
    held = sub["items"]["data"]
    known = {x["id"]: x for x in held}
    wanted: dict[str, Doc] = {}
    for i, spec in enumerate(specs):
        if spec.get("id"):
            if spec["id"] not in known:
                raise missing("subscription item", spec["id"], f"items[{i}][id]", 400)
            wanted[spec["id"]] = spec
    gone = [k for k, spec in wanted.items() if spec.get("deleted")]
    after = [_changed(x, wanted.get(x["id"], {})) for x in held if x["id"] not in gone]
    old = [x for x in held if x["id"] in gone or _billed(x) != _billed(_changed(x, wanted.get(x["id"], {})))]
    new = [x for x in after if _billed(x) != _billed(known[x["id"]])]
    span = subscriptions.period(sub)
    for spec in specs:
        if not spec.get("id"):
            added = subscription_items.new(tx, sub["id"], spec, span)
            after.append(added)
            new.append(added)
    if not after:
        raise invalid(LAST_ITEM)
    live = [x | {"price": tx.get("price", x["price"]["id"]) or x["price"]} for x in after]
    subscription_items.check(live, sub["currency"])
    return _Items(after, old, new, gone)


def _changed(item: Doc, spec: Doc) -> Doc:
    kept: Doc = {k: spec[k] for k in ("metadata", "tax_rates", "discounts") if k in spec}
    if "price" in spec or "quantity" in spec:
        price: Doc = spec.get("price") or item["price"]
        kept |= subscription_items.priced(price, spec.get("quantity", item.get("quantity")))
    return item | kept


def _billed(item: Doc) -> tuple[str, int | None]:
    return item["price"]["id"], item.get("quantity")


def _resets(tx: Transaction, sub: Doc, items: _Items, terms: Doc) -> bool:
    """Whether the change begins a period of its own: another interval, a trial ended, from free to paid."""
    if terms.get("anchor_now") or (terms.get("trial_end") == "now" and sub["status"] == "trialing"):
        return True
    if subscription_items.interval(items.after) != subscription_items.interval(sub["items"]["data"]):
        return True
    before, after = (
        sum(subscription_items.cost(tx, x, sub["currency"]) for x in part)
        for part in (sub["items"]["data"], items.after)
    )
    return before == 0 and after > 0 and bool(items.new)


def _anew(tx: Transaction, sub: Doc, items: _Items, moment: int, trialing: bool) -> Change:
    """A period that begins now, billed whole; what was paid for the old one is given back."""
    end = periods.boundary(tx.now, subscription_items.recurring(items.after), tx.now)
    after = subscriptions.with_period(items.after, tx.now, end)
    fields: Doc = {"items": after, "billing_cycle_anchor": tx.now, "status": sub["status"]}
    if trialing:
        fields |= {"status": "active", "trial_end": tx.now}
    credits = [] if trialing else proration.credits(tx, sub, sub["items"]["data"], moment)
    lines = [whole(tx, sub, x) for x in after]
    return Change(fields, items.gone, [c for c in credits if c["amount"]], lines, at_once=True)


def whole(tx: Transaction, sub: Doc, item: Doc) -> Doc:
    """The line of an item for the whole period it is in."""
    span = (item["current_period_start"], item["current_period_end"])
    return subscription_items.line(tx, sub, item, subscription_items.cost(tx, item, sub["currency"]), span)


def _into_trial(tx: Transaction, sub: Doc, items: _Items, trial: int, trialing: bool) -> Change:
    """A trial that begins now or ends elsewhere; paid time that is left is given back."""
    start = subscriptions.period(sub)[0] if trialing else tx.now
    fields = {
        "items": subscriptions.with_period(items.after, start, trial), "billing_cycle_anchor": trial,
        "trial_end": trial, "trial_start": sub["trial_start"] if trialing else tx.now, "status": "trialing",
    }  # fmt: skip
    credits = [] if trialing else proration.credits(tx, sub, sub["items"]["data"], tx.now)
    return Change(fields, items.gone, [c for c in credits if c["amount"]])


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


def _pend(tx: Transaction, sub: Doc, lines: list[Doc]) -> None:
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
    _drop_pending(tx, sub)
    _pend(tx, sub, worked.prorations)
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


def _drop_pending(tx: Transaction, sub: Doc) -> None:
    """A newer change takes the place of one that still waits: its invoice is void."""
    awaits = sub.get("_awaits")
    if not awaits:
        return
    tx.unschedule("subscription.pending_update", sub["id"])
    tx.unschedule("subscription.resumption", sub["id"])
    tx.update(sub, _awaits=None, pending_update=None)
    _void(tx, awaits["invoice"])


def _void(tx: Transaction, identifier: str) -> None:
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
    _void(tx, invoice)


# ---------------------------------------------------------------------------------- pause and resume


def cancel(tx: Transaction, sub: Doc, details: Doc, *, prorate: bool, invoice_now: bool) -> None:
    """Cancel at once; with `prorate` unused time is given back, with `invoice_now` what is pending is billed."""
    with tx.ordered(subscriptions.rank):
        waiting = sub["status"] == "incomplete"
        _drop_pending(tx, sub)
        if prorate and sub["status"] not in ("trialing", "incomplete", "paused"):
            lines = proration.credits(tx, sub, sub["items"]["data"], tx.now)
            _pend(tx, sub, [x for x in lines if x["amount"]])
        if invoice_now and invoice_items.pending(tx, sub["customer"], sub["currency"], sub["id"]):
            bill(tx, sub, [], {}, {})
        subscriptions.end(tx, sub, "cancellation_requested", details=details)
        if waiting:
            _void(tx, sub["latest_invoice"])


def pause(tx: Transaction, sub: Doc, *, credit_from: int | None, invoice_now: bool) -> None:
    """Pause a subscription on request; unused time from `credit_from` on is given back."""
    with tx.ordered(subscriptions.rank):
        paid = sub["status"] != "trialing" and credit_from is not None
        if paid and credit_from is not None:
            lines = proration.credits(tx, sub, sub["items"]["data"], credit_from)
            _pend(tx, sub, [x for x in lines if x["amount"]])
        if invoice_now:
            bill(tx, sub, [], {}, {})
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
        _drop_pending(tx, sub)
        tx.update(sub, _awaits={"kind": "resume", "invoice": None, "fields": fields, "gone": []})
        if not anchor_now:
            rest = proration.debits(tx, sub, items, terms.get("proration_date") or tx.now)
            _pend(tx, sub, [] if behavior == "none" else rest)
        if anchor_now or behavior == "always_invoice":
            _bill_resumption(tx, sub, [whole(tx, sub, x) for x in items] if anchor_now else [], terms)
        else:
            arrived(tx, sub)


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
            arrived(tx, sub, "past_due")
        return
    tx.schedule(tx.now + subscriptions.PATIENCE, "subscription.resumption", sub["id"])


@timed("subscription.resumption")
def _not_resumed(tx: Transaction, identifier: str) -> None:
    sub: Any = tx.get("subscription", identifier)
    if sub is not None and not sub.get("deleted") and sub.get("_awaits"):
        _drop_pending(tx, sub)
