"""Previews: something is really done, looked at, and taken back."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from app.simulator.registry import Doc
from app.simulator.transaction import Transaction, shown

# How a preview with a subscription is made: `(tx, params, customer)` drafts and returns the invoice, which is then taken
# back. Subscriptions add themselves here.
SUBSCRIBED: list[Callable[[Transaction, Doc, Doc], Doc]] = []


def rehearsed(tx: Transaction, play: Callable[[], Doc]) -> Doc:
    """What `play` answers, with everything it wrote taken back: how previews are made. Documents read before the
    call must be read again after it."""
    tx.flush()
    events, deliveries = list(tx.events), list(tx.deliveries)
    tx.sql.execute("SAVEPOINT rehearsal")
    try:
        result: Doc = orjson.loads(orjson.dumps(shown(play())))
    finally:
        tx.sql.execute("ROLLBACK TO rehearsal")
        tx.sql.execute("RELEASE rehearsal")
        tx.abandon()
        tx.events.extend(events)
        tx.deliveries.extend(deliveries)
    return result


def as_preview(invoice: Doc) -> Doc:
    """A rehearsed invoice as `create_preview` shows it: with ids that lead nowhere."""
    identifier = f"upcoming_{invoice['id']}"
    data = [
        x | {"id": x["id"].replace("il_", "il_tmp_"), "invoice": identifier} for x in invoice["lines"]["data"]
    ]
    lines = invoice["lines"] | {"data": data, "url": f"/v1/invoices/{identifier}/lines"}
    return invoice | {"id": identifier, "lines": lines}
