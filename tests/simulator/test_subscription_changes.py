"""Changes of a running subscription and what they cost: prorations, new periods, updates that wait for their payment."""

from typing import Any

import pytest
import stripe

from tests.simulator.conftest import Shop, Simulator
from tests.simulator.subscribing import DAY, START, Desk, amounts, span


@pytest.fixture
def desk(shop: Shop, simulator: Simulator) -> Desk:
    return Desk(shop, simulator)


FEBRUARY = START + 31 * DAY
DECLINED = "pm_card_chargeCustomerFail"


def pending(desk: Desk, sub: Any) -> list[int]:
    """Amounts of the items that wait, in the order they were made."""
    found = desk.v1.invoice_items.list(params={"customer": sub.customer, "pending": True}).data
    return [x.amount for x in reversed(found)]


# January has 31 days: what each day is worth, and that every line is floored.
@pytest.mark.parametrize(
    ("before", "after", "day", "lines"),
    [
        (3100, 6200, 10, [-2100, 4200]),
        (6200, 3100, 10, [-4200, 2100]),
        (2000, 5000, 1, [-1936, 4838]),
        (5, 9, 15.5, [-3, 4]),
        (2000, 0, 10, [-1355, 0]),
    ],
)
def test_another_price_within_the_period(
    desk: Desk, before: int, after: int, day: float, lines: list[int]
) -> None:
    sub = desk.subscribe(desk.plan(before))
    desk.to(int(START + day * DAY))
    changed = desk.switch(sub, desk.plan(after))
    assert span(changed) == (START, FEBRUARY)
    assert pending(desk, sub) == lines
    desk.to(FEBRUARY)
    renewal = desk.invoice(sub)
    assert amounts(renewal) == [*lines, after]
    assert pending(desk, sub) == []


def test_a_quantity_prorates_the_whole_item(desk: Desk) -> None:
    sub = desk.subscribe(items=[{"price": desk.plan(3100), "quantity": 2}])
    desk.to(START + 10 * DAY)
    desk.update(sub, items=[{"id": sub["items"].data[0].id, "quantity": 3}])
    assert pending(desk, sub) == [-4200, 6300]
    found = desk.v1.invoice_items.list(params={"customer": sub.customer}).data
    assert [x.description for x in reversed(found)] == [
        "Unused time on 2 × Pro after 11 Jan 2026", "Remaining time on 3 × Pro after 11 Jan 2026",
    ]  # fmt: skip
    assert all(x.proration and x.parent.subscription_details.subscription == sub.id for x in found)


@pytest.mark.parametrize(
    ("behavior", "waiting", "billed"),
    [("create_prorations", [-2100, 4200], None), ("none", [], None), ("always_invoice", [], 2100)],
)
def test_proration_behaviors(desk: Desk, behavior: str, waiting: list[int], billed: int | None) -> None:
    sub = desk.subscribe(desk.plan(3100))
    desk.to(START + 10 * DAY)
    desk.events()
    changed = desk.switch(sub, desk.plan(6200), proration_behavior=behavior)
    assert pending(desk, sub) == waiting
    invoice = desk.invoice(sub)
    if billed is None:
        assert changed.latest_invoice == sub.latest_invoice
        return
    assert (invoice.billing_reason, invoice.total, invoice.status) == ("subscription_update", billed, "paid")
    told = desk.events("customer.subscription", "invoice.", "payment_intent.succeeded")
    assert told == [
        "payment_intent.succeeded", "customer.subscription.updated", "invoice.created", "invoice.finalized",
        "invoice.updated", "invoice.paid", "invoice.payment_succeeded",
    ]  # fmt: skip
    previous = desk.last("customer.subscription.updated").data.previous_attributes.to_dict()
    assert previous.keys() == {"items", "latest_invoice"}
    assert previous["items"]["data"][0]["price"]["unit_amount"] == 3100


def test_a_proration_date_says_when(desk: Desk) -> None:
    sub = desk.subscribe(desk.plan(3100))
    desk.to(START + 10 * DAY)
    desk.switch(sub, desk.plan(6200), proration_date=START + 20 * DAY)
    assert pending(desk, sub) == [-1100, 2200]
    with pytest.raises(stripe.InvalidRequestError, match="within the current billing period"):
        desk.switch(sub, desk.plan(900), proration_date=START - 1)


