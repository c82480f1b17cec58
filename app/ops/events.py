"""Webhook events: their state, their payload without what is personal, and the replay button."""

from __future__ import annotations

from typing import Any

import orjson
from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import Select, or_
from werkzeug.wrappers import Response

from app import audit
from app.billing import events as billing_events
from app.extensions import db
from app.guards import staff
from app.models import QueueState, WebhookEvent
from app.ops.door import actor, blueprint, chosen, page_of

PERSONAL = frozenset(
    {"email", "name", "phone", "address", "customer_details", "billing_details", "shipping", "receipt_email", "individual_name", "business_name"}
)  # fmt: skip


@blueprint.get("/events")
def events() -> str:
    state = chosen("state", tuple(QueueState))
    words = request.args.get("q", "").strip()[:200]
    page = page_of(WebhookEvent, lambda query: _search(query, words, state))
    return render_template("ops/events.html", page=page, q=words, state=state, states=tuple(QueueState))


def _search(query: Select[Any], words: str, state: str) -> Select[Any]:
    """By event id, object id or type."""
    if state:
        query = query.where(WebhookEvent.state == state)
    if words:
        query = query.where(
            or_(
                WebhookEvent.stripe_event_id == words,
                WebhookEvent.object_key == words,
                WebhookEvent.type == words,
            )
        )
    return query


@blueprint.get("/events/<event_id>")
def event(event_id: str) -> str:
    found = billing_events.find(event_id) or abort(404)
    body = without_personal(orjson.loads(found.payload))
    return render_template("ops/event.html", event=found, body=body)


@blueprint.post("/events/<event_id>/replay")
@staff("operator")
def replay(event_id: str) -> Response:
    """Apply the event anew; what it already did is not done twice."""
    found = billing_events.find(event_id) or abort(404)
    if found.state == QueueState.REFUSED:
        flash(_("This event is of another account or mode and is never applied."), "bad")
    else:
        billing_events.replay(found)
        audit.record("event.replay", event_id, actor=actor())
        db.session.commit()
        flash(_("The event waits to be applied again."), "good")
    return redirect(url_for("ops.event", event_id=event_id), 303)


def without_personal(value: Any) -> Any:
    """The payload with personal fields blanked: staff see them on the order, where they belong."""
    if isinstance(value, dict):
        return {
            key: "[personal]" if key in PERSONAL and item is not None else without_personal(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [without_personal(item) for item in value]
    return value
