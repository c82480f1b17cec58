"""Subscription schedules: phases that follow each other, each with its items, and what happens at the turn of one.

A phase that ends with a period takes effect in the renewal; one that ends within a period is an ordinary change.
"""

from __future__ import annotations

from app.simulator.engines import (
    periods,
    plan_changes,
    renewals,
    subscription_changes,
    subscription_items,
    subscriptions,
)
from app.simulator.errors import invalid
from app.simulator.registry import Doc, timed
from app.simulator.transaction import Transaction

NAME = "subscription_schedule"
OPEN = ("not_started", "active")
WARNED = 7 * 86400


def phase(start: int, end: int, items: list[Doc], currency: str, **more: object) -> Doc:
    """A phase as schedules show it; `items` are {price, quantity, metadata, tax_rates}, prices by id."""
    return {
        "add_invoice_items": [], "application_fee_percent": None, "automatic_tax": None, "billing_cycle_anchor": None,
        "billing_thresholds": None, "collection_method": None, "currency": currency, "default_payment_method": None,
        "default_tax_rates": [], "description": None, "discounts": [], "end_date": end, "invoice_settings": None,
        "items": [_item(x) for x in items], "metadata": {}, "on_behalf_of": None,
        "proration_behavior": "create_prorations", "start_date": start, "transfer_data": None, "trial_end": None,
    } | more  # fmt: skip


def _item(given: Doc) -> Doc:
    return {
        "billing_thresholds": None, "discounts": [], "metadata": given.get("metadata") or {}, "plan": given["price"],
        "price": given["price"], "quantity": given.get("quantity", 1), "tax_rates": given.get("tax_rates") or [],
    }  # fmt: skip


def settings(sub: Doc | None) -> Doc:
    """The default settings of a schedule."""
    return {
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": "automatic", "billing_thresholds": None,
        "collection_method": sub["collection_method"] if sub else "charge_automatically",
        "default_payment_method": sub["default_payment_method"] if sub else None, "description": None,
        "invoice_settings": {
            "account_tax_ids": None, "custom_fields": None, "days_until_due": sub["days_until_due"] if sub else None,
            "description": None, "footer": None, "issuer": {"type": "self"},
        },
        "on_behalf_of": None, "transfer_data": None,
    }  # fmt: skip


def of_subscription(sub: Doc) -> Doc:
    """The one phase of a schedule made from a subscription: what it has now, until its period ends."""
    start, end = subscriptions.period(sub)
    items = [
        {"price": x["price"]["id"], "quantity": x.get("quantity"), "metadata": x["metadata"], "tax_rates": x["tax_rates"]}
        for x in sub["items"]["data"]
    ]  # fmt: skip
    return phase(start, end, items, sub["currency"])


def attach(tx: Transaction, schedule: Doc, sub: Doc) -> None:
    """The schedule governs this subscription from now on."""
    tx.update(schedule, subscription=sub["id"], status="active", current_phase=current(schedule, tx.now))
    subscriptions.told(tx, sub, tx.update(sub, schedule=schedule["id"]))
    plan_ahead(tx, schedule)


def current(schedule: Doc, now: int) -> Doc | None:
    """Start and end of the phase that `now` is in."""
    found = next((p for p in schedule["phases"] if p["start_date"] <= now < p["end_date"]), None)
    return {k: found[k] for k in ("start_date", "end_date")} if found else None


def plan_ahead(tx: Transaction, schedule: Doc) -> None:
    """Put off the next turn, and the warning before the last."""
    for kind in ("turn", "expiring"):
        tx.unschedule(f"{NAME}.{kind}", schedule["id"])
    if schedule["status"] not in OPEN:
        return
    clock = schedule["test_clock"] or ""
    ahead = schedule["phases"][0]["start_date"] if schedule["status"] == "not_started" else None
    ahead = ahead or (schedule["current_phase"] or {}).get("end_date") or tx.now
    tx.schedule(ahead, f"{NAME}.turn", schedule["id"], clock=clock)
    warning = schedule["phases"][-1]["end_date"] - WARNED
    if warning > tx.now:
        tx.schedule(warning, f"{NAME}.expiring", schedule["id"], clock=clock)


def begin(tx: Transaction, schedule: Doc) -> None:
    """The first phase begins: its subscription is made. The first invoice stays a draft for an hour."""
    first = schedule["phases"][0]
    owner = tx.find("customer", schedule["customer"])
    specs = [_spec(tx, x) for x in first["items"]]
    fields = {
        "metadata": dict(first["metadata"]),
        "default_payment_method": schedule["default_settings"]["default_payment_method"],
    }
    sub = subscriptions.begin(tx, owner, specs, {"scheduled": True}, fields)
    attach(tx, schedule, sub)


def _spec(tx: Transaction, item: Doc) -> Doc:
    out = {k: item[k] for k in ("quantity", "metadata", "tax_rates")}
    return out | {"price": tx.find("price", item["price"], "phases[0][items][0][price]")}


# ----------------------------------------------------------------------------------------- turning


@timed(f"{NAME}.expiring")
def _expiring(tx: Transaction, identifier: str) -> None:
    schedule = tx.get(NAME, identifier)
    if schedule is not None and schedule["status"] == "active":
        tx.emit(f"{NAME}.expiring", schedule)


@timed(f"{NAME}.turn")
def _turn(tx: Transaction, identifier: str) -> None:
    """A phase begins or ends within a period; at the end of one the renewal sees to it."""
    schedule = tx.get(NAME, identifier)
    if schedule is None or schedule["status"] not in OPEN:
        return
    if schedule["status"] == "not_started":
        begin(tx, schedule)
        tx.emit(
            f"{NAME}.updated",
            schedule,
            {"status": "not_started", "subscription": None, "current_phase": None},
        )
        return
    sub = tx.get("subscription", schedule["subscription"])
    if sub is not None and subscriptions.period(sub)[1] > tx.now:
        advance(tx, schedule, sub)