def test_adding_and_removing_items(desk: Desk) -> None:
    sub = desk.subscribe(desk.plan(3100))
    desk.to(START + 10 * DAY)
    desk.update(sub, items=[{"price": desk.plan(310), "quantity": 10}])
    assert pending(desk, sub) == [2100]
    extra = desk.again(sub)["items"].data[1]
    assert (extra.current_period_start, extra.current_period_end) == (START, FEBRUARY)
    desk.update(sub, items=[{"id": extra.id, "deleted": True}])
    assert pending(desk, sub) == [2100, -2100]


def test_another_interval_begins_anew(desk: Desk) -> None:
    sub = desk.subscribe(desk.plan(3100))
    desk.to(START + 10 * DAY)
    changed = desk.switch(sub, desk.plan(31000, "year"))
    now = START + 10 * DAY
    assert (changed.billing_cycle_anchor, span(changed)) == (now, (now, now + 365 * DAY))
    invoice = desk.invoice(sub)
    assert (amounts(invoice), invoice.total, invoice.status) == ([-2100, 31000], 28900, "paid")


def test_the_anchor_moves_to_now(desk: Desk) -> None:
    sub = desk.subscribe(desk.plan(3100))
    desk.to(START + 10 * DAY)
    changed = desk.update(sub, billing_cycle_anchor={"type": "now"})
    now = START + 10 * DAY
    assert (changed.billing_cycle_anchor, span(changed)) == (now, (now, now + 31 * DAY))
    assert amounts(desk.invoice(sub)) == [-2100, 3100]


def test_from_free_to_paid_bills_at_once(desk: Desk) -> None:
    sub = desk.subscribe(desk.plan(0))
    desk.to(START + 10 * DAY)
    changed = desk.switch(sub, desk.plan(3100))
    assert span(changed)[0] == START + 10 * DAY
    assert (amounts(desk.invoice(sub)), desk.invoice(sub).status) == ([3100], "paid")


def test_a_credit_stays_with_the_customer(desk: Desk) -> None:
    sub = desk.subscribe(desk.plan(6200))
    desk.to(START + 10 * DAY)
    desk.switch(sub, desk.plan(3100), proration_behavior="always_invoice")
    assert (desk.invoice(sub).total, desk.invoice(sub).status) == (-2100, "paid")
    assert desk.v1.customers.retrieve(sub.customer).balance == -2100
    desk.to(FEBRUARY + 2 * 3600)
    renewal = desk.invoice(sub)
    assert (renewal.total, renewal.amount_due, renewal.amount_paid, renewal.status) == (
        3100,
        1000,
        1000,
        "paid",
    )


def test_prorations_know_the_discount(desk: Desk) -> None:
    coupon = desk.v1.coupons.create(params={"percent_off": 50, "duration": "forever"})
    sub = desk.subscribe(desk.plan(3100), discounts=[{"coupon": coupon.id}])
    desk.to(START + 10 * DAY)
    desk.switch(sub, desk.plan(6200), proration_behavior="always_invoice")
    assert (amounts(desk.invoice(sub)), desk.invoice(sub).total) == ([-1050, 2100], 1050)


def test_within_a_trial_nothing_is_prorated(desk: Desk) -> None:
    sub = desk.subscribe(desk.plan(3100), trial_period_days=14)
    desk.to(START + 5 * DAY)
    changed = desk.switch(sub, desk.plan(90000, "year"))
    assert (changed.status, pending(desk, sub), span(changed)) == ("trialing", [], (START, START + 14 * DAY))
    desk.to(START + 14 * DAY)
    assert span(desk.again(sub))[1] == START + (14 + 365) * DAY


def swap_card(desk: Desk, sub: Any, card: str) -> None:
    """From now on this card is charged."""
    made = desk.v1.payment_methods.attach(card, params={"customer": sub.customer})
    desk.v1.customers.update(sub.customer, params={"invoice_settings": {"default_payment_method": made.id}})


