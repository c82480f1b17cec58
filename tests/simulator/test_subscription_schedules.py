"""Schedules: a cheaper plan from the next renewal on, phases one after the other, and their ends."""

from typing import Any

import pytest
import stripe

from tests.simulator.conftest import Shop, Simulator
from tests.simulator.subscribing import DAY, START, Desk, amounts, span


@pytest.fixture
def desk(shop: Shop, simulator: Simulator) -> Desk:
    return Desk(shop, simulator)


FEBRUARY = START + 31 * DAY
MARCH = FEBRUARY + 28 * DAY


def downgraded(desk: Desk, sub: Any, price: str, **more: Any) -> Any:
    """From the end of the period on another price."""
    schedules = desk.v1.subscription_schedules
    schedule = schedules.create(params={"from_subscription": sub.id})
    now = schedule.phases[0]
    items: Any = [{"price": x.price, "quantity": x.quantity} for x in now["items"]]
    stages: Any = [
        {"items": items, "start_date": now.start_date, "end_date": now.end_date},
        {"items": [{"price": price, "quantity": 1}], "duration": {"interval": "month"}} | more,
    ]
    return schedules.update(schedule.id, params={"phases": stages, "end_behavior": "release"})


def test_a_schedule_made_from_a_subscription(desk: Desk) -> None:
    sub = desk.subscribe()
    desk.events()
    schedule = desk.v1.subscription_schedules.create(params={"from_subscription": sub.id})
    assert (schedule.status, schedule.subscription, schedule.end_behavior) == ("active", sub.id, "release")
    phase = schedule.phases[0]
    assert (phase.start_date, phase.end_date, phase["items"][0].price) == (
        START,
        FEBRUARY,
        sub["items"].data[0].price.id,
    )
    assert (schedule.current_phase.start_date, schedule.current_phase.end_date) == (START, FEBRUARY)
    assert desk.again(sub).schedule == schedule.id
    assert desk.events() == ["customer.subscription.updated", "subscription_schedule.created"]
    with pytest.raises(stripe.InvalidRequestError, match="already attached"):
        desk.v1.subscription_schedules.create(params={"from_subscription": sub.id})
    with pytest.raises(stripe.InvalidRequestError, match="attached schedule"):
        desk.v1.subscriptions.pause(sub.id)


def test_a_downgrade_at_renewal(desk: Desk) -> None:
    big, small = desk.plan(5000), desk.plan(2000)
    sub = desk.subscribe(big)
    desk.to(START + 10 * DAY)
    schedule = downgraded(desk, sub, small)
    assert desk.again(sub)["items"].data[0].price.id == big
    assert desk.v1.invoice_items.list(params={"customer": sub.customer}).data == []
    desk.to(FEBRUARY - DAY)
    assert desk.last("invoice.upcoming").data.object.total == 2000
    desk.events()
    desk.to(FEBRUARY + 3601)
    changed = desk.again(sub)
    assert (changed["items"].data[0].price.id, span(changed)) == (small, (FEBRUARY, MARCH))
    assert changed["items"].data[0].id == sub["items"].data[0].id
    assert (amounts(desk.invoice(sub)), desk.invoice(sub).status) == ([2000], "paid")
    told = desk.events("customer.subscription", "subscription_schedule")
    assert told == ["subscription_schedule.updated", "customer.subscription.updated"]
    previous = desk.last("customer.subscription.updated").data.previous_attributes
    assert previous["items"].data[0].price.unit_amount == 5000
    desk.to(MARCH)
    done = desk.v1.subscription_schedules.retrieve(schedule.id)
    assert (done.status, done.completed_at, done.released_subscription) == ("completed", MARCH, sub.id)
    free = desk.again(sub)
    assert (free.status, free.schedule, span(free)[0]) == ("active", None, MARCH)
    assert "subscription_schedule.completed" in desk.events()


def test_another_interval_at_renewal(desk: Desk) -> None:
    sub = desk.subscribe()
    downgraded(desk, sub, desk.plan(9000, "year"), duration={"interval": "year"})
    desk.to(FEBRUARY)
    changed = desk.again(sub)
    assert (span(changed), changed.billing_cycle_anchor) == ((FEBRUARY, FEBRUARY + 365 * DAY), FEBRUARY)
    assert amounts(desk.invoice(sub)) == [9000]


