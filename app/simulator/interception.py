"""Webhooks held, reordered, lost and forged from outside, under `/_sim/webhooks`; and secrets rolled."""

from __future__ import annotations

import random
from dataclasses import fields
from typing import Any

from flask import Response

from app.simulator.control import answered, as_json, bounded, control, given, part, worded
from app.simulator.delivery import Courier, roll
from app.simulator.errors import invalid
from app.simulator.mischief import KINDS, Trick

PATIENCE = 10.0


@control.get("/webhooks")
def mischief() -> Response:
    """What is ordered, whether deliveries are held back, and those that are."""
    courier: Courier = part("courier")
    return as_json(courier.mischief.listed() | {"held": _described(courier.mischief.held)})


def _described(deliveries: list[int]) -> list[dict[str, Any]]:
    tx = part("store").read()
    found = []
    for delivery in deliveries:
        row = tx.sql.execute("SELECT event, endpoint FROM deliveries WHERE id = ?", (delivery,)).fetchone()
        event = tx.get("event", row[0]) if row else None
        if event is not None:
            entry = {"id": delivery, "event": event["id"], "type": event["type"], "endpoint": row[1]}
            found.append(entry | {"object": event["data"]["object"].get("id")})
    return found


@control.post("/webhooks/hold")
def hold() -> Response:
    """Hold deliveries back, all or those of a `type` or `endpoint` (`*` matches)."""
    asked = given()
    part("courier").mischief.hold(str(asked.get("type") or "*"), str(asked.get("endpoint") or "*"))
    return answered({"holding": True})


@control.post("/webhooks/release")
def release() -> Response:
    """Let held deliveries through one after the other: all, in `order` oldest, newest or random (by `seed`) and hold
    no more; or only those named in `events` (ids or types, in that order) while holding goes on."""
    courier: Courier = part("courier")
    asked = given()
    held = _described(courier.mischief.held)
    named = asked.get("events") or []
    named = named.split(",") if isinstance(named, str) else named
    if not isinstance(named, list):
        raise invalid("events is a list of ids or types")
    if named:
        chosen = [e for name in named for e in held if str(name).strip() in (e["event"], e["type"])]
    else:
        courier.mischief.stop()
        chosen = _ordered(held, str(asked.get("order") or "oldest"), str(asked.get("seed", "")))
    sent: list[int] = []
    for entry in chosen:
        if entry["id"] not in sent:
            courier.mischief.let([entry["id"]])
            courier.send([entry["id"]])
            courier.wait([entry["id"]], PATIENCE)
            sent.append(entry["id"])
    return answered({"released": [e for e in chosen if e["id"] in sent]})


def _ordered(held: list[dict[str, Any]], order: str, seed: str) -> list[dict[str, Any]]:
    if order == "oldest":
        return held
    if order == "newest":
        return held[::-1]
    if order == "random":
        return random.Random(seed).sample(held, len(held))  # noqa: S311 - an order, not a secret
    raise invalid("order is oldest, newest or random")


@control.post("/webhooks/trick")
def trick() -> Response:
    """Play a trick on the next matching deliveries; see mischief.Trick for the fields."""
    asked = {k: v for k, v in given().items() if k != "page"}
    unknown = sorted(asked.keys() - {f.name for f in fields(Trick)})
    if unknown or asked.get("kind") not in KINDS:
        raise invalid(f"unknown fields: {unknown}" if unknown else f"kind must be one of {', '.join(KINDS)}")
    worded(asked, "type", "endpoint", "value")
    asked["times"] = bounded(asked, "times", 1, 1_000_000, Trick.times)
    asked["seconds"] = bounded(asked, "seconds", 0, 10 * 366 * 86_400, Trick.seconds)
    asked["bytes"] = bounded(asked, "bytes", 0, 50_000_000, Trick.bytes)
    part("courier").mischief.order(Trick(**asked))
    return answered(part("courier").mischief.listed())


@control.post("/webhooks/clear")
def clear() -> Response:
    """No more mischief; what was held back is sent."""
    courier: Courier = part("courier")
    held = courier.mischief.held
    courier.mischief.clear()
    courier.send(held)
    courier.wait(held, PATIENCE)
    return answered(courier.mischief.listed())


@control.post("/webhook_endpoints/<identifier>/roll")
def roll_secret(identifier: str) -> Response:
    """A new secret, shown in this answer; the old one signs along for `alive` seconds (a day, the longest)."""
    alive = bounded(given(), "alive", 0, 86_400, 86_400)
    with part("store").write() as tx:
        secret = roll(tx, tx.find("webhook_endpoint", identifier), alive)
    return answered({"id": identifier, "secret": secret})
