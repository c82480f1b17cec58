"""Applying events: the head of each object only, fresh payloads only, one failure is one object's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import scoped_session

from app import clock, gateway, queue
from app.billing import events, sync
from app.models import HistoryEntry, JournalEntry, Order, OrderState, Payment, QueueState, WebhookEvent
from tests.billing.sessions import charge_of, intent_of, open_order, session_of
from tests.infra import databases


def arrive(
    session: scoped_session, kind: str, target: dict[str, Any], *, created: int, name: str = ""
) -> WebhookEvent:
    """Store an event as the door does."""
    body = {
        "id": name or f"evt_{kind}_{created}",
        "type": kind,
        "created": created,
        "data": {"object": target},
    }
    row = WebhookEvent(
        stripe_event_id=body["id"],
        type=kind,
        object_key=target["id"],
        livemode=False,
        created=created,
        payload=json.dumps(body).encode(),
    )
    session.add(row)
    session.commit()
    return row


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Stripe would answer to a fetch; every fetch is counted in `asked`."""
    known: dict[str, Any] = {"asked": []}

    def fetch(operation: str, object_id: str, expand: tuple[str, ...] = ()) -> dict[str, Any]:
        known["asked"].append(object_id)
        answer = known[object_id]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(gateway, "fetch", fetch)
    return known


@databases.both
def test_a_purchase_s_events_settle_it_without_a_call_to_stripe(
    shop: scoped_session, answers: dict[str, Any]
) -> None:
    order = open_order()
    arrive(shop, "charge.succeeded", charge_of(order), created=100)
    arrive(shop, "payment_intent.succeeded", intent_of(order), created=100)
    arrive(shop, "checkout.session.completed", session_of(order), created=101)
    assert events.work("worker") == 3
    assert set(shop.scalars(select(WebhookEvent.state))) == {QueueState.DONE}
    assert order.state == OrderState.PAID
    assert shop.scalar(select(func.count()).select_from(JournalEntry)) == 1
    assert answers["asked"] == []
    assert "checkout.session.completed" in {
        entry.data.get("type")
        for entry in shop.scalars(select(HistoryEntry).where(HistoryEntry.kind == "event"))
    }


@databases.both
def test_an_event_of_a_second_we_hold_is_looked_up(shop: scoped_session, answers: dict[str, Any]) -> None:
    order = open_order()
    session = session_of(order, payment_status="unpaid")
    answers[session["id"]] = session_of(order)
    arrive(shop, "checkout.session.completed", session, created=100, name="evt_a")
    arrive(shop, "checkout.session.async_payment_succeeded", session, created=100, name="evt_b")
    assert events.work("worker") == 1  # the head of the object only
    assert order.state == OrderState.PROCESSING
    assert events.work("worker") == 1
    assert answers["asked"] == [session["id"]]
    assert order.state == OrderState.PAID


def test_an_older_event_that_comes_late_does_not_undo_a_newer_one(
    shop: scoped_session, answers: dict[str, Any]
) -> None:
    order = open_order()
    answers[f"pi_{order.public_id}"] = intent_of(order)
    arrive(shop, "payment_intent.succeeded", intent_of(order), created=200)
    events.work("worker")
    arrive(shop, "payment_intent.payment_failed", intent_of(order, "requires_payment_method"), created=100)
    events.work("worker")
    assert shop.scalars(select(Payment)).one().state == "succeeded"
    assert answers["asked"] == [f"pi_{order.public_id}"]


def test_an_answer_overtaken_by_a_later_one_is_dropped(shop: scoped_session) -> None:
    first, second = sync.take_ticket("cs_1"), sync.take_ticket("cs_1")
    assert (first, second) == (1, 2)
    assert sync.admit("cs_1", second) is True
    assert sync.admit("cs_1", first) is False
    assert sync.admit_payload("cs_1", 5) is True
    assert sync.admit_payload("cs_1", 5) is False
    assert sync.ages(["cs_1", "cs_2"]) == {"cs_1": 5}


