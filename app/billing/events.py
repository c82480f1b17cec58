"""Events: the handler table, type → verb, and how stored events are applied. `webhooks/` only stores them.

The types we subscribe to at Stripe are this table's keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from sqlalchemy import select

from app import gateway, queue
from app.billing import payments, settlement, sync
from app.extensions import db
from app.models import HistoryEntry, Order, Payment, QueueState, WebhookEvent

log = structlog.get_logger("events")

Subject = Order | Payment | None
BATCH = 50


@dataclass(frozen=True)
class Handler:
    """The verb that mirrors the object, and how to fetch the object anew."""

    verb: Callable[[dict[str, Any]], Subject]
    retrieve: str


def _session(session: dict[str, Any]) -> Subject:
    return settlement.settle(session, actor="stripe")


def _session_failed(session: dict[str, Any]) -> Subject:
    return settlement.settle(session, actor="stripe", async_failed=True)


def _intent(intent: dict[str, Any]) -> Subject:
    return payments.sync_intent(intent, actor="stripe")


def _charge(charge: dict[str, Any]) -> Subject:
    return payments.sync_charge(charge, actor="stripe")


SESSION = "checkout.sessions.retrieve"
HANDLERS: dict[str, Handler] = {
    "checkout.session.completed": Handler(_session, SESSION),
    "checkout.session.async_payment_succeeded": Handler(_session, SESSION),
    "checkout.session.async_payment_failed": Handler(_session_failed, SESSION),
    "checkout.session.expired": Handler(_session, SESSION),
    **{
        f"payment_intent.{what}": Handler(_intent, "payment_intents.retrieve")
        for what in ("succeeded", "payment_failed", "processing", "requires_action", "canceled")
    },
    **{
        f"charge.{what}": Handler(_charge, "charges.retrieve")
        for what in ("succeeded", "failed", "updated", "pending")
    },
}


@dataclass
class Lease:
    """One claimed event on its way: what it says, and the answer fetched for it if its own word is too old."""

    row_id: int
    attempts: int
    type: str
    object_key: str
    created: int
    ticket: int | None = None
    answer: dict[str, Any] | None = None
    failure: Exception | None = None


def work(worker: str, limit: int = BATCH) -> int:
    """Claim stored events, fetch where a payload is not fresh enough, apply all in one commit."""
    leases = [
        Lease(row.id, row.attempts, row.type, row.object_key, row.created)
        for row in queue.claim(WebhookEvent, limit, worker)
    ]
    known = sync.ages([lease.object_key for lease in leases])
    for lease in leases:
        if lease.type in HANDLERS and lease.created <= known.get(lease.object_key, -1):
            lease.ticket = sync.take_ticket(lease.object_key)
    db.session.commit()
    _fetch(leases)
    for lease in leases:
        _apply(lease, worker)
    db.session.commit()
    return len(leases)


def _fetch(leases: list[Lease]) -> None:
    """With no transaction open, ask Stripe for the present state of what needs it. Once Stripe does not answer,
    the rest is not asked for: a lease does not last through fifty time-outs.
    """
    silence: gateway.StripeFailure | None = None
    for lease in leases:
        if lease.ticket is None:
            continue
        try:
            if silence is not None:
                raise silence
            lease.answer = gateway.fetch(HANDLERS[lease.type].retrieve, lease.object_key)
        except gateway.StripeFailure as failure:
            lease.failure = failure
            silence = failure if failure.retryable else silence


def _apply(lease: Lease, worker: str) -> None:
    """Apply one event in its own savepoint, so that its failure is its own."""
    row = queue.held(WebhookEvent, lease.row_id, worker, lease.attempts)
    if row is None:
        return
    try:
        if lease.failure is not None:
            raise lease.failure
        with db.session.begin_nested():
            handled = _handle(lease, row)
        queue.finish(row, QueueState.DONE if handled else QueueState.IGNORED)
    except Exception as error:
        log.warning("event_failed", event_id=row.stripe_event_id, type=row.type, error=type(error).__name__)
        queue.put_back(row, error)


def _handle(lease: Lease, row: WebhookEvent) -> bool:
    handler = HANDLERS.get(lease.type)
    if handler is None:
        log.info("event_ignored", event_id=row.stripe_event_id, type=lease.type)
        return False
    if lease.ticket is not None and lease.answer is not None:
        if not sync.admit(lease.object_key, lease.ticket, as_of=lease.created):
            return True
        subject = handler.verb(lease.answer)
    elif sync.admit_payload(lease.object_key, lease.created):
        subject = handler.verb(orjson.loads(row.payload)["data"]["object"])
    else:
        raise queue.Later("the object was brought up to date meanwhile; ask for it anew")
    _note(subject, lease.type, row.stripe_event_id)
    return subject is not None


def _note(subject: Subject, event_type: str, event_id: str) -> None:
    order = subject.order if isinstance(subject, Payment) else subject
    if order is not None:
        HistoryEntry.write(order, "event", subject=event_id, actor="stripe", data={"type": event_type})


def replay(event: WebhookEvent) -> None:
    """Apply a stored event anew, as the operator asks; every effect's business key keeps it from doubling."""
    queue.revive(event)


def object_key(event: dict[str, Any]) -> str:
    """What orders an event among others: its object's id."""
    target = event["data"]["object"]
    return str(target.get("id") or event["id"])


def find(stripe_event_id: str) -> WebhookEvent | None:
    return db.session.scalar(select(WebhookEvent).where(WebhookEvent.stripe_event_id == stripe_event_id))
