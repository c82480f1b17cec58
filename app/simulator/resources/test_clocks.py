"""Test clocks: /v1/test_helpers/test_clocks."""

from __future__ import annotations

from app.simulator.engines import clocks, periods
from app.simulator.errors import invalid
from app.simulator.listing import lists, retrieves
from app.simulator.registry import Doc, Resource, route, timed
from app.simulator.transaction import Transaction

test_clock = Resource(clocks.NAME, "clock_", label="test clock", index=("status",))
retrieves(clocks.NAME, "/v1/test_helpers/test_clocks/{test_clock}")
lists(clocks.NAME, "/v1/test_helpers/test_clocks")


@route("POST", "/v1/test_helpers/test_clocks")
def create(tx: Transaction, params: Doc) -> Doc:
    """A clock that stands at `frozen_time`; customers are put under it when they are created."""
    if not 0 <= params["frozen_time"] < periods.LAST:
        raise invalid("Invalid timestamp: must be an integer Unix time before the year 2200.", "frozen_time")
    doc = tx.create(
        clocks.NAME,
        {
            "created": tx.wall, "deletes_after": tx.wall + clocks.LIFE, "frozen_time": params["frozen_time"],
            "name": params.get("name"), "status": "ready", "status_details": {},
        },
    )  # fmt: skip
    tx.schedule(doc["deletes_after"], "test_clock.expire", doc["id"], clock="")
    tx.emit("test_helpers.test_clock.created", doc)
    return doc


@route("POST", "/v1/test_helpers/test_clocks/{test_clock}/advance")
def advance(tx: Transaction, params: Doc, test_clock: str) -> Doc:
    """Start moving a clock forward; it is `ready` again when all due work is done."""
    doc = tx.find(clocks.NAME, test_clock)
    clocks.begin(tx, doc, params["frozen_time"])
    return doc


@route("DELETE", "/v1/test_helpers/test_clocks/{test_clock}")
def delete(tx: Transaction, params: Doc, test_clock: str) -> Doc:
    """Delete a clock and all that stands under it."""
    return clocks.end(tx, tx.find(clocks.NAME, test_clock))


@timed("test_clock.expire")
def _expire(tx: Transaction, identifier: str) -> None:
    doc = tx.get(clocks.NAME, identifier)
    if doc is not None and doc.get("deleted") is not True:
        clocks.end(tx, doc)