@pytest.mark.parametrize("behavior", ["allow_incomplete", "default_incomplete"])
def test_an_unpaid_change_makes_past_due(desk: Desk, behavior: str) -> None:
    sub = desk.subscribe(desk.plan(3100))
    swap_card(desk, sub, DECLINED)
    desk.to(START + 10 * DAY)
    changed = desk.switch(
        sub, desk.plan(6200), proration_behavior="always_invoice", payment_behavior=behavior
    )
    assert changed.status == "past_due"
    assert (desk.invoice(sub).status, desk.invoice(sub).attempt_count) == (
        "open",
        int(behavior == "allow_incomplete"),
    )
    assert desk.again(sub)["items"].data[0].price.unit_amount == 6200
    swap_card(desk, sub, "pm_card_visa")
    desk.v1.invoices.pay(desk.invoice(sub).id)
    assert desk.again(sub).status == "active"


def test_error_if_incomplete_changes_nothing(desk: Desk) -> None:
    sub = desk.subscribe(desk.plan(3100))
    swap_card(desk, sub, DECLINED)
    desk.to(START + 10 * DAY)
    with pytest.raises(stripe.CardError):
        desk.switch(
            sub, desk.plan(6200), proration_behavior="always_invoice", payment_behavior="error_if_incomplete"
        )
    kept = desk.again(sub)
    assert (kept.status, kept.latest_invoice) == ("active", sub.latest_invoice)
    assert kept["items"].data[0].price.unit_amount == 3100
    assert pending(desk, sub) == []


WAITING: Any = {"proration_behavior": "always_invoice", "payment_behavior": "pending_if_incomplete"}


def test_a_pending_update_is_applied_when_it_is_paid(desk: Desk) -> None:
    sub = desk.subscribe(desk.plan(3100))
    swap_card(desk, sub, DECLINED)
    desk.to(START + 10 * DAY)
    waiting = desk.switch(sub, desk.plan(6200), **WAITING)
    assert (waiting.status, waiting["items"].data[0].price.unit_amount) == ("active", 3100)
    update = waiting.pending_update
    assert update.expires_at == START + 10 * DAY + 23 * 3600
    assert update.subscription_items[0].price.unit_amount == 6200
    desk.events()
    swap_card(desk, sub, "pm_card_visa")
    desk.v1.invoices.pay(waiting.latest_invoice)
    applied = desk.again(sub)
    assert (applied.pending_update, applied["items"].data[0].price.unit_amount) == (None, 6200)
    assert desk.events("customer.subscription") == [
        "customer.subscription.pending_update_applied", "customer.subscription.updated",
    ]  # fmt: skip


def test_a_pending_update_expires_after_23_hours(desk: Desk) -> None:
    sub = desk.subscribe(desk.plan(3100))
    swap_card(desk, sub, DECLINED)
    desk.to(START + 10 * DAY)
    waiting = desk.switch(sub, desk.plan(6200), **WAITING)
    desk.events()
    desk.to(START + 11 * DAY)
    kept = desk.again(sub)
    assert (kept.status, kept.pending_update, kept["items"].data[0].price.unit_amount) == (
        "active",
        None,
        3100,
    )
    assert desk.v1.invoices.retrieve(waiting.latest_invoice).status == "void"
    assert desk.events("customer.subscription", "invoice.voided") == [
        "customer.subscription.pending_update_expired", "customer.subscription.updated", "invoice.voided",
    ]  # fmt: skip


def test_a_pending_update_that_is_paid_at_once(desk: Desk) -> None:
    sub = desk.subscribe(desk.plan(3100))
    desk.to(START + 10 * DAY)
    desk.events()
    changed = desk.switch(sub, desk.plan(6200), **WAITING)
    assert (changed.pending_update, changed["items"].data[0].price.unit_amount) == (None, 6200)
    assert "customer.subscription.pending_update_applied" not in desk.events()


def test_a_pending_update_takes_only_what_can_wait(desk: Desk) -> None:
    sub = desk.subscribe()
    with pytest.raises(stripe.InvalidRequestError, match="pending updates") as caught:
        desk.switch(sub, desk.plan(6200), metadata={"a": "b"}, **WAITING)
    assert caught.value.param == "metadata"


# ------------------------------------------------------------------------------- pausing, resuming


