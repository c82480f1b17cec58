"""Test clocks: whose time a request or a piece of work runs in, and how far a clock may be moved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.simulator.engines import periods
from app.simulator.errors import StripeError, invalid
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction

NAME = "test_helpers.test_clock"
ADVANCING = "test_helpers.test_clock.advancing"
LIFE = 30 * 86400
TWO_YEARS = 2 * 366 * 86400
# By the beginning of an identifier, the object that may stand under a test clock.
_OWNED = {
    "cus_": "customer", "sub_": "subscription", "sub_sched_": "subscription_schedule", "si_": "subscription_item",
    "in_": "invoice", "ii_": "invoiceitem", "pi_": "payment_intent", "seti_": "setup_intent", "ch_": "charge",
    "clock_": NAME, "cs_test_": "checkout.session", "bps_": "billing_portal.session",
}  # fmt: skip
_NAMING = (
    "customer",
    "subscription",
    "invoice",
    "payment_intent",
    "from_subscription",
    "test_clock",
    "schedule",
)


def enter(tx: Transaction, params: Doc, named: dict[str, str]) -> None:
    """Let a request that is about objects of a test clock run in that clock's time."""
    for value in (*named.values(), *(params.get(k) for k in _NAMING)):
        clock = of(tx, value)
        if clock is not None:
            tx.enter(clock["id"], clock["frozen_time"])
            return


def of(tx: Transaction, identifier: Any) -> Doc | None:
    """The test clock that the object of an id belongs to."""
    for name in _names(identifier):
        doc = tx.get(name, identifier)
        if doc is None or doc.get("deleted"):
            continue
        if name == NAME:
            return doc
        owner = doc.get("test_clock") or doc.get("customer") or doc.get("subscription")
        return of(tx, owner) if owner != identifier else None
    return None


def _names(identifier: Any) -> Iterator[str]:
    if isinstance(identifier, str) and "_" in identifier:
        prefix = identifier[: identifier.rfind("_") + 1]
        if prefix in _OWNED:
            yield _OWNED[prefix]


def reach(tx: Transaction, identifier: str, moment: int) -> None:
    """Work in a clock's time at `moment`; what is asked meanwhile sees the clock there."""
    clock = tx.get(NAME, identifier)
    if clock is not None and clock.get("deleted") is not True and clock["frozen_time"] < moment:
        tx.update(clock, frozen_time=moment)
    tx.enter(identifier, moment)


def advancing(tx: Transaction) -> list[Doc]:
    """The clocks on their way, oldest first."""
    return list(tx.scan(NAME, {"status": "advancing"}))[::-1]


def target(clock: Doc) -> int:
    """Where an advancing clock is going."""
    return int(clock["status_details"]["advancing"]["target_frozen_time"])


def begin(tx: Transaction, clock: Doc, moment: int) -> None:
    """Start moving a clock to `moment`; the schedule takes it there."""
    if clock["status"] != "ready":
        raise StripeError(
            429, "Test clock advancement underway - cannot perform modifications.", code="rate_limit"
        )
    if moment <= clock["frozen_time"]:
        raise invalid(
            f"A test clock only goes forward: frozen_time must be later than {clock['frozen_time']}.",
            "frozen_time",
        )
    limit = furthest(tx, clock)
    if moment > limit:
        raise invalid(
            "You can only advance a test clock up to two intervals of its shortest subscription, or two years when it "
            f"has none: {limit} at most.",
            "frozen_time",
        )
    tx.update(clock, status="advancing", status_details={"advancing": {"target_frozen_time": moment}})
    tx.emit(ADVANCING, clock)


def furthest(tx: Transaction, clock: Doc) -> int:
    """How far a clock may go in one move."""
    ends = [
        periods.after(
            clock["frozen_time"], price["recurring"]["interval"], 2 * price["recurring"]["interval_count"]
        )
        for subscription in tx.scan("subscription", {"test_clock": clock["id"]})
        if subscription["status"] not in ("canceled", "incomplete_expired")
        for price in (item["price"] for item in subscription["items"]["data"])
    ]
    return min(ends, default=clock["frozen_time"] + TWO_YEARS)


def arrived(tx: Transaction, identifier: str) -> None:
    """A clock has done all work on its way."""
    clock = tx.get(NAME, identifier)
    if clock is None or clock.get("deleted") is True or clock["status"] != "advancing":
        return
    tx.update(clock, frozen_time=target(clock), status="ready", status_details={})
    tx.emit("test_helpers.test_clock.ready", clock)


def end(tx: Transaction, clock: Doc) -> Doc:
    """Delete a clock with its customers and everything that was to happen to them."""
    tx.sql.execute("DELETE FROM due WHERE clock = ?", (clock["id"],))
    tx.unschedule("test_clock.expire", clock["id"])
    for name in ("subscription", "customer"):
        for doc in list(tx.scan(name, {"test_clock": clock["id"]})):
            tx.delete(doc)
    tx.emit("test_helpers.test_clock.deleted", clock)
    return tx.delete(clock)
