"""Events: /v1/events, the last 30 days of them."""

from __future__ import annotations

from app.simulator.errors import missing
from app.simulator.listing import page
from app.simulator.registry import Doc, Resource, route
from app.simulator.transaction import Transaction

event = Resource("event", "evt_", index=("type",), absent=frozenset({"account", "context"}))
REACH = 30 * 86400


def counted(tx: Transaction, doc: Doc) -> Doc:
    """The event with the number of endpoints that have not taken it yet."""
    (waiting,) = tx.sql.execute(
        "SELECT count(*) FROM deliveries WHERE event = ? AND state = 'pending'", (doc["id"],)
    ).fetchone()
    return doc | {"pending_webhooks": waiting}


@route("GET", "/v1/events/{id}")
def retrieve(tx: Transaction, params: Doc, id: str) -> Doc:
    """One event."""
    doc = tx.get("event", id)
    if doc is None or doc["created"] < tx.now - REACH:
        raise missing("event", id)
    return counted(tx, doc)


@route("GET", "/v1/events")
def listed(tx: Transaction, params: Doc) -> Doc:
    """Events newest first, by type, time and by whether every endpoint has taken them."""
    types, success = params.pop("types", None), params.pop("delivery_success", None)
    kind = params.get("type")
    if kind and kind.endswith(".*"):
        params.pop("type")

    def keep(doc: Doc) -> bool:
        return (
            doc["created"] >= tx.now - REACH
            and (types is None or doc["type"] in types)
            and (not (kind and kind.endswith(".*")) or doc["type"].startswith(kind[:-1]))
            and (success is None or _delivered(tx, doc) is success)
        )

    answer = page(tx, "event", params, "/v1/events", keep=keep)
    answer["data"] = [counted(tx, doc) for doc in answer["data"]]
    return answer


def _delivered(tx: Transaction, doc: Doc) -> bool:
    (failed,) = tx.sql.execute(
        "SELECT count(*) FROM deliveries WHERE event = ? AND state <> 'delivered'", (doc["id"],)
    ).fetchone()
    return bool(failed == 0)
