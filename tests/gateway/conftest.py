"""The application in this process, talking through the unmodified SDK to a simulator process of this room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy.orm import scoped_session

from tests.infra.shop import WEBHOOK_SECRET
from tests.simulator.conftest import KEY, Simulator

Made = Callable[[str], list[str]]


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """The process all tests here share."""
    simulator = Simulator(tmp_path_factory.mktemp("simulator"), "--check")
    simulator.start()
    yield simulator
    assert simulator.stop() == 0


@pytest.fixture
def stripe_side(room: Simulator) -> Simulator:
    """An empty simulator."""
    room.control("reset")
    return room


@pytest.fixture
def environ(database: str, stripe_side: Simulator) -> dict[str, str]:
    return {
        "APP_ENV": "test",
        "DATABASE_URL": database,
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_API_BASE": stripe_side.url,
        "STRIPE_WEBHOOK_SECRETS": f'["{WEBHOOK_SECRET}"]',
        "LOG_LEVEL": "ERROR",
    }


@pytest.fixture
def fail(stripe_side: Simulator) -> Callable[..., None]:
    """`fail("reset_after", times=3)`: what the next API requests suffer."""

    def fail(kind: str, **options: Any) -> None:
        stripe_side.control("fail", kind=kind, path="/v1/*", **options)

    return fail


@pytest.fixture
def products(stripe_side: Simulator, db_session: scoped_session) -> Callable[[], list[str]]:
    """The products there are at Stripe's side, newest first, by id."""
    return lambda: [product["id"] for product in stripe_side.look("objects/product")["data"]]
