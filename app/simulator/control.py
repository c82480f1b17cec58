"""The control surface `/_sim/`: what a test, a demo or a person turns to make things happen. Not part of Stripe."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import orjson
from flask import Blueprint, Response, current_app, render_template, request

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


def _part(name: str) -> Any:
    return current_app.extensions[name]


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body, option=orjson.OPT_INDENT_2), status, mimetype="application/json")


@control.before_request
def _same_site() -> Response | None:
    """A page on the internet must not be able to turn these knobs."""
    if request.method == "POST" and request.headers.get("Sec-Fetch-Site", "none") not in (
        "none",
        "same-origin",
    ):
        return _json({"error": "only this page and local programs may do that"}, 403)
    return None


@control.errorhandler(StripeError)
def _refused(error: StripeError) -> Response:
    return _json({"error": error.message}, error.status)


def _given() -> Doc:
    """The JSON or form fields of a request."""
    if request.is_json:
        body = request.get_json(silent=True)
        if not isinstance(body, dict):
            raise invalid("the body must be a JSON object")
        return body
    return dict(request.form)


def _answer(body: Any) -> Response:
    """JSON for programs; back to the page for a pressed button."""
    return Response("", 303, {"Location": "/_sim/"}) if request.form.get("page") else _json(body)


@control.get("/health")
def health() -> Response:
    """Ready, with counts."""
    store: Store = _part("store")
    counts = dict(store.read().sql.execute("SELECT object, count(*) FROM objects GROUP BY object").fetchall())
    door: Door = _part("door")
    return _json(
        {"ok": True, "now": int(store.clock.now()), "objects": counts, "violations": len(door.violations),
         "problems": len(_part("schedule").problems)}
    )  # fmt: skip


@control.post("/reset")
def reset() -> Response:
    """Forget everything but the endpoint given at start."""
    schedule: Schedule = _part("schedule")
    door: Door = _part("door")
    door.faults.clear()
    _part("courier").drain(5)
    schedule.reset()
    door.log.clear()
    door.violations.clear()
    _part("configure")()
    return _answer({"ok": True})


@control.get("/clock")
def clock() -> Response:
    """What time it is here."""
    held = _part("store").clock
    return _json(
        {"now": int(held.now()), "offset": 0 if held.frozen else round(held.offset), "frozen": held.frozen}
    )


@control.post("/clock")
def advance() -> Response:
    """Move the clock forward: `advance` seconds, or `to` a unix time, or to an `offset` from real time."""
    given = _given()
    clock = _part("store").clock
    try:
        if "to" in given:
            seconds = int(given["to"]) - clock.now()
        elif "offset" in given and not clock.frozen:
            seconds = int(given["offset"]) - clock.offset
        else:
            seconds = int(given["advance"])
    except (KeyError, TypeError, ValueError):
        raise invalid(
            "say `advance` (seconds), `to` (unix time) or `offset` (seconds from real time)"
        ) from None
    if seconds < -1:
        raise invalid("the clock only goes forward")
    if seconds > LONGEST:
        raise invalid("at most twenty years at once")
    steps = _part("schedule").advance(max(0, seconds))
    return _answer(
        {"now": int(clock.now()), "offset": 0 if clock.frozen else round(clock.offset), "steps": steps}
    )


@control.post("/fail")
def fail() -> Response:
    """Have the next matching API requests fail; see faults.Fault for the fields."""
    given = {k: v for k, v in _given().items() if k != "page"}
    kinds = {f.name: str(f.type) for f in fields(Fault)}
    unknown = sorted(given.keys() - kinds.keys())
    if unknown or given.get("kind") not in KINDS:
        raise invalid(f"unknown fields: {unknown}" if unknown else f"kind must be one of {', '.join(KINDS)}")
    try:
        for key in ("times", "status"):
            given[key] = int(given.get(key, Fault.times if key == "times" else Fault.status))
        given["seconds"] = float(given.get("seconds", 0))
    except (TypeError, ValueError):
        raise invalid("times and status are whole numbers, seconds is a number") from None
    _part("door").faults.order(Fault(**given))
    return _answer({"pending": _part("door").faults.listed()})


@control.get("/fail")
def failing() -> Response:
    """The failures still to come."""
    return _json({"pending": _part("door").faults.listed()})


@control.post("/fail/clear")
def clear_failures() -> Response:
    """No more failures."""
    _part("door").faults.clear()
    return _answer({"pending": []})


@control.post("/events/<identifier>/resend")
def resend_event(identifier: str) -> Response:
    """Deliver an event again, to every endpoint or to the one named."""
    courier: Courier = _part("courier")
    deliveries = resend(_part("store"), courier, identifier, _given().get("endpoint"))
    courier.wait(deliveries, 10)
    return _answer({"deliveries": deliveries})


@control.get("/deliveries")
def deliveries() -> Response:
    """Deliveries with their attempts, newest first; `event` narrows it to one event."""
    tx = _part("store").read()
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
    return _json({"deliveries": listed})


@control.post("/payment_intents/<identifier>/resolve")
def resolve(identifier: str) -> Response:
    """Have the bank answer a delayed payment now: `outcome` succeeds or fails."""
    with _part("store").write() as tx:
        tx.base_url = request.host_url.rstrip("/")
        intent = tx.find("payment_intent", identifier)
        if intent["status"] != "processing":
            raise invalid(f"nothing is on its way: the status is {intent['status']}")
        payments.resolve_debit(tx, intent, succeeded=_given().get("outcome", "succeeds") == "succeeds")
        waiting = tx.deliveries
    _part("courier").wait(waiting, 10)
    return _answer(shown(intent))


@control.post("/settle")
def settle() -> Response:
    """Do now what is a moment away: fees of charges already made."""
    return _answer({"steps": _part("schedule").advance(1)})


@control.get("/requests")
def requests() -> Response:
    """API requests in order, as they were understood; filters: method, path (prefix), idempotency_key."""
    wanted = {k: request.args[k] for k in ("method", "idempotency_key") if k in request.args}
    prefix = request.args.get("path", "")
    found = [
        entry
        for entry in list(_part("door").log)
        if all(entry[k] == v for k, v in wanted.items()) and entry["path"].startswith(prefix)
    ]
    return _json({"requests": found})


@control.get("/violations")
def violations() -> Response:
    """Answers that departed from the SDK's shapes (with --check), failures of the simulator itself."""
    return _json({"violations": _part("door").violations, "problems": _part("schedule").problems})


