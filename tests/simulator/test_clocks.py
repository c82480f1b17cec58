"""Test clocks: made, moved forward through the work that is due, and taken away with what stands under them."""

from typing import Any

import pytest
import stripe

from tests.infra import wait
from tests.simulator.conftest import Listener, Shop, Simulator
from tests.simulator.subscribing import START as START_2026
from tests.simulator.subscribing import Desk

START = 1577836800
DAY = 86400


def ready(shop: Shop, clock: str) -> Any:
    """The clock once it has arrived."""
    found: list[Any] = []

    def arrived() -> bool:
        found[:] = [shop.v1.test_helpers.test_clocks.retrieve(clock)]
        return found[0].status == "ready"

    wait.until(arrived, "the clock is ready", seconds=20)
    return found[0]


def test_a_clock_advances_to_where_it_is_told(shop: Shop) -> None:
    clocks = shop.v1.test_helpers.test_clocks
    clock = clocks.create(params={"frozen_time": START, "name": "New year"})
    assert (clock.status, clock.frozen_time, clock.name) == ("ready", START, "New year")
    moving = clocks.advance(clock.id, params={"frozen_time": START + 30 * DAY})
    assert moving.status == "advancing"
    assert moving.status_details.advancing.target_frozen_time == START + 30 * DAY
    assert ready(shop, clock.id).frozen_time == START + 30 * DAY
    assert [c.id for c in clocks.list().data] == [clock.id]
    gone = clocks.delete(clock.id)
    assert gone.deleted
    with pytest.raises(stripe.InvalidRequestError, match="No such test clock"):
        clocks.retrieve(clock.id)
    assert shop.events() == [
        f"test_helpers.test_clock.{x}" for x in ("created", "advancing", "ready", "deleted")
    ]


@pytest.mark.parametrize(
    ("to", "said"), [(START, "forward"), (START - 1, "forward"), (START + 1000 * DAY, "two years")]
)
def test_a_clock_refuses_to_go_there(shop: Shop, to: int, said: str) -> None:
    clock = shop.v1.test_helpers.test_clocks.create(params={"frozen_time": START})
    with pytest.raises(stripe.InvalidRequestError, match=said) as caught:
        shop.v1.test_helpers.test_clocks.advance(clock.id, params={"frozen_time": to})
    assert caught.value.param == "frozen_time"


def test_a_customer_lives_in_the_time_of_its_clock(shop: Shop, simulator: Simulator) -> None:
    clock = shop.v1.test_helpers.test_clocks.create(params={"frozen_time": START})
    customer = shop.v1.customers.create(params={"test_clock": clock.id})
    assert (customer.created, customer.test_clock) == (START, clock.id)
    event = shop.v1.events.list(params={"type": "customer.created"}).data[0]
    assert event.created > START + 1000 * DAY
    shop.v1.test_helpers.test_clocks.delete(clock.id)
    assert shop.v1.customers.retrieve(customer.id).deleted


def test_an_unknown_clock_is_refused(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such test clock: 'clock_x'") as caught:
        shop.v1.customers.create(params={"test_clock": "clock_x"})
    assert caught.value.param == "test_clock"


def test_work_is_told_in_its_order_while_a_clock_advances(
    shop: Shop, simulator: Simulator, listener: Listener
) -> None:
    desk = Desk(shop, simulator)
    desk.subscribe(trial_period_days=7)
    shop.v1.webhook_endpoints.create(params={"url": listener.url, "enabled_events": ["*"]})
    desk.to(START_2026 + 8 * DAY)
    kinds = [k for k in listener.types() if k != "charge.updated"]
    assert kinds[0] == "test_helpers.test_clock.advancing"
    steps = ["customer.subscription.trial_will_end", "customer.subscription.updated", "invoice.finalized"]
    assert [k for k in kinds if k in steps] == steps
    wait.until(lambda: "test_helpers.test_clock.ready" in listener.types(), "the end is told")
    simulator.control("reset")


def test_deleting_a_clock_ends_what_stands_under_it(shop: Shop, simulator: Simulator) -> None:
    desk = Desk(shop, simulator)
    sub = desk.subscribe()
    shop.v1.test_helpers.test_clocks.delete(desk.clock.id)
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription"):
        shop.v1.subscriptions.retrieve(sub.id)
    assert shop.v1.customers.retrieve(sub.customer).deleted


def test_an_advancing_clock_is_not_moved_again(shop: Shop, simulator: Simulator, listener: Listener) -> None:
    clocks = shop.v1.test_helpers.test_clocks
    shop.v1.webhook_endpoints.create(
        params={"url": listener.url, "enabled_events": ["customer.subscription.trial_will_end"]}
    )
    desk = Desk(shop, simulator)
    desk.subscribe(trial_period_days=7)
    listener.hold.clear()
    clocks.advance(desk.clock.id, params={"frozen_time": START_2026 + 5 * DAY})
    wait.until(lambda: clocks.retrieve(desk.clock.id).frozen_time == START_2026 + 4 * DAY, "it is under way")
    with pytest.raises(stripe.RateLimitError, match="advancement underway"):
        clocks.advance(desk.clock.id, params={"frozen_time": START_2026 + 6 * DAY})
    listener.hold.set()
    assert ready(shop, desk.clock.id).frozen_time == START_2026 + 5 * DAY
