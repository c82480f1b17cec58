"""Working out what a change of a subscription comes to: the items after it, the period they are in, what is billed."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.simulator.engines import periods, proration, subscription_items, subscriptions
from app.simulator.errors import invalid, missing
from app.simulator.registry import Doc
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