@control.get("/objects/<name>")
def objects(name: str) -> Response:
    """Objects of one kind as they are stored, newest first; `id` for one of them."""
    if name not in RESOURCES:
        raise invalid(f"no such kind of object: {name}")
    tx = _part("store").read()
    wanted = request.args.get("id")
    if wanted:
        doc = tx.find(name, wanted)
        return _json(doc)
    return _json({"data": [doc for _, doc in zip(range(100), tx.scan(name), strict=False)]})


@control.get("/")
def index() -> Response:
    """The page for people: clock, events with their deliveries, objects."""
    tx = _part("store").read()
    events = [doc for _, doc in zip(range(60), tx.scan("event"), strict=False)]
    marks = {}
    for event in events:
        marks[event["id"]] = tx.sql.execute(
            "SELECT d.state, d.tries, a.status, a.error, d.next_at FROM deliveries d LEFT JOIN attempts a ON a.id ="
            " (SELECT max(id) FROM attempts WHERE delivery = d.id) WHERE d.event = ? ORDER BY d.id",
            (event["id"],),
        ).fetchall()
    counts = tx.sql.execute("SELECT object, count(*) FROM objects GROUP BY object ORDER BY object").fetchall()
    body = render_template(
        "simulator/log.html", events=events, marks=marks, counts=counts, now=tx.now, faults=_part("door").faults.listed(),
        requests=list(_part("door").log)[-30:][::-1], merchant=str(current_app.config["MERCHANT"]),
        endpoints=list(tx.scan("webhook_endpoint")),
    )  # fmt: skip
    response = Response(body)
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    )
    return response
