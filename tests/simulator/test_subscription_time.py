"""What time brings: renewals, reminders, trials and their ends, dunning and what follows the last attempt."""

import json
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
DECLINED = "pm_card_chargeCustomerFail"


def test_a_renewal(desk: Desk) -> None:
    sub = desk.subscribe()
    desk.to(FEBRUARY - 8 * DAY)
    desk.events()
    desk.to(FEBRUARY - 7 * DAY)
    assert desk.events("invoice") == ["invoice.upcoming"]
    upcoming = desk.last("invoice.upcoming").data.object
    assert (upcoming.total, upcoming.billing_reason) == (2000, "subscription_cycle")
    assert upcoming.lines.data[0].period.start == FEBRUARY
    assert desk.again(sub).latest_invoice == sub.latest_invoice
    desk.to(FEBRUARY)
    renewed = desk.again(sub)
    assert (renewed.status, span(renewed)) == ("active", (FEBRUARY, MARCH))
    draft = desk.invoice(sub)
    assert (draft.status, draft.billing_reason, draft.auto_advance) == ("draft", "subscription_cycle", True)
    assert (draft.period_start, draft.period_end, draft.created) == (START, FEBRUARY, FEBRUARY)
    assert desk.events("customer", "invoice") == ["customer.subscription.updated", "invoice.created"]
    previous = desk.last("customer.subscription.updated").data.previous_attributes.to_dict()
    assert previous.keys() == {"items", "latest_invoice"}
    assert previous["items"]["data"][0]["current_period_end"] == FEBRUARY
    desk.to(FEBRUARY + 3601)
    assert desk.invoice(sub).status == "paid"
    assert desk.events("customer.subscription", "invoice") == [
        "invoice.finalized", "invoice.updated", "invoice.paid", "invoice.payment_succeeded", "invoice_payment.paid",
    ]  # fmt: skip


def test_the_31st_comes_back(desk: Desk) -> None:
    desk.to(START + 30 * DAY)
    sub = desk.subscribe()
    ends = []
    for _ in range(3):
        ends.append(span(desk.again(sub))[1])
        desk.to(ends[-1])
    assert ends == [START + (30 + 28) * DAY, START + (30 + 28 + 31) * DAY, START + (30 + 28 + 31 + 30) * DAY]


@pytest.mark.parametrize(
    ("interval", "count", "days"), [("day", 1, 1), ("week", 2, 14), ("month", 3, 90), ("year", 1, 365)]
)
def test_intervals(desk: Desk, interval: str, count: int, days: int) -> None:
    sub = desk.subscribe(desk.plan(interval=interval, recurring={"interval_count": count}))
    assert span(sub) == (START, START + days * DAY)
    desk.to(START + days * DAY)
    assert span(desk.again(sub))[0] == START + days * DAY


def test_a_renewal_on_the_simulators_own_clock(desk: Desk, simulator: Simulator) -> None:
    owner = desk.v1.customers.create(
        params={
            "payment_method": "pm_card_visa",
            "invoice_settings": {"default_payment_method": "pm_card_visa"},
        }
    )
    sub = desk.subscribe(customer=owner)
    assert sub.test_clock is None
    simulator.control("clock", advance=span(sub)[1] - span(sub)[0] + 2 * 3600)
    renewed = desk.again(sub, "latest_invoice")
    assert span(renewed)[0] == span(sub)[1]
    assert (renewed.latest_invoice.status, renewed.latest_invoice.billing_reason) == (
        "paid",
        "subscription_cycle",
    )


def test_an_invoice_that_is_sent(desk: Desk) -> None:
    sub = desk.subscribe(customer=desk.customer(None), collection_method="send_invoice", days_until_due=10)
    assert (sub.status, desk.invoice(sub).status) == ("active", "draft")
    desk.to(START + 2 * 3600)
    assert desk.invoice(sub).status == "open"
    desk.to(START + 10 * DAY + 2 * 3600)
    assert desk.again(sub).status == "past_due"
    desk.v1.invoices.pay(desk.invoice(sub).id, params={"paid_out_of_band": True})
    assert desk.again(sub).status == "active"


# ------------------------------------------------------------------------------------------- trials


