"""Webhook events: their state, their payload without what is personal, and the replay button."""

from __future__ import annotations

import re
from typing import Any

import orjson
from flask import abort, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from sqlalchemy import Select, or_, select
from werkzeug.wrappers import Response

from app import audit, clock
from app.billing import events as billing_events
from app.extensions import db
from app.guards import staff
from app.models import Order, Payment, QueueState, WebhookEvent
from app.ops.door import actor, blueprint, chosen, page_of, sought

# Fields of Stripe's objects that are, or hold, who somebody is: by their whole name or by its last word.
PERSONAL = frozenset(
    {"name", "customer_details", "customer_name", "customer_shipping", "billing_details", "shipping", "shipping_details", "collected_information", "custom_fields", "individual_name", "business_name", "owner", "tax_ids", "customer_tax_ids", "evidence", "verification", "signature"}
)  # fmt: skip
PERSONAL_END = re.compile(r"(?:^|_)(?:email|email_address|phone|address|ip|fingerprint)$")
SECRET = frozenset({"client_secret", "secret"})


@blueprint.get("/events")
def events() -> str:
    state = chosen("state", tuple(QueueState))
    words = sought()
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
    return render_template(
        "ops/event.html",
        event=found,
        body=without_personal(orjson.loads(found.payload)),
        created=clock.from_timestamp(found.created),
        order=_order_of(found.object_key),
    )


def _order_of(object_key: str) -> Order | None:
    """The order whose session, payment or charge this is."""
    by_payment = select(Payment.order_id).where(
        or_(Payment.stripe_payment_intent_id == object_key, Payment.stripe_charge_id == object_key)
    )
    return db.session.scalar(
        select(Order)
        .where(or_(Order.stripe_checkout_session_id == object_key, Order.id.in_(by_payment)))
        .limit(1)
    )


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
        return {key: item if item is None else _shown(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_personal(item) for item in value]
    return value


def _shown(key: str, item: Any) -> Any:
    if key in SECRET:
        return "[secret]"
    return "[personal]" if key in PERSONAL or PERSONAL_END.search(key) else without_personal(item)
