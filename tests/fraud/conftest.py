"""A stocked shop without Stripe, and buyers whose address and browser a test chooses."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import scoped_session
from werkzeug.test import TestResponse

from app.extensions import db
from app.gateway import client as stripe_client
from tests.billing.sessions import stock_shop
from tests.infra import html
from tests.infra.shop import filled

Press = Callable[..., TestResponse]


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    # Nobody listens there: an order is placed and screened before Stripe is asked.
    return {**environ, "STRIPE_API_BASE": "http://127.0.0.1:9", "LOG_LEVEL": "ERROR"}


@pytest.fixture
def shop(db_session: scoped_session) -> scoped_session:
    """The database session of a stocked shop."""
    stock_shop()
    return db_session


@pytest.fixture
def press(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Press:
    """Open an offer and press its button, from `address` with further request headers; the answer.

    503 says that the order stands and Stripe did not answer. Each press is another browser's.
    """
    monkeypatch.setattr(stripe_client, "RETRIES", 0)

    def visit(address: str, path: str, headers: dict[str, Any]) -> TestResponse:
        visitor = app.test_client()
        place = {"REMOTE_ADDR": address}
        page = html.parse(visitor.get(path, environ_overrides=place).get_data(as_text=True))
        form = page.one("form[method=post][action^=/checkout]")
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return visitor.post(form["action"], data=filled(form), headers=sent, environ_overrides=place)

    def press(
        address: str = "198.51.100.7", path: str = "/offers/field-guide", **headers: Any
    ) -> TestResponse:
        # In a context of its own: an application context that is open already would be every request's.
        db.session.commit()
        return Context().run(visit, address, path, headers)

    return press