def test_a_trial(desk: Desk) -> None:
    desk.events()
    sub = desk.subscribe(trial_period_days=14)
    end = START + 14 * DAY
    assert (sub.status, sub.trial_start, sub.trial_end, sub.billing_cycle_anchor) == (
        "trialing",
        START,
        end,
        end,
    )
    invoice = desk.invoice(sub)
    assert (invoice.total, invoice.status, invoice.lines.data[0].description) == (
        0,
        "paid",
        "Trial period for Pro",
    )
    assert "customer.subscription.trial_will_end" not in desk.events()
    desk.to(end - 3 * DAY)
    assert desk.events("customer.subscription") == ["customer.subscription.trial_will_end"]
    desk.to(end)
    active = desk.again(sub)
    assert (active.status, span(active)) == ("active", (end, end + 31 * DAY))
    previous = desk.last("customer.subscription.updated").data.previous_attributes
    assert previous.status == "trialing"
    desk.to(end + 2 * 3600)
    assert (desk.invoice(sub).status, desk.invoice(sub).total) == ("paid", 2000)


def test_a_short_trial_is_told_of_at_once(desk: Desk) -> None:
    desk.subscribe(trial_period_days=1, customer=desk.customer(None))
    assert desk.events("customer.subscription") == [
        "customer.subscription.created", "customer.subscription.trial_will_end",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("behavior", "status", "told"),
    [
        ("pause", "paused", ["customer.subscription.updated", "customer.subscription.paused"]),
        ("cancel", "canceled", ["customer.subscription.deleted"]),
        ("create_invoice", "active", ["customer.subscription.updated", "invoice.created"]),
    ],
)
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_trial_that_ends_without_a_payment_method(
    desk: Desk, behavior: str, status: str, told: list[str], by_hand: bool
) -> None:
    sub = desk.subscribe(
        customer=desk.customer(None), trial_period_days=7,
        trial_settings={"end_behavior": {"missing_payment_method": behavior}},
    )  # fmt: skip
    desk.to(START + 5 * DAY)
    desk.events()
    if by_hand:
        desk.update(sub, trial_end="now")
        status = "past_due" if behavior == "create_invoice" else status
    else:
        desk.to(START + 7 * DAY)
        assert desk.events("customer.subscription", "invoice") == told
    ended = desk.again(sub)
    assert ended.status == status
    if status == "paused":
        assert ended.status_details.paused.subscription.type == "trial_end_without_payment_method"
        desk.v1.payment_methods.attach("pm_card_visa", params={"customer": sub.customer})
        made = desk.v1.payment_methods.list(params={"customer": sub.customer}).data[0].id
        desk.update(sub, default_payment_method=made)
        resumed = desk.v1.subscriptions.resume(sub.id)
        assert (resumed.status, desk.invoice(sub).status) == ("active", "paid")


def test_a_trial_ended_by_hand_is_billed(desk: Desk) -> None:
    sub = desk.subscribe(trial_period_days=14)
    desk.to(START + 5 * DAY)
    active = desk.update(sub, trial_end="now")
    now = START + 5 * DAY
    assert (active.status, active.trial_end, span(active)) == ("active", now, (now, now + 31 * DAY))
    assert (desk.invoice(sub).total, desk.invoice(sub).status) == (2000, "paid")


def test_a_trial_made_longer_or_given_later(desk: Desk) -> None:
    sub = desk.subscribe(desk.plan(3100), trial_period_days=14)
    longer = desk.update(sub, trial_end=START + 20 * DAY)
    assert (longer.status, longer.trial_end, span(longer)) == (
        "trialing",
        START + 20 * DAY,
        (START, START + 20 * DAY),
    )
    paid = desk.subscribe(desk.plan(3100), customer=desk.customer())
    desk.to(START + 10 * DAY)
    given = desk.update(paid, trial_end=START + 24 * DAY)
    assert (given.status, span(given)) == ("trialing", (START + 10 * DAY, START + 24 * DAY))
    waiting = desk.v1.invoice_items.list(params={"customer": paid.customer, "pending": True}).data
    assert [x.amount for x in waiting] == [-2100]


