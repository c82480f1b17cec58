"""A shop with orders and staff, each at their own browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from flask import Flask

from tests.account.people import signed_in
from tests.billing.sessions import open_order, session_of, stock_shop
from tests.infra.shop import ClientRequest

SignIn = Callable[[str | None], ClientRequest]


@pytest.fixture
def shop(app: Flask) -> Flask:
    """The application with a stocked catalogue. No context is left open: each request has its own."""
    with app.app_context():
        stock_shop()
    return app


@pytest.fixture
def sign_in(app: Flask) -> SignIn:
    """A browser in which somebody of that staff role has signed in; None for a customer."""
    return lambda role: signed_in(app, role)


@pytest.fixture
def operator(shop: Flask) -> Iterator[ClientRequest]:
    yield signed_in(shop, "operator")


def settled(app: Flask, **changes: Any) -> str:
    """An order whose session came back paid, with `changes` to what was agreed; its public id."""
    from app.billing import settlement
    from app.extensions import db, mean_to_write

    with app.app_context():
        mean_to_write()
        order = open_order(visitor=changes.pop("visitor", "visitor"))
        settlement.settle(session_of(order, **changes), actor="stripe")
        db.session.commit()
        return order.public_id


@pytest.fixture
def held(shop: Flask) -> str:
    """An order of 29.00 that was paid with 20.00."""
    return settled(shop, amount_total=2000)


def stored_event(app: Flask, **changes: Any) -> str:
    """A webhook event as it lies in the inbox; its id."""
    from app import clock
    from app.extensions import db, mean_to_write
    from app.models import WebhookEvent

    body = changes.pop("body", {"id": "evt_1", "type": "charge.updated", "data": {"object": {"id": "ch_1"}}})
    with app.app_context():
        mean_to_write()
        values = {
            "stripe_event_id": "evt_1",
            "type": "charge.updated",
            "object_key": "ch_1",
            "livemode": False,
            "created": clock.timestamp(),
            "payload": orjson.dumps(body),
        }
        event = WebhookEvent(**{**values, **changes})
        db.session.add(event)
        db.session.commit()
        return event.stripe_event_id
