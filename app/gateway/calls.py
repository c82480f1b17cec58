"""Calls that change something at Stripe: stored as an intent, committed, sent, their outcome recorded."""

from __future__ import annotations

from typing import Any

import stripe
import structlog
from sqlalchemy import select

from app import clock
from app.extensions import db, leave_transaction
from app.gateway.client import method, plain
from app.gateway.errors import StripeFailure, translate
from app.models.stripe_call import CallState, StripeCall

log = structlog.get_logger("gateway")


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

    Safe to repeat: the idempotency key makes Stripe answer the same. Refuses to run inside a transaction.
    Raises StripeFailure; the call's state then says whether Stripe refused (failed) or never answered (unknown).
    """
    leave_transaction()
    _note(call, state=CallState.SENT, sent_at=clock.now())
    target = [call.object_id] if call.object_id else []
    try:
        answer = method(call.operation)(
            *target, params=call.parameters, options={"idempotency_key": call.idempotency_key}
        )
    except stripe.StripeError as error:
        failure = translate(error)
        _record_failure(call, failure)
        raise failure from error
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