def test_a_trial_from_the_plan(desk: Desk) -> None:
    plan = desk.plan(recurring={"trial_period_days": 9})
    assert desk.subscribe(plan, trial_from_plan=True).trial_end == START + 9 * DAY
    assert desk.subscribe(plan, customer=desk.customer()).trial_end is None


# ------------------------------------------------------------------------------------------ dunning


def failing(desk: Desk) -> Any:
    """A subscription whose card is declined from its first renewal on."""
    sub = desk.subscribe()
    made = desk.v1.payment_methods.attach(DECLINED, params={"customer": sub.customer})
    desk.v1.customers.update(sub.customer, params={"invoice_settings": {"default_payment_method": made.id}})
    return sub


def test_a_failing_renewal(desk: Desk) -> None:
    sub = failing(desk)
    desk.to(FEBRUARY)
    desk.events()
    desk.to(FEBRUARY + 2 * 3600)
    late = desk.again(sub)
    assert late.status == "past_due"
    invoice = desk.invoice(sub)
    assert (invoice.status, invoice.attempt_count, invoice.amount_remaining) == ("open", 1, 2000)
    assert invoice.next_payment_attempt == FEBRUARY + 3601 + DAY
    assert desk.events("customer.subscription", "invoice.payment", "charge") == [
        "charge.failed", "invoice.payment_failed", "customer.subscription.updated",
    ]  # fmt: skip
    assert desk.last("customer.subscription.updated").data.previous_attributes.to_dict() == {
        "status": "active"
    }
    desk.to(FEBRUARY + 2 * 3600 + DAY)
    assert desk.invoice(sub).attempt_count == 2
    good = desk.v1.payment_methods.attach("pm_card_visa", params={"customer": sub.customer})
    desk.update(sub, default_payment_method=good.id)
    desk.to(FEBRUARY + 2 * 3600 + 2 * DAY)
    assert (desk.invoice(sub).status, desk.again(sub).status) == ("paid", "active")


@pytest.mark.parametrize(
    ("end", "status", "told"),
    [
        ("cancel", "canceled", "customer.subscription.deleted"),
        ("unpaid", "unpaid", "customer.subscription.updated"),
        ("past_due", "past_due", None),
        ("pause", "paused", "customer.subscription.paused"),
    ],
)
def test_the_end_of_dunning(desk: Desk, end: str, status: str, told: str | None) -> None:
    desk.simulator.control("settings", dunning_end=end, dunning_retries=[3, 5])
    sub = failing(desk)
    desk.to(FEBRUARY + 2 * 3600)
    desk.to(FEBRUARY + 2 * 3600 + 3 * DAY)
    assert (desk.again(sub).status, desk.invoice(sub).attempt_count) == ("past_due", 2)
    desk.events()
    desk.to(FEBRUARY + 2 * 3600 + 8 * DAY)
    ended = desk.again(sub)
    invoice = desk.invoice(sub)
    assert (ended.status, invoice.attempt_count, invoice.next_payment_attempt) == (status, 3, None)
    assert (invoice.status, invoice.auto_advance) == ("open", False)
    names = desk.events("customer.subscription")
    assert names[-1:] == ([told] if told else [])
    if status == "canceled":
        assert ended.cancellation_details.reason == "payment_failed"
    if status == "paused":
        assert ended.status_details.paused.subscription.type == "final_payment_failure"


def test_unpaid_goes_on_with_drafts_until_it_is_paid(desk: Desk) -> None:
    desk.simulator.control("settings", dunning_end="unpaid", dunning_retries=[1])
    sub = failing(desk)
    desk.to(FEBRUARY + 3 * DAY)
    owed = desk.invoice(sub).id
    assert desk.again(sub).status == "unpaid"
    desk.to(MARCH + DAY)
    draft = desk.invoice(sub)
    assert (draft.status, draft.auto_advance, draft.id != owed) == ("draft", False, True)
    good = desk.v1.payment_methods.attach("pm_card_visa", params={"customer": sub.customer})
    desk.v1.invoices.pay(owed, params={"payment_method": good.id})
    assert desk.again(sub).status == "active"


