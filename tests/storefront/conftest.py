"""A stocked shop and one visitor of it, whose orders are made by the rules themselves."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.crypto import token_hash
from app.extensions import db
from app.models import Order
from tests.billing import sessions
from tests.infra.html import Element
from tests.infra.shop import ClientRequest, filled

VISITOR = "the visitor's own secret"

PlaceOrder = Callable[..., str]


@pytest.fixture
def shop(app: Flask) -> Flask:
    """The application with the sample catalogue on sale."""
    with app.app_context():
        sessions.stock_shop()
    return app


@pytest.fixture
def visitor(shop: Flask, client: FlaskClient) -> ClientRequest:
    """A browser that has been here before."""
    with client.session_transaction() as session:
        session["visitor"] = VISITOR
    return ClientRequest(client)


@pytest.fixture
def place(shop: Flask) -> PlaceOrder:
    """`place("field-guide-eur-v1", 2, state="expired")`: an open order of the visitor, changed so; its id."""

    def place(price: str = "field-guide-eur-v1", quantity: int = 1, **changes: Any) -> str:
        with shop.test_request_context():
            order = sessions.open_order(price, quantity, token_hash(VISITOR))
            for name, value in changes.items():
                setattr(order, name, value)
            db.session.commit()
            return order.public_id

    return place


@pytest.fixture
def settle(shop: Flask) -> Callable[..., None]:
    """`settle(order_id)`: the order's session came back paid, with `changes` to it."""
    from app.billing import payments, settlement

    def settle(public_id: str, **changes: Any) -> None:
        with shop.test_request_context():
            order = db.session.scalars(db.select(Order).where(Order.public_id == public_id)).one()
            settlement.settle(sessions.session_of(order, **changes), actor="stripe")
            if order.payments:
                payments.sync_charge(sessions.charge_of(order), actor="stripe")
            db.session.commit()

    return settle


def sent(page: Element) -> dict[str, str]:
    """What the offer's form would send: its own fields and those that name it from elsewhere."""
    outside = {field["name"]: field["value"] for field in page.select("input[form=pay]")}
    return {**filled(page.one("form#pay")), **outside}
