"""The page for people at `/_sim/`: clock, buttons, payments, events with their deliveries, objects."""

from __future__ import annotations

from itertools import islice

from flask import Response, current_app, render_template

from app.simulator.control import control, part
from app.simulator.delivery import Courier
from app.simulator.transaction import Transaction

POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"


def _marks(tx: Transaction, event: str) -> list[tuple[object, ...]]:
    return tx.sql.execute(
        "SELECT d.state, d.tries, a.status, a.error, d.next_at FROM deliveries d LEFT JOIN attempts a ON a.id ="
        " (SELECT max(id) FROM attempts WHERE delivery = d.id) WHERE d.event = ? ORDER BY d.id",
        (event,),
    ).fetchall()


@control.get("/")
def index() -> Response:
    """What has happened, and the buttons that make things happen."""
    tx: Transaction = part("store").read()
    courier: Courier = part("courier")
    events = list(islice(tx.scan("event"), 60))
    counts = tx.sql.execute("SELECT object, count(*) FROM objects GROUP BY object ORDER BY object").fetchall()
    body = render_template(
        "simulator/log.html", events=events, marks={e["id"]: _marks(tx, e["id"]) for e in events}, counts=counts,
        now=tx.now, faults=part("door").faults.listed(), mischief=courier.mischief.listed(),
        held=len(courier.mischief.held), requests=list(part("door").log)[-30:][::-1],
        merchant=str(current_app.config["MERCHANT"]), endpoints=list(tx.scan("webhook_endpoint")),
        charges=list(islice(tx.scan("charge", {"paid": True}), 10)),
        disputes=list(islice(tx.scan("dispute", keep=_undecided), 10)), snapshots=part("store").snapshots(),
    )  # fmt: skip
    response = Response(body)
    response.headers["Content-Security-Policy"] = POLICY
    return response


def _undecided(dispute: dict[str, object]) -> bool:
    return dispute["status"] not in ("won", "lost", "warning_closed")
