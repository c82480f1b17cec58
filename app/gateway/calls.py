"""Calls that change something at Stripe: stored as an intent, committed, sent, their outcome recorded."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import select

from app import clock
from app.extensions import db, leave_transaction
from app.gateway.client import ask, fetch, plain
from app.gateway.errors import StripeFailure, TooLate
from app.models.stripe_call import CallState, StripeCall

log = structlog.get_logger("gateway")

# Stripe forgets a key 24 hours after its first use; sent after that, the same call would be done twice.
REPEATABLE_FOR = timedelta(hours=23)


def prepare(
    operation: str, parameters: dict[str, Any], *, idempotency_key: str, object_id: str | None = None
) -> StripeCall:
    """Write the intent into the caller's transaction; the same key gives the same stored call back."""
    known = db.session.scalar(select(StripeCall).where(StripeCall.idempotency_key == idempotency_key))
    if known is not None:
        return known
    call = StripeCall(
        operation=operation, object_id=object_id, parameters=parameters, idempotency_key=idempotency_key
    )
    db.session.add(call)
    return call


def perform(call: StripeCall) -> dict[str, Any]:
    """Send a stored call, record its outcome (both committed) and return Stripe's object.

    Safe to repeat: the idempotency key makes Stripe answer the same. Once Stripe may have forgotten the key the
    object is read instead, or TooLate raised where it is not known. Refuses to run inside a transaction. Raises
    StripeFailure; the call's state then says whether Stripe refused (failed) or never answered (unknown).
    """
    leave_transaction()
    # Read before the commit below: reading later would begin a transaction, open for as long as Stripe takes.
    operation, parameters, key = call.operation, call.parameters, call.idempotency_key
    target = [call.object_id] if call.object_id else []
    now = clock.now()
    first_sent = call.sent_at if call.sent_at and call.state != CallState.FAILED else now
    if now - first_sent > REPEATABLE_FOR:
        return _known_result(call)
    _note(call, state=CallState.SENT, sent_at=first_sent)
    try:
        answer = ask(operation, *target, params=parameters, options={"idempotency_key": key})
    except StripeFailure as failure:
        _record_failure(call, failure)
        raise
    result = plain(answer)
    _note(
        call,
        state=CallState.DONE,
        result_id=result.get("id"),
        finished_at=clock.now(),
        error=None,
        request_id=getattr(answer.last_response, "request_id", None),
    )
    return result


def _known_result(call: StripeCall) -> dict[str, Any]:
    if call.state != CallState.DONE or call.result_id is None:
        db.session.rollback()
        raise TooLate(raw=f"{call.operation} was sent over 23 hours ago; look for what it made at Stripe")
    return fetch(call.operation.rpartition(".")[0] + ".retrieve", call.result_id)


def _record_failure(call: StripeCall, failure: StripeFailure) -> None:
    log.warning(
        "stripe_call_failed",
        operation=call.operation,
        code=failure.code,
        stripe_code=failure.stripe_code,
        stripe_request_id=failure.request_id,
    )
    _note(
        call,
        state=CallState.FAILED if failure.definite else CallState.UNKNOWN,
        error=failure.raw,
        request_id=failure.request_id,
        finished_at=clock.now(),
    )


def _note(call: StripeCall, **changes: Any) -> None:
    for name, value in changes.items():
        setattr(call, name, value)
    db.session.commit()
