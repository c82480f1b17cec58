"""Calls that change something: stored first, sent once however often they are sent, never inside a transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert, select, update
from sqlalchemy.orm import scoped_session

from app import gateway
from app.extensions import db, mean_to_write
from app.gateway import client, prepare
from app.models import CallState, ListEntry, StripeCall
from tests.infra import databases, wait
from tests.simulator.conftest import Simulator

Products = Callable[[], list[str]]


def a_call(key: str = "product:1", operation: str = "products.create", **parameters: Any) -> StripeCall:
    """A stored, committed call."""
    call = prepare(operation, parameters or {"name": "Field guide"}, idempotency_key=key)
    db.session.commit()
    return call


def posts(simulator: Simulator) -> list[dict[str, Any]]:
    return [entry for entry in simulator.requests() if entry["method"] == "POST"]


@databases.both
def test_a_call_is_pending_then_sent_then_done(app: Flask, stripe_side: Simulator) -> None:
    """While Stripe takes its time the row says `sent`, and nobody waits for our transaction."""
    stripe_side.control("fail", kind="delay", seconds=1.5, path="/v1/*")
    with app.app_context():
        call_id = a_call().id
        assert db.session.get_one(StripeCall, call_id).state == CallState.PENDING
        db.session.rollback()

    def perform() -> None:
        with app.app_context():
            mean_to_write()
            # As in a route that read something before: the read is still open when perform begins.
            gateway.perform(db.session.get_one(StripeCall, call_id))

    sending = threading.Thread(target=perform)
    sending.start()

    def state() -> tuple[str, Any]:
        with app.app_context():
            call = db.session.get_one(StripeCall, call_id)
            return call.state, call.sent_at

    wait.until(lambda: state()[0] == CallState.SENT, "the call is noted as sent")
    with app.app_context():
        mean_to_write()
        db.session.add(ListEntry(list_name="high_risk", network="192.0.2.0/24"))
        db.session.commit()
        assert sending.is_alive(), "another writer had to wait for Stripe's answer"
    sending.join()
    with app.app_context():
        call = db.session.get_one(StripeCall, call_id)
        made = stripe_side.look("objects/product")["data"][0]
        (sent,) = posts(stripe_side)
        assert (call.state, call.result_id, call.request_id) == (CallState.DONE, made["id"], sent["id"])
        assert call.finished_at > call.sent_at
        assert sent["idempotency_key"] == call.idempotency_key
        assert sent["version"] == gateway.API_VERSION


def test_nothing_is_sent_inside_a_transaction_that_wrote(
    db_session: scoped_session, stripe_side: Simulator
) -> None:
    call = a_call()
    entry = {"list_name": "high_risk", "network": "192.0.2.0/24", "note": ""}

    def added() -> None:
        db_session.add(ListEntry(**entry))

    def flushed() -> None:
        db_session.add(ListEntry(**entry))
        db_session.flush()

    def inserted() -> None:
        db_session.execute(insert(ListEntry).values(**entry))

    def updated() -> None:
        db_session.execute(update(ListEntry).values(note="x"))

    def nested() -> None:
        with db_session.begin_nested():
            db_session.add(ListEntry(**entry))

    def prepared() -> None:
        prepare("products.create", {"name": "Another"}, idempotency_key="product:2")

    for write in (added, flushed, inserted, updated, nested, prepared):
        write()
        for ask in (
            lambda: gateway.perform(call),
            lambda: gateway.fetch("products.retrieve", "prod_1"),
            lambda: next(gateway.listing("products.list"), None),
        ):
            with pytest.raises(RuntimeError, match="commit first"):
                ask()
        db_session.rollback()
    assert stripe_side.requests() == []
    assert db_session.scalars(select(ListEntry)).all() == []  # only read
    assert gateway.perform(call)["name"] == "Field guide"


def test_the_same_key_is_one_call_and_one_object(
    db_session: scoped_session, stripe_side: Simulator, products: Products
) -> None:
    call = a_call()
    assert prepare("products.create", {"name": "Another"}, idempotency_key="product:1") is call
    first, second = gateway.perform(call), gateway.perform(call)
    assert first == second
    assert products() == [first["id"]]
    assert [(entry["idempotency_key"], entry["replayed"]) for entry in posts(stripe_side)] == [
        ("product:1", False),
        ("product:1", True),
    ]


def test_a_call_on_an_object_names_it(db_session: scoped_session, stripe_side: Simulator) -> None:
    made = gateway.perform(a_call())
    call = prepare("products.update", {"name": "Second edition"}, idempotency_key="p:2", object_id=made["id"])
    db_session.commit()
    assert gateway.perform(call)["name"] == "Second edition"
    assert posts(stripe_side)[-1]["path"] == f"/v1/products/{made['id']}"


# What happens to the next requests, what the buyer's side is told, and how many objects are at Stripe then.
# The SDK sends again by itself after a lost connection and after 5xx, at most twice.
FAULTS = [
    pytest.param({"kind": "status", "status": 500}, None, 1, id="500-once"),
    pytest.param({"kind": "status", "status": 503}, None, 1, id="503-once"),
    pytest.param({"kind": "status", "status": 409}, None, 1, id="409-once"),
    pytest.param({"kind": "reset_before"}, None, 1, id="reset-before-once"),
    pytest.param({"kind": "reset_after"}, None, 1, id="reset-after-once"),
    pytest.param({"kind": "html502"}, None, 1, id="html-502-once"),
    pytest.param({"kind": "status", "status": 429}, gateway.RateLimited, 0, id="429"),
    pytest.param({"kind": "status", "status": 500, "times": 3}, gateway.ApiFailure, 0, id="500"),
    pytest.param({"kind": "status", "status": 503, "times": 3}, gateway.ApiFailure, 0, id="503"),
    pytest.param({"kind": "status", "status": 409, "times": 3}, gateway.RateLimited, 0, id="409"),
    pytest.param({"kind": "html502", "times": 3}, gateway.ApiFailure, 1, id="html-502"),
    pytest.param({"kind": "truncate", "times": 3}, gateway.ConnectionLost, 1, id="truncated"),
    pytest.param({"kind": "reset_before", "times": 3}, gateway.ConnectionLost, 0, id="reset-before"),
    pytest.param({"kind": "reset_after", "times": 3}, gateway.ConnectionLost, 1, id="reset-after"),
]


@pytest.mark.parametrize(("fault", "failure", "made"), FAULTS)
def test_however_a_call_fails_it_makes_one_object(
    db_session: scoped_session,
    stripe_side: Simulator,
    products: Products,
    fail: Callable[..., None],
    fault: dict[str, Any],
    failure: type[gateway.StripeFailure] | None,
    made: int,
) -> None:
    fail(**fault)
    call = a_call()
    if failure is not None:
        with pytest.raises(failure) as raised:
            gateway.perform(call)
        assert type(raised.value) is failure
        assert call.state == CallState.UNKNOWN
        assert call.error == raised.value.raw
        assert call.request_id == raised.value.request_id
        assert len(products()) == made
        stripe_side.control("fail/clear")
    answer = gateway.perform(call)
    assert products() == [answer["id"]] == [call.result_id]
    assert (call.state, call.error) == (CallState.DONE, None)
    assert {entry["idempotency_key"] for entry in posts(stripe_side)} == {"product:1"}


def test_an_answer_that_comes_too_late_is_lost_and_found(
    db_session: scoped_session,
    stripe_side: Simulator,
    products: Products,
    fail: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "TIMEOUT", (3.0, 0.3))
    client.close()
    fail("delay", seconds=1.0, times=3)
    call = a_call()
    with pytest.raises(gateway.ConnectionLost):
        gateway.perform(call)
    assert call.state == CallState.UNKNOWN
    stripe_side.control("fail/clear")
    wait.until(products, "the request that nobody waited for was executed")
    monkeypatch.undo()
    client.close()
    assert gateway.perform(call)["id"] == call.result_id
    assert products() == [call.result_id]


def test_nobody_listens(db_session: scoped_session) -> None:
    gateway.configure("sk_test_x", "http://127.0.0.1:9")
    call = a_call()
    with pytest.raises(gateway.ConnectionLost):
        gateway.perform(call)
    assert (call.state, call.request_id) == (CallState.UNKNOWN, None)


def test_a_500_that_stripe_remembers_stays_unknown_and_makes_no_second_object(
    db_session: scoped_session, products: Products, fail: Callable[..., None]
) -> None:
    fail("status", status=500, executed=True, should_retry=False)
    call = a_call()
    for _ in range(2):
        with pytest.raises(gateway.ApiFailure):
            gateway.perform(call)
        assert call.state == CallState.UNKNOWN
    assert len(products()) == 1


REFUSALS = [
    pytest.param("products.create", {"nmae": "x"}, gateway.InvalidCall, "parameter_unknown", id="parameter"),
    pytest.param("prices.create", {"currency": "eur", "unit_amount": 1, "product": "prod_0"},
                 gateway.NotThere, "resource_missing", id="missing"),
    pytest.param("payment_intents.create",
                 {"amount": 2000, "currency": "eur", "confirm": True, "return_url": "http://127.0.0.1/",
                  "payment_method": "pm_card_visa_chargeDeclined"},
                 gateway.CardRefused, "card_declined", id="card"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "parameters", "failure", "code"), REFUSALS)
def test_what_stripe_refuses_has_failed(
    db_session: scoped_session,
    stripe_side: Simulator,
    operation: str,
    parameters: dict[str, Any],
    failure: type[gateway.StripeFailure],
    code: str,
) -> None:
    call = a_call("refused", operation, **parameters)
    with pytest.raises(failure) as raised:
        gateway.perform(call)
    said = raised.value
    assert type(said) is failure
    assert (said.stripe_code, said.definite, said.retryable) == (code, True, False)
    assert said.request_id == call.request_id == posts(stripe_side)[-1]["id"]
    assert call.state == CallState.FAILED
    assert call.finished_at is not None


def test_a_refused_key_is_said_so(db_session: scoped_session, stripe_side: Simulator) -> None:
    gateway.configure("sk_live_not_here", stripe_side.url)
    call = a_call()
    with pytest.raises(gateway.KeyRefused) as raised:
        gateway.perform(call)
    assert (call.state, raised.value.http) == (CallState.FAILED, 503)


def test_parameters_that_changed_under_a_key_are_refused(
    db_session: scoped_session, products: Products
) -> None:
    call = a_call()
    gateway.perform(call)
    call.parameters = {"name": "Changed"}
    db_session.commit()
    with pytest.raises(gateway.InvalidCall):
        gateway.perform(call)
    assert len(products()) == 1


def test_after_a_day_an_object_is_read_and_not_asked_for_again(
    db_session: scoped_session, stripe_side: Simulator, travel: Callable[..., None]
) -> None:
    call = a_call()
    made = gateway.perform(call)
    travel(hours=22)
    gateway.perform(call)  # Stripe still knows the key
    travel(hours=2)
    db_session.refresh(call)
    assert gateway.perform(call)["id"] == made["id"]
    assert [(entry["method"], entry["path"]) for entry in stripe_side.requests()] == [
        ("POST", "/v1/products"),
        ("POST", "/v1/products"),
        ("GET", f"/v1/products/{made['id']}"),
    ]


def test_after_a_day_what_stayed_unknown_is_not_sent_again(
    db_session: scoped_session,
    stripe_side: Simulator,
    products: Products,
    fail: Callable[..., None],
    travel: Callable[..., None],
) -> None:
    fail("reset_after", times=3)
    call = a_call()
    with pytest.raises(gateway.ConnectionLost):
        gateway.perform(call)
    travel(hours=24)
    stripe_side.control("clock", advance=25 * 3600)  # Stripe forgot the key
    before = len(stripe_side.requests())
    with pytest.raises(gateway.TooLate) as raised:
        gateway.perform(call)
    assert (raised.value.definite, raised.value.retryable) == (False, False)
    assert call.state == CallState.UNKNOWN
    assert len(stripe_side.requests()) == before
    assert len(products()) == 1


def test_after_a_day_what_stripe_refused_may_be_asked_again(
    db_session: scoped_session, stripe_side: Simulator, travel: Callable[..., None]
) -> None:
    call = a_call(nmae="x")
    with pytest.raises(gateway.InvalidCall):
        gateway.perform(call)
    travel(hours=30)
    call.parameters = {"name": "Corrected"}
    db_session.commit()
    assert gateway.perform(call)["name"] == "Corrected"
    assert call.sent_at > call.created_at + timedelta(hours=29)
