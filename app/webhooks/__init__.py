"""Stripe's door: verify the raw bytes, store the event, answer. What an event means is billing/events.py's."""

from __future__ import annotations

from typing import Any

import orjson
import structlog
from flask import Blueprint, Response, current_app, jsonify, request
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.billing import events
from app.extensions import db, limiter
from app.gateway import RefusedSignature, verify
from app.models import QueueState, WebhookEvent
from app.tasks import insert_or_ignore

GUARD = "signature"
blueprint = Blueprint("webhooks", __name__)
log = structlog.get_logger("webhooks")

MAX_BODY = 1024 * 1024
FORGED = "30/minute"  # per address; only refused requests count, so that genuine ones never starve


@blueprint.post("/webhooks/stripe")
def stripe() -> tuple[Response, int]:
    """Store one signed event: 200 once it is committed, 400 for anything Stripe did not sign, 500 to be sent again.

    Page: https://docs.stripe.com/webhooks
    """
    settings = current_app.config["SETTINGS"]
    request.max_content_length = MAX_BODY
    body = request.get_data(cache=False)
    try:
        verify(
            body,
            request.headers.get("Stripe-Signature", ""),
            settings.stripe_webhook_secrets,
            tolerance=settings.webhook_tolerance,
        )
        event = _parse(body)
    except (RefusedSignature, UnreadableEvent) as error:
        log.warning("webhook_refused", reason=str(error))
        with limiter.limit(FORGED):
            return jsonify(error="Webhook signature verification failed"), 400
    try:
        _store(event, body, livemode=settings.livemode)
        db.session.commit()
    except SQLAlchemyError:
        db.session.rollback()
        log.exception("webhook_not_stored", event_id=event["id"])
        return jsonify(error="Webhook processing failed"), 500
    return jsonify(received=True), 200


class UnreadableEvent(ValueError):
    """Signed, but not a snapshot event."""


def _parse(body: bytes) -> dict[str, Any]:
    try:
        event = orjson.loads(body)
        if event["object"] != "event" or not isinstance(event["data"]["object"], dict):
            raise UnreadableEvent("not a snapshot event")
        if not (isinstance(event["id"], str) and isinstance(event["type"], str)):
            raise UnreadableEvent("an event without id or type")
        int(event["created"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise UnreadableEvent("not an event") from error
    return dict(event)


def _store(event: dict[str, Any], body: bytes, *, livemode: bool) -> None:
    """Insert or ignore. What is of another mode or account is kept and flagged, never applied."""
    foreign = bool(event.get("livemode")) is not livemode or event.get("account") is not None
    now = clock.now()
    db.session.execute(
        insert_or_ignore(WebhookEvent).values(
            stripe_event_id=event["id"],
            type=event["type"][:128],
            object_key=events.object_key(event),
            account=event.get("account"),
            livemode=bool(event.get("livemode")),
            api_version=event.get("api_version"),
            created=int(event["created"]),
            payload=body,
            state=QueueState.REFUSED if foreign else QueueState.WAITING,
            priority=50,
            run_at=now,
            queued_at=now,
            attempts=0,
        )
    )