def test_pause_and_resume(desk: Desk) -> None:
    sub = desk.subscribe(desk.plan(3100))
    desk.to(START + 10 * DAY)
    desk.events()
    paused = desk.v1.subscriptions.pause(sub.id)
    assert paused.status == "paused"
    why = paused.status_details.paused
    assert (why.type, why.subscription.type, why.transitioned_at) == (
        "subscription",
        "pause_requested",
        START + 10 * DAY,
    )
    assert desk.events("customer.subscription") == [
        "customer.subscription.updated",
        "customer.subscription.paused",
    ]
    assert pending(desk, sub) == [-2100]
    desk.to(START + 60 * DAY)
    assert desk.again(sub).latest_invoice == sub.latest_invoice
    desk.events()
    resumed = desk.v1.subscriptions.resume(sub.id)
    now = START + 60 * DAY
    assert (resumed.status, resumed.status_details, span(resumed)) == ("active", None, (now, now + 31 * DAY))
    assert amounts(desk.invoice(sub)) == [-2100, 3100]
    assert "customer.subscription.resumed" in desk.events()
    with pytest.raises(stripe.InvalidRequestError, match="only resume a paused"):
        desk.v1.subscriptions.resume(sub.id)


def test_resume_in_the_old_rhythm(desk: Desk) -> None:
    sub = desk.subscribe(desk.plan(3100))
    desk.v1.subscriptions.pause(sub.id, params={"bill_for": {"unused_time_from": {"type": "none"}}})
    desk.to(START + 10 * DAY)
    resumed = desk.v1.subscriptions.resume(sub.id, params={"billing_cycle_anchor": {"type": "unchanged"}})
    assert (resumed.status, span(resumed)) == ("active", (START + 10 * DAY, FEBRUARY))
    assert pending(desk, sub) == [2100]


@pytest.mark.parametrize(
    ("behavior", "status", "after"),
    [
        ("resume_on_payment_attempt", "past_due", "past_due"),
        ("resume_on_payment_success", "paused", "paused"),
    ],
)
def test_resuming_without_money(desk: Desk, behavior: str, status: str, after: str) -> None:
    sub = desk.subscribe(desk.plan(3100))
    desk.v1.subscriptions.pause(sub.id, params={"bill_for": {"unused_time_from": {"type": "none"}}})
    swap_card(desk, sub, DECLINED)
    desk.to(START + 10 * DAY)
    resumed = desk.v1.subscriptions.resume(sub.id, params={"payment_behavior": behavior})
    assert resumed.status == status
    if status == "paused":
        desk.to(START + 11 * DAY)
        assert desk.v1.invoices.retrieve(resumed.latest_invoice).status == "void"
    assert desk.again(sub).status == after


def test_resuming_when_the_invoice_is_paid(desk: Desk) -> None:
    sub = desk.subscribe(desk.plan(3100))
    desk.v1.subscriptions.pause(sub.id, params={"bill_for": {"unused_time_from": {"type": "none"}}})
    waiting = desk.v1.subscriptions.resume(sub.id, params={"payment_behavior": "resume_on_payment_success"})
    assert waiting.status == "paused"
    desk.v1.invoices.pay(waiting.latest_invoice)
    assert desk.again(sub).status == "active"


def test_who_cannot_be_paused(desk: Desk) -> None:
    classic = desk.subscribe(billing_mode={"type": "classic"})
    with pytest.raises(stripe.InvalidRequestError, match="flexible"):
        desk.v1.subscriptions.pause(classic.id)
    unpaid = desk.subscribe(customer=desk.customer(None), payment_behavior="default_incomplete")
    with pytest.raises(stripe.InvalidRequestError, match="status of `incomplete`"):
        desk.v1.subscriptions.pause(unpaid.id)


@pytest.mark.parametrize(
    ("behavior", "status"),
    [("keep_as_draft", "draft"), ("void", "void"), ("mark_uncollectible", "uncollectible")],
)
def test_collection_paused(desk: Desk, behavior: str, status: str) -> None:
    sub = desk.subscribe()
    paused = desk.update(sub, pause_collection={"behavior": behavior, "resumes_at": FEBRUARY + 10 * DAY})
    assert (paused.status, paused.pause_collection.behavior) == ("active", behavior)
    desk.to(FEBRUARY + DAY)
    kept = desk.again(sub)
    assert (kept.status, desk.invoice(sub).status) == ("active", status)
    desk.to(FEBRUARY + 29 * DAY)
    assert desk.again(sub).pause_collection is None
    assert desk.invoice(sub).status == "paid"
    desk.update(sub, pause_collection={"behavior": "void"})
    assert desk.update(sub, pause_collection="").pause_collection is None
