"""Reading from Stripe: one object, long lists page by page, and a client that never crosses a fork."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from sqlalchemy.orm import scoped_session

from app import gateway
from app.gateway.client import client
from app.models import ListEntry
from tests.simulator.conftest import Simulator


def make_products(simulator: Simulator, count: int) -> list[str]:
    """That many products; their ids, newest first."""
    made = [simulator.api("POST", "/v1/products", {"name": f"No. {n}"}).json()["id"] for n in range(count)]
    return made[::-1]


def test_a_fetched_object_is_plain(db_session: scoped_session, stripe_side: Simulator) -> None:
    (product,) = make_products(stripe_side, 1)
    price = stripe_side.api(
        "POST", "/v1/prices", {"product": product, "currency": "eur", "unit_amount": "2900"}
    ).json()["id"]
    found = gateway.fetch("prices.retrieve", price, ("product",))
    assert (type(found), type(found["product"]), found["product"]["id"]) == (dict, dict, product)
    assert gateway.fetch("prices.retrieve", price)["product"] == product
    asked = stripe_side.requests()[-1]
    assert (asked["idempotency_key"], asked["version"]) == (None, gateway.API_VERSION)
    with pytest.raises(gateway.NotThere) as missing:
        gateway.fetch("prices.retrieve", "price_missing")
    assert missing.value.request_id.startswith("req_")


def test_a_long_list_is_followed_to_its_end(db_session: scoped_session, stripe_side: Simulator) -> None:
    made = make_products(stripe_side, 205)
    seen_before = len(stripe_side.requests())
    found = [product["id"] for product in gateway.listing("products.list")]
    assert found == made
    pages = [entry["params"] for entry in stripe_side.requests()[seen_before:]]
    assert [page.get("starting_after") for page in pages] == [None, made[99], made[199]]
    assert {page["limit"] for page in pages} == {"100"}
    assert list(gateway.listing("products.list", active=False)) == []
    assert len(list(gateway.listing("products.list", limit=2, created={"gte": 1}))) == 205


def test_between_two_pages_what_was_written_is_committed(
    db_session: scoped_session, stripe_side: Simulator
) -> None:
    make_products(stripe_side, 3)
    found = gateway.listing("products.list", limit=2)
    next(found)
    db_session.add(ListEntry(list_name="high_risk", network="192.0.2.0/24"))
    next(found)
    with pytest.raises(RuntimeError, match="commit first"):
        next(found)
    db_session.rollback()
    for number, _ in enumerate(gateway.listing("products.list", limit=2)):
        db_session.add(ListEntry(list_name="high_risk", network=f"192.0.2.{number}/32"))
        db_session.commit()
    assert number == 2


def test_a_list_that_breaks_off_is_a_failure_of_ours(
    db_session: scoped_session, stripe_side: Simulator, fail: Callable[..., None]
) -> None:
    make_products(stripe_side, 3)
    found = gateway.listing("products.list", limit=2)
    next(found)
    next(found)
    fail("status", status=500, times=3)
    with pytest.raises(gateway.ApiFailure):
        next(found)


def test_a_fork_gets_a_client_of_its_own(db_session: scoped_session, stripe_side: Simulator) -> None:
    (product,) = make_products(stripe_side, 1)
    gateway.fetch("products.retrieve", product)
    ours = client()
    assert client() is ours
    child = os.fork()
    if child == 0:
        try:
            same = client() is ours
            os._exit(1 if same or gateway.fetch("products.retrieve", product)["id"] != product else 0)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert client() is ours
    assert gateway.fetch("products.retrieve", product)["id"] == product
    gateway.close()
    assert client() is not ours


def test_every_operation_name_leads_to_a_method(db_session: scoped_session) -> None:
    from app.gateway.client import method

    assert callable(method("checkout.sessions.create"))
    with pytest.raises(AttributeError):
        method("checkout.sessions.invent")