@databases.both
def test_a_poison_event_holds_up_only_its_own_object(shop: scoped_session, answers: dict[str, Any]) -> None:
    order = open_order()
    poison = arrive(shop, "checkout.session.completed", {"id": "cs_poison", "metadata": 5}, created=100)
    behind = arrive(shop, "checkout.session.expired", {"id": "cs_poison", "metadata": {}}, created=200)
    arrive(shop, "checkout.session.completed", session_of(order), created=100, name="evt_good")
    events.work("worker")
    assert order.state == OrderState.PAID
    shop.refresh(poison)
    shop.refresh(behind)
    assert (poison.state, poison.attempts, behind.state) == (QueueState.WAITING, 1, QueueState.WAITING)
    assert "Traceback" in (poison.error or "")
    for _ in range(queue.MAX_ATTEMPTS):
        poison.run_at = clock.now()
        shop.commit()
        events.work("worker")
        shop.refresh(poison)
    assert (poison.state, poison.attempts) == (QueueState.DEAD, queue.MAX_ATTEMPTS)
    events.work("worker")
    shop.refresh(behind)
    assert behind.state == QueueState.IGNORED


def test_an_event_before_its_order_waits_for_it(shop: scoped_session) -> None:
    early = {"id": "cs_early", "metadata": {"created_via": "countinghouse", "order_id": "ord_later"}}
    row = arrive(shop, "checkout.session.completed", early, created=100)
    events.work("worker")
    shop.refresh(row)
    assert (row.state, row.attempts) == (QueueState.WAITING, 1)
    assert "not here" in row.error
    assert row.run_at > clock.now()


def test_an_unknown_type_is_recorded_as_ignored(shop: scoped_session) -> None:
    row = arrive(shop, "invoice.something_new", {"id": "in_1"}, created=100)
    events.work("worker")
    shop.refresh(row)
    assert row.state == QueueState.IGNORED


def test_when_stripe_does_not_answer_the_event_is_tried_again(
    shop: scoped_session, answers: dict[str, Any]
) -> None:
    order = open_order()
    session = session_of(order)
    sync.admit_payload(session["id"], 100)
    shop.commit()
    answers[session["id"]] = gateway.ConnectionLost()
    row = arrive(shop, "checkout.session.completed", session, created=100)
    events.work("worker")
    shop.refresh(row)
    assert (row.state, order.state) == (QueueState.WAITING, OrderState.OPEN)
    answers[session["id"]] = session
    row.run_at = clock.now()
    shop.commit()
    events.work("worker")
    assert order.state == OrderState.PAID


def test_replaying_does_not_double_anything(shop: scoped_session, answers: dict[str, Any]) -> None:
    order = open_order()
    session = session_of(order)
    answers[session["id"]] = session
    row = arrive(shop, "checkout.session.completed", session, created=100)
    events.work("worker")
    for _ in range(3):
        events.replay(row)
        shop.commit()
        assert events.work("worker") == 1
        shop.refresh(row)
        assert row.state == QueueState.DONE
    assert shop.scalar(select(func.count()).select_from(JournalEntry)) == 1
    assert events.find(row.stripe_event_id) is row


def test_an_event_s_object_is_what_orders_it() -> None:
    assert events.object_key({"id": "evt_1", "data": {"object": {"id": "cs_1"}}}) == "cs_1"
    assert events.object_key({"id": "evt_1", "data": {"object": {"object": "summary"}}}) == "evt_1"


def test_what_we_subscribe_to_can_be_fetched(shop: scoped_session) -> None:
    gateway.configure("sk_test_x", "http://127.0.0.1:9")
    from app.gateway.client import method

    for handler in events.HANDLERS.values():
        assert callable(method(handler.retrieve))
    assert shop.scalar(select(func.count()).select_from(Order)) == 0


def test_a_payload_no_key_opens_is_its_own_event_s_failure(shop: scoped_session) -> None:
    order = open_order()
    lost = arrive(
        shop, "checkout.session.completed", {"id": "cs_lost", "metadata": {}}, created=100, name="evt_lost"
    )
    shop.execute(text("UPDATE webhook_events SET payload = :bytes"), {"bytes": b"of an older key"})
    arrive(shop, "checkout.session.completed", session_of(order), created=100)
    assert events.work("worker") == 2
    shop.refresh(lost)
    assert (lost.state, order.state) == (QueueState.WAITING, OrderState.PAID)
    assert "FIELD_KEYS" in lost.error


def test_once_stripe_is_silent_the_rest_of_the_batch_is_not_asked_for(
    shop: scoped_session, answers: dict[str, Any]
) -> None:
    for number in range(5):
        answers[f"cs_{number}"] = gateway.ConnectionLost()
        sync.admit_payload(f"cs_{number}", 100)
        arrive(shop, "checkout.session.completed", {"id": f"cs_{number}"}, created=100, name=f"evt_{number}")
    assert events.work("worker") == 5
    assert answers["asked"] == ["cs_0"]
    assert set(shop.scalars(select(WebhookEvent.state))) == {QueueState.WAITING}
