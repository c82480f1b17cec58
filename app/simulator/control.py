"""The control surface `/_sim/`: what a test, a demo or a person turns to make things happen. Not part of Stripe."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import orjson
from flask import Blueprint, Response, current_app, request

from app.simulator import settings
from app.simulator.delivery import Courier, resend
from app.simulator.door import Door
from app.simulator.engines import payments
from app.simulator.errors import StripeError, invalid
from app.simulator.faults import KINDS, Fault
from app.simulator.registry import RESOURCES, Doc
from app.simulator.schedule import Schedule
from app.simulator.store import Store
from app.simulator.transaction import shown

LONGEST = 20 * 366 * 86400
control = Blueprint("control", __name__, url_prefix="/_sim")


def part(name: str) -> Any:
    """A part of the running simulator: store, courier, door, schedule."""
    return current_app.extensions[name]


def as_json(body: Any, status: int = 200) -> Response:
    """An answer for programs."""
    return Response(orjson.dumps(body, option=orjson.OPT_INDENT_2), status, mimetype="application/json")


@control.before_request
def _same_site() -> Response | None:
    """A page on the internet must not be able to turn these knobs."""
    if request.method == "POST" and request.headers.get("Sec-Fetch-Site", "none") not in (
        "none",
        "same-origin",
    ):
        return as_json({"error": "only this page and local programs may do that"}, 403)
    return None


@control.errorhandler(StripeError)
def _refused(error: StripeError) -> Response:
    return as_json({"error": error.message}, error.status)


def given() -> Doc:
    """The JSON or form fields of a request."""
    if request.is_json:
        body = request.get_json(silent=True)
        if not isinstance(body, dict):
            raise invalid("the body must be a JSON object")
        return body
    return dict(request.form)


def bounded(asked: Doc, name: str, least: int, most: int, otherwise: int) -> int:
    """A whole number among the fields of a request; raises a sentence when it is none or out of bounds."""
    try:
        number = int(asked.get(name, otherwise))
    except (TypeError, ValueError, OverflowError):
        raise invalid(f"{name} is a whole number") from None
    if not least <= number <= most:
        raise invalid(f"{name} is between {least} and {most}")
    return number


def worded(asked: Doc, *names: str) -> None:
    """Refuse fields that are given and are not text."""
    for name in names:
        if not isinstance(asked.get(name, ""), str):
            raise invalid(f"{name} is text")


def answered(body: Any) -> Response:
    """JSON for programs; back to the page for a pressed button."""
    return Response("", 303, {"Location": "/_sim/"}) if request.form.get("page") else as_json(body)


@control.get("/health")
def health() -> Response:
    """Ready, with counts."""
    store: Store = part("store")
    counts = dict(store.read().sql.execute("SELECT object, count(*) FROM objects GROUP BY object").fetchall())
    door: Door = part("door")
    return as_json(
        {"ok": True, "now": int(store.clock.now()), "objects": counts, "violations": len(door.violations),
         "problems": len(part("schedule").problems)}
    )  # fmt: skip


@control.post("/reset")
def reset() -> Response:
    """Forget everything but the endpoint given at start."""
    schedule: Schedule = part("schedule")
    door: Door = part("door")
    door.faults.clear()
    part("courier").drain(5)
    part("courier").mischief.clear()
    part("courier").problems.clear()
    schedule.reset()
    door.log.clear()
    door.violations.clear()
    part("configure")()
    return answered({"ok": True})


@control.get("/clock")
def clock() -> Response:
    """What time it is here."""
    held = part("store").clock
    return as_json(
        {"now": int(held.now()), "offset": 0 if held.frozen else round(held.offset), "frozen": held.frozen}
    )


@control.post("/clock")
def advance() -> Response:
    """Move the clock forward: `advance` seconds, or `to` a unix time, or to an `offset` from real time."""
    asked = given()
    clock = part("store").clock
    try:
        if "to" in asked:
            seconds = int(asked["to"]) - clock.now()
        elif "offset" in asked and not clock.frozen:
            seconds = int(asked["offset"]) - clock.offset
        else:
            seconds = int(asked["advance"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise invalid(
            "say `advance` (seconds), `to` (unix time) or `offset` (seconds from real time)"
        ) from None
    if seconds < -1:
        raise invalid("the clock only goes forward")
    if seconds > LONGEST:
        raise invalid("at most twenty years at once")
    steps = part("schedule").advance(max(0, seconds))
    return answered(
        {"now": int(clock.now()), "offset": 0 if clock.frozen else round(clock.offset), "steps": steps}
    )


@control.post("/fail")
def fail() -> Response:
    """Have the next matching API requests fail; see faults.Fault for the fields."""
    asked = {k: v for k, v in given().items() if k != "page"}
    kinds = {f.name: str(f.type) for f in fields(Fault)}
    unknown = sorted(asked.keys() - kinds.keys())
    if unknown or asked.get("kind") not in KINDS:
        raise invalid(f"unknown fields: {unknown}" if unknown else f"kind must be one of {', '.join(KINDS)}")
    worded(asked, "method", "path")
    asked["times"] = bounded(asked, "times", 0, 1_000_000, Fault.times)
    asked["status"] = bounded(asked, "status", 400, 599, Fault.status)
    asked |= {k: asked[k] in (True, "true", "1") for k in ("should_retry", "executed") if k in asked}
    try:
        asked["seconds"] = float(asked.get("seconds", 0))
    except (TypeError, ValueError):
        raise invalid("seconds is a number") from None
    if not 0 <= asked["seconds"] <= 600:
        raise invalid("seconds is between 0 and 600")
    part("door").faults.order(Fault(**asked))
    return answered({"pending": part("door").faults.listed()})


@control.get("/fail")
def failing() -> Response:
    """The failures still to come."""
    return as_json({"pending": part("door").faults.listed()})


@control.post("/fail/clear")
def clear_failures() -> Response:
    """No more failures."""
    part("door").faults.clear()
    return answered({"pending": []})


@control.post("/events/<identifier>/resend")
def resend_event(identifier: str) -> Response:
    """Deliver an event again, to every endpoint or to the one named."""
    worded(given(), "endpoint")
    courier: Courier = part("courier")
    deliveries = resend(part("store"), courier, identifier, given().get("endpoint"))
    courier.wait(deliveries, 10)
    return answered({"deliveries": deliveries})


@control.get("/deliveries")
def deliveries() -> Response:
    """Deliveries with their attempts, newest first; `event` narrows it to one event."""
    tx = part("store").read()
    event = request.args.get("event")
    rows = tx.sql.execute(
        "SELECT d.id, d.event, d.endpoint, d.state, d.tries, d.next_at, json_extract(o.data, '$.type')"
        " FROM deliveries d JOIN objects o ON o.object = 'event' AND o.id = d.event"
        " WHERE ? IN ('', d.event) ORDER BY d.id DESC LIMIT 200",
        (event or "",),
    ).fetchall()
    names = ("id", "event", "endpoint", "state", "tries", "next_at", "type")
    listed = [dict(zip(names, row, strict=True)) for row in rows]
    for entry in listed:
        tried = tx.sql.execute(
            "SELECT at, status, error, milliseconds, answer FROM attempts WHERE delivery = ? ORDER BY id",
            (entry["id"],),
        )
        keys = ("at", "status", "error", "milliseconds", "answer")
        entry["attempts"] = [dict(zip(keys, row, strict=True)) for row in tried]
    return as_json({"deliveries": listed})


@control.post("/payment_intents/<identifier>/resolve")
def resolve(identifier: str) -> Response:
    """Have the bank answer a delayed payment now: `outcome` succeeds or fails."""
    with part("store").write() as tx:
        tx.base_url = request.host_url.rstrip("/")
        intent = tx.find("payment_intent", identifier)
        if intent["status"] != "processing":
            raise invalid(f"nothing is on its way: the status is {intent['status']}")
        payments.resolve_debit(tx, intent, succeeded=given().get("outcome", "succeeds") == "succeeds")
        waiting = tx.deliveries
    part("courier").wait(waiting, 10)
    return answered(shown(intent))


@control.get("/settings")
def settings_now() -> Response:
    """What the Dashboard would say of retries, their end and reminders."""
    return as_json(settings.every(part("store").read()))


@control.post("/settings")
def change_settings() -> Response:
    """Change `dunning_retries`, `dunning_end` or `upcoming_days`."""
    with part("store").write() as tx:
        return answered(settings.change(tx, given()))


@control.post("/settle")
def settle() -> Response:
    """Do now what is a moment away: fees of charges already made."""
    return answered({"steps": part("schedule").advance(1)})


@control.get("/requests")
def requests() -> Response:
    """API requests in order, as they were understood; filters: method, path (prefix), idempotency_key."""
    wanted = {k: request.args[k] for k in ("method", "idempotency_key") if k in request.args}
    prefix = request.args.get("path", "")
    found = [
        entry
        for entry in list(part("door").log)
        if all(entry[k] == v for k, v in wanted.items()) and entry["path"].startswith(prefix)
    ]
    return as_json({"requests": found})


@control.get("/violations")
def violations() -> Response:
    """Answers that departed from the SDK's shapes (with --check), failures of the simulator itself."""
    problems = part("schedule").problems + part("courier").problems
    return as_json({"violations": part("door").violations, "problems": problems})


@control.get("/objects/<name>")
def objects(name: str) -> Response:
    """Objects of one kind as they are stored, newest first; `id` for one of them."""
    if name not in RESOURCES:
        raise invalid(f"no such kind of object: {name}")
    tx = part("store").read()
    wanted = request.args.get("id")
    if wanted:
        doc = tx.find(name, wanted)
        return as_json(doc)
    return as_json({"data": [doc for _, doc in zip(range(100), tx.scan(name), strict=False)]})