def test_eight_retries_in_two_weeks(desk: Desk) -> None:
    sub = failing(desk)
    desk.to(FEBRUARY + 20 * DAY)
    assert (desk.again(sub).status, desk.invoice(sub).attempt_count) == ("canceled", 9)
    assert desk.again(sub).ended_at == FEBRUARY + 3601 + 14 * DAY


def test_settings_are_checked(simulator: Simulator) -> None:
    for wrong in (
        {"dunning_end": "never"},
        {"dunning_retries": [0]},
        {"upcoming_days": -1},
        {"colour": "red"},
    ):
        body = json.dumps(wrong).encode()
        answer = simulator.ask("POST", "/_sim/settings", body, {"Content-Type": "application/json"})
        assert answer.status == 400
    assert simulator.look("settings") == {
        "dunning_end": "cancel", "dunning_retries": [1, 1, 2, 2, 2, 2, 2, 2], "upcoming_days": 7,
    }  # fmt: skip


def test_a_renewal_with_several_items_and_a_change(desk: Desk) -> None:
    sub = desk.subscribe(desk.plan(1000), desk.plan(200))
    desk.to(FEBRUARY)
    assert amounts(desk.invoice(sub)) == [1000, 200]


def test_a_clock_goes_two_intervals_at_most(desk: Desk) -> None:
    desk.subscribe(desk.plan(interval="week"))
    with pytest.raises(stripe.InvalidRequestError, match="two intervals"):
        desk.to(START + 15 * DAY)
    desk.to(START + 14 * DAY)


def test_a_method_is_asked_for_while_nothing_is_due(desk: Desk) -> None:
    sub = desk.subscribe(
        customer=desk.customer(None), trial_period_days=14, payment_behavior="default_incomplete",
        expand=["pending_setup_intent"],
    )  # fmt: skip
    assert (sub.status, sub.pending_setup_intent.status) == ("trialing", "requires_payment_method")
    desk.v1.setup_intents.confirm(sub.pending_setup_intent.id, params={"payment_method": "pm_card_visa"})
    ready = desk.again(sub)
    assert ready.pending_setup_intent is None
    assert desk.v1.payment_methods.retrieve(ready.default_payment_method).customer == sub.customer


@pytest.mark.parametrize("verb", ["void_invoice", "mark_uncollectible"])
def test_what_is_given_up_is_owed_no_more(desk: Desk, verb: str) -> None:
    sub = failing(desk)
    desk.to(FEBRUARY + 2 * 3600)
    assert desk.again(sub).status == "past_due"
    getattr(desk.v1.invoices, verb)(desk.invoice(sub).id)
    assert desk.again(sub).status == "active"


def test_without_its_first_invoice_a_subscription_never_begins(desk: Desk) -> None:
    sub = desk.subscribe(customer=desk.customer(DECLINED))
    desk.v1.invoices.void_invoice(sub.latest_invoice)
    assert desk.again(sub).status == "incomplete_expired"


def test_a_deleted_customer_subscribes_no_more(desk: Desk) -> None:
    sub = desk.subscribe()
    desk.v1.customers.delete(sub.customer)
    assert desk.again(sub).status == "canceled"
    desk.to(FEBRUARY + DAY)
    assert desk.again(sub).latest_invoice == sub.latest_invoice


def test_the_reminder_comes_once(desk: Desk) -> None:
    sub = desk.subscribe()
    desk.to(FEBRUARY - 3 * DAY)
    assert desk.events("invoice.upcoming") == ["invoice.upcoming"]
    desk.update(sub, cancel_at_period_end=True)
    desk.update(sub, cancel_at_period_end=False)
    desk.switch(sub, desk.plan(900), proration_behavior="none")
    desk.to(FEBRUARY - 2 * DAY)
    assert desk.events("invoice.upcoming") == []


def test_a_paused_subscription_still_ends_when_it_was_to(desk: Desk) -> None:
    sub = desk.subscribe()
    desk.update(sub, cancel_at_period_end=True)
    desk.v1.subscriptions.pause(sub.id)
    desk.to(FEBRUARY)
    assert (desk.again(sub).status, desk.again(sub).ended_at) == ("canceled", FEBRUARY)