def test_a_phase_that_ends_within_a_period(desk: Desk) -> None:
    small, big = desk.plan(3100), desk.plan(6200)
    schedule = desk.v1.subscription_schedules.create(
        params={
            "customer": desk.customer().id, "start_date": "now", "end_behavior": "cancel",
            "phases": [
                {"items": [{"price": small}], "end_date": START + 10 * DAY},
                {"items": [{"price": big}], "end_date": FEBRUARY + 5 * DAY},
            ],
        }
    )  # fmt: skip
    sub = desk.v1.subscriptions.retrieve(schedule.subscription)
    assert (sub.status, desk.invoice(sub).status) == ("active", "draft")
    desk.to(START + 10 * DAY)
    waiting = desk.v1.invoice_items.list(params={"customer": sub.customer, "pending": True}).data
    assert [x.amount for x in reversed(waiting)] == [-2100, 4200]
    desk.to(FEBRUARY + 5 * DAY)
    assert desk.again(sub).status == "canceled"
    assert desk.v1.subscription_schedules.retrieve(schedule.id).status == "completed"


def test_a_schedule_that_begins_later(desk: Desk) -> None:
    schedule = desk.v1.subscription_schedules.create(
        params={
            "customer": desk.customer().id, "start_date": START + 5 * DAY,
            "phases": [{"items": [{"price": desk.plan()}], "duration": {"interval": "month", "interval_count": 2}}],
        }
    )  # fmt: skip
    assert (schedule.status, schedule.subscription, schedule.current_phase) == ("not_started", None, None)
    assert schedule.phases[0].end_date == START + (5 + 31 + 28) * DAY
    desk.to(START + 6 * DAY)
    begun = desk.v1.subscription_schedules.retrieve(schedule.id)
    assert begun.status == "active"
    assert desk.v1.subscriptions.retrieve(begun.subscription).start_date == START + 5 * DAY


def test_release_and_cancel(desk: Desk) -> None:
    schedules = desk.v1.subscription_schedules
    sub = desk.subscribe()
    kept = schedules.release(schedules.create(params={"from_subscription": sub.id}).id)
    assert (kept.status, kept.released_subscription, kept.subscription) == ("released", sub.id, None)
    assert (desk.again(sub).schedule, desk.again(sub).status) == (None, "active")
    with pytest.raises(stripe.InvalidRequestError, match="`released` status"):
        schedules.cancel(kept.id)
    with pytest.raises(stripe.InvalidRequestError, match="`released` status"):
        schedules.update(kept.id, params={"metadata": {"a": "b"}})
    ended = schedules.cancel(schedules.create(params={"from_subscription": sub.id}).id)
    assert (ended.status, ended.canceled_at) == ("canceled", START)
    assert desk.again(sub).status == "canceled"
    told = desk.events("subscription_schedule")
    assert told == [f"subscription_schedule.{x}" for x in ("created", "released", "created", "canceled")]


def test_a_canceled_subscription_takes_its_schedule_along(desk: Desk) -> None:
    sub = desk.subscribe()
    schedule = desk.v1.subscription_schedules.create(params={"from_subscription": sub.id})
    desk.v1.subscriptions.cancel(sub.id)
    assert desk.v1.subscription_schedules.retrieve(schedule.id).status == "canceled"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "Missing required param: customer"),
        ({"customer": "mine"}, "Missing required param: phases"),
        ({"customer": "mine", "phases": [{"items": [{"price": "price_x"}]}]}, "No such price"),
        ({"customer": "mine", "phases": [{"items": [{"price": "mine"}], "end_date": 5}]}, "end later"),
        (
            {"customer": "mine", "phases": [{"items": [{"price": "mine"}], "trial": True}]},
            "does not know `trial`",
        ),
        ({"customer": "mine", "from_subscription": "sub_x"}, "cannot be set"),
        ({"from_subscription": "sub_x"}, "No such subscription"),
    ],
)
def test_what_cannot_be_scheduled(desk: Desk, params: dict[str, Any], said: str) -> None:
    mine = {"customer": desk.customer().id, "price": desk.plan()}
    given: Any = dict(params)
    if "customer" in given:
        given["customer"] = mine["customer"]
    for stage in given.get("phases", []):
        stage["items"] = [
            {"price": mine["price"] if x["price"] == "mine" else x["price"]} for x in stage["items"]
        ]
    with pytest.raises(stripe.InvalidRequestError, match=said):
        desk.v1.subscription_schedules.create(params=given)


def test_iterations_of_old(desk: Desk, simulator: Simulator) -> None:
    fields = {
        "customer": desk.customer().id, "start_date": "now", "phases[0][iterations]": "3",
        "phases[0][items][0][price]": desk.plan(),
    }  # fmt: skip
    made = simulator.api("POST", "/v1/subscription_schedules", fields, version="2020-08-27").json()
    assert made["phases"][0]["end_date"] == START + (31 + 28 + 31) * DAY
