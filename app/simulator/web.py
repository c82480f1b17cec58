"""The simulator as one Flask app: the API, the hosted pages and the control surface over one store."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from app.money import Money, format_money
from app.simulator import (
    contract,
    faults,
    front,  # noqa: F401 - each registers its part of the control surface
    interception,  # noqa: F401
    keeping,  # noqa: F401
    resources,  # noqa: F401 - registers every resource
    staging,  # noqa: F401
)
from app.simulator.control import control
from app.simulator.delivery import Courier
from app.simulator.door import Answer, Call, Door
from app.simulator.faults import Faults
from app.simulator.invoice_pages import invoice_pages
from app.simulator.pages import pages
from app.simulator.portal_pages import portal_pages
from app.simulator.resources.webhook_endpoints import new_endpoint
from app.simulator.schedule import Schedule
from app.simulator.store import Store
from app.simulator.transaction import Transaction, shown

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    """How this Stripe is set up. `seed` makes identifiers repeat; `start` is a
    time that stands still until it is moved; `check` holds every answer against the
    SDK's shapes; `webhook` is an address and its secret that exist from the start."""

    database: str = "var/simulator.db"
    seed: str | None = None
    start: int | None = None
    merchant: str = "Sample merchant"
    base_url: str = "http://127.0.0.1:4242"
    webhook: tuple[str, str] | None = None
    check: bool = False


def create_simulator(settings: Settings) -> Flask:
    """The app, with its threads not yet started: call `start` in the process that serves."""
    app = Flask(__name__, root_path=str(ROOT), static_url_path="/static")
    app.config.update(MERCHANT=settings.merchant, MAX_CONTENT_LENGTH=16_000_000)
    store = Store(settings.database, seed=settings.seed, start=settings.start)
    store.base_url = settings.base_url
    courier = Courier(store)
    door = Door(store, Faults(), check=settings.check)
    schedule = Schedule(store, courier)

    def configure() -> None:
        if settings.webhook is None:
            return
        url, secret = settings.webhook
        with store.write() as tx:
            if not any(e["url"] == url for e in tx.scan("webhook_endpoint")):
                new_endpoint(tx, {"url": url, "enabled_events": ["*"]}, secret=secret)

    def look_at(tx: Transaction) -> None:
        for event in tx.events:
            door.violations += [f"event {event['type']}: {p}" for p in contract.answer_problems(shown(event))]

    if settings.check:
        store.after_commit.append(look_at)
    app.extensions |= {
        "store": store, "courier": courier, "door": door, "schedule": schedule, "configure": configure
    }  # fmt: skip
    app.jinja_env.filters |= {"money": _money, "moment": _moment}
    app.jinja_env.globals["_"] = _plain
    for rooms in (pages, portal_pages, invoice_pages):
        app.register_blueprint(rooms)
    app.register_blueprint(control)
    app.add_url_rule("/", "home", _home)
    app.add_url_rule("/v1/<path:rest>", "api", _api(door), methods=["GET", "POST", "DELETE", "PUT", "PATCH"])
    app.before_request(_loopback_names_only)
    app.after_request(_headed)
    app.register_error_handler(HTTPException, _http_error)
    return app


def start(app: Flask) -> Callable[[], None]:
    """Open the store and start delivering and ticking; returns how to stop."""
    store, courier, schedule = (app.extensions[k] for k in ("store", "courier", "schedule"))
    store.open()
    app.extensions["configure"]()
    courier.start()
    schedule.start()

    def stop() -> None:
        schedule.stop()
        courier.stop()
        store.close()

    return stop


def _api(door: Door) -> Callable[[str], Response]:
    def api(rest: str) -> Response:
        call = Call(
            method=request.method,
            path=request.path,
            headers=request.headers,
            raw=b"" if request.method == "GET" else request.get_data(),
            base_url=request.host_url.rstrip("/"),
        )
        if request.method in ("GET", "DELETE") and request.query_string:
            call.raw = request.query_string + (b"&" + call.raw if call.raw else b"")
        try:
            answer = door.answer(call)
        except faults.Dropped:
            faults.cut(request.environ)
            return Response(b"", 502)
        except Exception:
            answer = door.broken(call)
        return _broken_off(call, answer) or Response(
            answer.body, answer.status, answer.headers, content_type="application/json"
        )

    return api


def _broken_off(call: Call, answer: Answer) -> Response | None:
    """The answer as an ordered failure of the network makes it; None when there is none."""
    if call.fault == "html502":
        page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
        return Response(page, 502, content_type="text/html")
    if call.fault == "truncate":
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer.body)}\r\n\r\n"
        )
        faults.cut(request.environ, head.encode() + answer.body[: len(answer.body) // 2])
        return Response(answer.body[: len(answer.body) // 2], 200, content_type="application/json")
    return None


def _home() -> Response:
    return Response("", 303, {"Location": "/_sim/"})


def _loopback_names_only() -> Response | None:
    """A name that was made to point here (DNS rebinding) is not ours to answer to."""
    host = request.host.rsplit(":", 1)[0].strip("[]").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return None
    try:
        if ipaddress.ip_address(host).is_loopback:
            return None
    except ValueError:
        pass
    return Response("This simulator answers on loopback names only.\n", 421, content_type="text/plain")


def _headed(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if not request.path.startswith("/static/"):
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
    return response


def _http_error(error: HTTPException) -> Response:
    return Response(
        f"{error.code} {error.name}\n", error.code or 500, content_type="text/plain; charset=utf-8"
    )


def _money(amount: int, currency: str) -> str:
    return format_money(Money(amount, currency))


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _plain(text: str, **values: object) -> str:
    return text % values if values else text
