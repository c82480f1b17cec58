"""The whole state at once, under `/_sim/`: dump it, keep it under a name, take it up again."""

from __future__ import annotations

import re
from typing import Any

import orjson
from flask import Response

from app.simulator.control import answered, as_json, control, given, part
from app.simulator.errors import invalid
from app.simulator.schedule import Schedule
from app.simulator.store import Store


def _name() -> str:
    name = str(given().get("name") or "snapshot")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        raise invalid("a name is made of letters, digits, - and _")
    return name


@control.get("/snapshots")
def snapshots() -> Response:
    """The names of what is kept."""
    return as_json({"snapshots": part("store").snapshots()})


@control.post("/snapshot")
def snapshot() -> Response:
    """Keep everything as it is now under `name`."""
    name = _name()
    part("courier").drain(5)
    part("store").snapshot(name)
    return answered({"snapshot": name})


@control.post("/restore")
def restore() -> Response:
    """Be again as it was when `name` was kept, clock and identifiers too; failures on order are forgotten."""
    name = _name()
    schedule: Schedule = part("schedule")
    part("door").faults.clear()
    part("courier").drain(5)
    part("courier").mischief.clear()
    try:
        schedule.restore(name)
    except FileNotFoundError:
        raise invalid(f"nothing is kept under the name {name}") from None
    part("courier").resume()
    return answered({"restored": name})


@control.get("/dump")
def dump() -> Response:
    """Every object by kind in order of creation, what is put off, and what is to be delivered."""
    return as_json(dumped(part("store")))


def dumped(store: Store) -> dict[str, Any]:
    """The state as plain JSON: the same seed and the same calls give the same bytes."""
    sql = store.read().sql
    objects: dict[str, list[Any]] = {}
    for name, data in sql.execute("SELECT object, data FROM objects ORDER BY seq"):
        objects.setdefault(name, []).append(orjson.loads(data))
    due = sql.execute("SELECT at, kind, subject, clock FROM due ORDER BY clock, at, seq").fetchall()
    sent = sql.execute("SELECT event, endpoint, state, tries FROM deliveries ORDER BY id").fetchall()
    return {
        "now": int(store.clock.now()), "objects": dict(sorted(objects.items())),
        "due": [dict(zip(("at", "kind", "subject", "clock"), row, strict=True)) for row in due],
        "deliveries": [dict(zip(("event", "endpoint", "state", "tries"), row, strict=True)) for row in sent],
    }  # fmt: skip