def advance(tx: Transaction, schedule: Doc, sub: Doc) -> None:
    """Leave the phase that has ended, within a period."""
    following = next((p for p in schedule["phases"] if p["start_date"] <= tx.now < p["end_date"]), None)
    if following is None:
        finish(tx, schedule, sub)
        return
    terms = {"proration_behavior": following["proration_behavior"]}
    subscription_changes.change(tx, sub, specs_for(tx, sub, following), terms, {})
    _entered(tx, schedule)


def specs_for(tx: Transaction, sub: Doc, wanted: Doc) -> list[Doc]:
    """The changes that make the items of a subscription those of a phase: the same price keeps its item."""
    held = {x["price"]["id"]: x for x in sub["items"]["data"]}
    specs = [_spec(tx, x) | _same(held.pop(x["price"], None)) for x in wanted["items"]]
    left = list(held.values())
    for spec in specs:
        if "id" not in spec and left:
            spec["id"] = left.pop(0)["id"]
    return specs + [{"id": x["id"], "deleted": True} for x in left]


def _same(item: Doc | None) -> Doc:
    return {"id": item["id"]} if item else {}


def _entered(tx: Transaction, schedule: Doc) -> None:
    previous = tx.update(schedule, current_phase=current(schedule, tx.now))
    plan_ahead(tx, schedule)
    if previous:
        tx.emit(f"{NAME}.updated", schedule, previous)


def turned(tx: Transaction, sub: Doc) -> None:
    """The end of a period: the phase that begins with the next one gives it its items, without prorations."""
    schedule = tx.get(NAME, sub["schedule"])
    if schedule is None or schedule["status"] != "active":
        return
    following = next((p for p in schedule["phases"] if p["start_date"] <= tx.now < p["end_date"]), None)
    if following is None:
        finish(tx, schedule, sub)
        return
    before = sub["items"]["data"]
    worked = plan_changes.work_out(tx, sub, specs_for(tx, sub, following), {"proration_behavior": "none"})
    after = worked.fields["items"]["data"]
    fields: Doc = {"items": worked.fields["items"]}
    if subscription_items.interval(after) != subscription_items.interval(before):
        fields["billing_cycle_anchor"] = tx.now
    tx.update(sub, _turned=subscription_changes.apply(tx, sub, plan_changes.Change(fields, worked.gone)))
    _entered(tx, schedule)


def finish(tx: Transaction, schedule: Doc, sub: Doc) -> None:
    """After the last phase the subscription goes on by itself, or ends."""
    ends = schedule["end_behavior"] == "cancel"
    _closed(tx, schedule, status="completed", completed_at=tx.now, current_phase=None)
    if ends:
        subscriptions.end(tx, sub, "cancellation_requested")
    else:
        subscriptions.told(tx, sub, tx.update(sub, schedule=None))
        tx.update(schedule, released_subscription=sub["id"], subscription=None)
    tx.emit(f"{NAME}.completed", schedule)


def _closed(tx: Transaction, schedule: Doc, **changes: object) -> None:
    tx.update(schedule, changes)
    for kind in ("turn", "expiring"):
        tx.unschedule(f"{NAME}.{kind}", schedule["id"])


def release(tx: Transaction, schedule: Doc) -> None:
    """Let the subscription go on without its schedule."""
    _expect(schedule, "released")
    sub = tx.get("subscription", schedule["subscription"])
    _closed(
        tx, schedule, status="released", released_at=tx.now, released_subscription=schedule["subscription"],
        subscription=None, current_phase=None,
    )  # fmt: skip
    if sub is not None:
        subscriptions.told(tx, sub, tx.update(sub, schedule=None))
    tx.emit(f"{NAME}.released", schedule)


def cancel(tx: Transaction, schedule: Doc) -> Doc | None:
    """End the schedule; returns the subscription that is to end with it."""
    _expect(schedule, "canceled")
    _closed(tx, schedule, status="canceled", canceled_at=tx.now, current_phase=None)
    tx.emit(f"{NAME}.canceled", schedule)
    return tx.get("subscription", schedule["subscription"])


def _expect(schedule: Doc, done: str) -> None:
    if schedule["status"] not in OPEN:
        raise invalid(
            f"You cannot change a subscription schedule that is currently in the `{schedule['status']}` status: only "
            f"schedules in `not_started` or `active` status can be {done}."
        )


def aborted(tx: Transaction, sub: Doc) -> None:
    """The subscription has ended for reasons of its own: so has its schedule."""
    schedule = tx.get(NAME, sub["schedule"])
    if schedule is None or schedule["status"] != "active":
        return
    _closed(tx, schedule, status="canceled", canceled_at=tx.now, current_phase=None)
    delinquent = sub["cancellation_details"]["reason"] == "payment_failed"
    tx.emit(f"{NAME}.{'aborted' if delinquent else 'canceled'}", schedule)


def ends_of(tx: Transaction, given: Doc, start: int, iterations: int | None) -> int:
    """When a phase ends: as said, after its duration, or after one interval of its price."""
    if isinstance(given.get("end_date"), int):
        return int(given["end_date"])
    duration = given.get("duration")
    if duration:
        return periods.after(start, duration["interval"], duration.get("interval_count", 1))
    price = tx.find("price", given["items"][0]["price"], "phases[0][items][0][price]")
    recurring = price["recurring"]
    return periods.after(start, recurring["interval"], recurring["interval_count"] * (iterations or 1))


renewals.TURNING.append(turned)
subscriptions.ENDED.append(aborted)
