"""Subscriptions as they are made, read, changed in small things and canceled."""

from typing import Any

import pytest
import stripe

from tests.simulator.conftest import Shop, Simulator
from tests.simulator.subscribing import DAY, START, Desk, amounts, span


@pytest.fixture
def desk(shop: Shop, simulator: Simulator) -> Desk:
    return Desk(shop, simulator)


FEBRUARY = START + 31 * DAY


def test_a_subscription_paid_at_once(desk: Desk) -> None:
    owner = desk.customer()
    plan = desk.plan()
    desk.events()
    sub = desk.subscribe(plan, customer=owner, metadata={"order": "1"}, expand=["latest_invoice.payments"])
    assert (sub.status, sub.currency, sub.collection_method, sub.test_clock) == (
        "active", "usd", "charge_automatically", desk.clock.id,
    )  # fmt: skip
    assert span(sub) == (START, FEBRUARY)
    assert sub.billing_cycle_anchor == sub.start_date == sub.created == START
    item = sub["items"].data[0]
    assert (item.price.id, item.quantity, item.plan.amount, item.subscription) == (plan, 1, 2000, sub.id)
    invoice = sub.latest_invoice
    assert (invoice.status, invoice.total, invoice.billing_reason) == ("paid", 2000, "subscription_create")
    assert invoice.parent.subscription_details.subscription == sub.id
    assert invoice.parent.subscription_details.metadata.to_dict() == {"order": "1"}
    assert invoice.lines.data[0].description == "1 × Pro (at $20.00 / month)"
    assert len(invoice.payments.data) == 1
    assert desk.v1.customers.retrieve(owner.id).currency == "usd"
    assert desk.events() == [
        "customer.updated", "payment_intent.created", "charge.succeeded", "payment_intent.succeeded",
        "customer.subscription.created", "invoice.created", "invoice.finalized", "invoice.updated", "invoice.paid",
        "invoice.payment_succeeded", "invoice_payment.paid",
    ]  # fmt: skip
    assert desk.last("customer.subscription.created").data.object.status == "active"


DECLINED = "pm_card_chargeCustomerFail"
CHALLENGED = "pm_card_threeDSecure2Required"


@pytest.mark.parametrize(
    ("card", "behavior", "status", "intent"),
    [
        ("pm_card_visa", None, "active", "succeeded"),
        ("pm_card_visa", "default_incomplete", "incomplete", "requires_payment_method"),
        ("pm_card_visa", "error_if_incomplete", "active", "succeeded"),
        ("pm_card_visa", "pending_if_incomplete", "active", "succeeded"),
        (DECLINED, None, "incomplete", "requires_payment_method"),
        (DECLINED, "default_incomplete", "incomplete", "requires_payment_method"),
        (DECLINED, "allow_incomplete", "incomplete", "requires_payment_method"),
        (CHALLENGED, "allow_incomplete", "incomplete", "requires_action"),
        (None, "default_incomplete", "incomplete", "requires_payment_method"),
    ],
)
def test_payment_behaviors(
    desk: Desk, card: str | None, behavior: str | None, status: str, intent: str
) -> None:
    more = {"payment_behavior": behavior} if behavior else {}
    sub = desk.subscribe(customer=desk.customer(card), **more, expand=["latest_invoice.payments"])
    assert sub.status == status
    paid = desk.v1.payment_intents.retrieve(sub.latest_invoice.payments.data[0].payment.payment_intent)
    assert paid.status == intent
    assert sub.latest_invoice.status == ("paid" if status == "active" else "open")


@pytest.mark.parametrize(
    ("card", "code"),
    [(DECLINED, "card_declined"), (CHALLENGED, "subscription_payment_intent_requires_action")],
)
def test_error_if_incomplete_leaves_nothing(desk: Desk, card: str, code: str) -> None:
    owner = desk.customer(card)
    desk.events()
    with pytest.raises(stripe.CardError) as caught:
        desk.subscribe(desk.plan(), customer=owner, payment_behavior="error_if_incomplete")
    assert (caught.value.http_status, caught.value.code) == (402, code)
    assert desk.v1.subscriptions.list(params={"customer": owner.id, "status": "all"}).data == []
    assert desk.events("customer", "invoice", "charge", "payment_intent") == []


def test_an_incomplete_subscription_becomes_active_when_its_invoice_is_paid(desk: Desk) -> None:
    owner = desk.customer(None)
    sub = desk.subscribe(
        customer=owner, payment_behavior="default_incomplete", expand=["latest_invoice.payments"],
        payment_settings={"save_default_payment_method": "on_subscription"},
    )  # fmt: skip
    desk.events()
    intent = sub.latest_invoice.payments.data[0].payment.payment_intent
    desk.v1.payment_intents.confirm(intent, params={"payment_method": "pm_card_visa"})
    paid = desk.again(sub)
    assert paid.status == "active"
    assert desk.v1.payment_methods.retrieve(paid.default_payment_method).customer == owner.id
    previous = desk.last("customer.subscription.updated").data.previous_attributes
    assert previous.to_dict() == {"status": "incomplete", "default_payment_method": None}


def test_an_incomplete_subscription_expires_after_23_hours(desk: Desk) -> None:
    sub = desk.subscribe(customer=desk.customer(DECLINED))
    desk.to(START + 23 * 3600 - 1)
    assert desk.again(sub).status == "incomplete"
    desk.events()
    desk.to(START + 23 * 3600)
    assert desk.again(sub).status == "incomplete_expired"
    assert desk.invoice(sub).status == "void"
    told = desk.events("customer.subscription", "invoice.voided")
    assert told == ["customer.subscription.updated", "invoice.voided"]
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription"):
        desk.v1.subscriptions.cancel(sub.id)


def test_without_a_payment_method(desk: Desk) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="no attached payment source") as caught:
        desk.subscribe(customer=desk.customer(None))
    assert caught.value.code == "resource_missing"
    free = desk.subscribe(desk.plan(0), customer=desk.customer(None))
    assert (free.status, desk.invoice(free).status) == ("active", "paid")


@pytest.mark.parametrize(
    ("params", "said", "param"),
    [
        ({"items": []}, "Missing required param: items", "items"),
        ({"items": [{"quantity": 2}]}, "Missing required param", "items[0][price]"),
        ({"items": [{"price": "price_x"}]}, "No such price: 'price_x'", "items[0][price]"),
        ({"trial_period_days": 3, "trial_end": START + DAY}, "only specify one of", "trial_end"),
        ({"trial_end": START - 1}, "in the future", "trial_end"),
        ({"trial_period_days": 731}, "trial_period_days", "trial_period_days"),
        ({"billing_cycle_anchor": START + 40 * DAY}, "later than next natural", "billing_cycle_anchor"),
        ({"collection_method": "send_invoice"}, "days_until_due", "days_until_due"),
        ({"default_payment_method": "pm_x"}, "does not have a payment method", "default_payment_method"),
        ({"customer": "cus_x"}, "No such customer: 'cus_x'", "customer"),
        ({"payment_behavior": "later"}, "Invalid payment_behavior", "payment_behavior"),
        (
            {"items": [{"price": "monthly", "quantity": -1}]},
            "greater than or equal to 0",
            "items[0][quantity]",
        ),
        ({"items": [{"price": "monthly"}, {"price": "monthly"}]}, "same plan", "items[1][price]"),
        ({"items": [{"price": "monthly"}, {"price": "yearly"}]}, "recurring.interval", "items[1][price]"),
        ({"items": [{"price": "monthly"}, {"price": "euro"}]}, "only supports `eur`", "items[1][price]"),
        ({"items": [{"price": "once"}]}, "type=recurring", "items[0][price]"),
    ],
)
def test_what_cannot_be_subscribed(desk: Desk, params: dict[str, Any], said: str, param: str) -> None:
    prices = {
        "monthly": desk.plan(), "yearly": desk.plan(interval="year"), "euro": desk.plan(currency="eur"),
        "once": desk.v1.prices.create(params={"product": desk.product.id, "currency": "usd", "unit_amount": 5}).id,
    }  # fmt: skip
    given: Any = {"customer": desk.customer().id, "items": [{"price": "monthly"}]} | params
    given["items"] = [
        x | {"price": prices.get(x["price"], x["price"])} if "price" in x else x for x in given["items"]
    ]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        desk.v1.subscriptions.create(params=given)
    assert said in str(caught.value)
    assert caught.value.param == param


def test_one_customer_one_currency(desk: Desk) -> None:
    owner = desk.customer()
    desk.subscribe(customer=owner)
    with pytest.raises(stripe.InvalidRequestError, match="cannot combine currencies"):
        desk.subscribe(desk.plan(currency="eur"), customer=owner)


def test_several_items_quantities_and_extras(desk: Desk) -> None:
    once = desk.v1.prices.create(params={"product": desk.product.id, "currency": "usd", "unit_amount": 500})
    sub = desk.subscribe(
        desk.plan(1000), desk.plan(300), add_invoice_items=[{"price": once.id, "quantity": 2}],
        items=[{"price": desk.plan(1000), "quantity": 3}, {"price": desk.plan(300)}],
    )  # fmt: skip
    invoice = desk.invoice(sub)
    assert (amounts(invoice), invoice.total) == ([3000, 300, 1000], 4300)
    listed = desk.v1.subscription_items.list(params={"subscription": sub.id}).data
    assert [x.quantity for x in listed] == [3, 1]


TIERS: list[dict[str, Any]] = [
    {"up_to": 5, "unit_amount": 700, "flat_amount": 100},
    {"up_to": "inf", "unit_amount": 650},
]


@pytest.mark.parametrize(
    ("more", "quantity", "total"),
    [
        ({"billing_scheme": "tiered", "tiers_mode": "volume", "tiers": TIERS}, 6, 3900),
        ({"billing_scheme": "tiered", "tiers_mode": "volume", "tiers": TIERS}, 5, 3600),
        ({"billing_scheme": "tiered", "tiers_mode": "graduated", "tiers": TIERS}, 6, 4250),
        ({"unit_amount": 100, "transform_quantity": {"divide_by": 10, "round": "up"}}, 21, 300),
        ({"unit_amount": 100, "transform_quantity": {"divide_by": 10, "round": "down"}}, 21, 200),
        ({"unit_amount_decimal": "0.5"}, 101, 51),
    ],
)
def test_prices_of_every_kind(desk: Desk, more: Any, quantity: int, total: int) -> None:
    given: Any = {"product": desk.product.id, "currency": "usd", "recurring": {"interval": "month"}} | more
    price = desk.v1.prices.create(params=given)
    sub = desk.subscribe(items=[{"price": price.id, "quantity": quantity}])
    assert desk.invoice(sub).subtotal == total


@pytest.mark.parametrize(("behavior", "amount"), [("create_prorations", 967), ("none", 0)])
def test_an_anchor_ahead_cuts_the_first_period_short(desk: Desk, behavior: str, amount: int) -> None:
    anchor = START + 15 * DAY
    sub = desk.subscribe(billing_cycle_anchor=anchor, proration_behavior=behavior)
    assert span(sub) == (START, anchor)
    # 15 of the 31 days from 16 December to 16 January, floored.
    assert amounts(desk.invoice(sub)) == [amount]
    desk.to(anchor)
    assert span(desk.again(sub)) == (anchor, anchor + 31 * DAY)


def test_an_anchor_by_its_day(desk: Desk) -> None:
    sub = desk.subscribe(
        billing_cycle_anchor_config={"day_of_month": 31, "hour": 12, "minute": 0, "second": 0}
    )
    assert sub.billing_cycle_anchor == START + 30 * DAY + DAY // 2


def test_discounts_and_tax_reach_the_invoice(desk: Desk) -> None:
    coupon = desk.v1.coupons.create(params={"percent_off": 25, "duration": "forever"})
    rate = desk.v1.tax_rates.create(params={"display_name": "VAT", "percentage": 20, "inclusive": False})
    sub = desk.subscribe(discounts=[{"coupon": coupon.id}], default_tax_rates=[rate.id], expand=["discounts"])
    assert sub.discounts[0].source.coupon == coupon.id
    assert sub.discounts[0].subscription == sub.id
    assert [r.id for r in sub.default_tax_rates] == [rate.id]
    invoice = desk.invoice(sub)
    assert (invoice.subtotal, invoice.total_discount_amounts[0].amount, invoice.total) == (2000, 500, 1800)
    assert "customer.discount.created" in desk.events()


def test_lists_and_filters(desk: Desk) -> None:
    owner, plan, other = desk.customer(), desk.plan(), desk.plan(5000)
    first = desk.subscribe(plan, customer=owner)
    second = desk.subscribe(other, customer=owner, trial_period_days=30)
    desk.v1.subscriptions.cancel(first.id)

    def ids(**params: Any) -> list[str]:
        return [s.id for s in desk.v1.subscriptions.list(params=params).data]  # type: ignore[arg-type]

    assert ids(customer=owner.id) == [second.id]
    assert ids(status="all") == [second.id, first.id]
    assert ids(status="canceled") == ids(status="ended") == [first.id]
    assert ids(status="trialing", price=other) == [second.id]
    assert ids(price=plan) == []
    assert ids(test_clock=desk.clock.id, current_period_end={"gt": START + 29 * DAY}) == [second.id]
    assert ids(current_period_start=START + 1) == []


# ---------------------------------------------------------------------------------------- canceling


def test_cancel_now(desk: Desk) -> None:
    sub = desk.subscribe()
    desk.events()
    gone = desk.v1.subscriptions.cancel(
        sub.id, params={"cancellation_details": {"feedback": "unused", "comment": "Bye"}}
    )
    assert (gone.status, gone.ended_at, gone.canceled_at) == ("canceled", START, START)
    details = gone.cancellation_details
    assert (details.reason, details.feedback, details.comment) == ("cancellation_requested", "unused", "Bye")
    assert desk.events() == ["customer.subscription.deleted"]
    with pytest.raises(stripe.InvalidRequestError, match=f"No such subscription: '{sub.id}'") as caught:
        desk.v1.subscriptions.cancel(sub.id)
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


@pytest.mark.parametrize(
    "params", [{"items": []}, {"cancel_at_period_end": True}, {"trial_end": "now"}, {"description": "x"}]
)
def test_a_canceled_subscription_takes_only_words(desk: Desk, params: dict[str, Any]) -> None:
    sub = desk.subscribe()
    desk.v1.subscriptions.cancel(sub.id)
    if "items" in params:
        params = {"items": [{"id": sub["items"].data[0].id, "quantity": 2}]}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        desk.update(sub, **params)
    assert caught.value.code == "invalid_canceled_subscription_fields"
    kept = desk.update(sub, metadata={"a": "b"}, cancellation_details={"comment": "Too late"})
    assert (kept.metadata.to_dict(), kept.cancellation_details.comment) == ({"a": "b"}, "Too late")


def test_cancel_with_what_is_owed_back(desk: Desk) -> None:
    sub = desk.subscribe(desk.plan(3100))
    desk.to(START + 10 * DAY)
    gone = desk.v1.subscriptions.cancel(sub.id, params={"prorate": True, "invoice_now": True})
    invoice = desk.v1.invoices.retrieve(gone.latest_invoice)
    assert (amounts(invoice), invoice.total, invoice.status) == ([-2100], -2100, "paid")
    assert desk.v1.customers.retrieve(gone.customer).balance == -2100


def test_cancel_at_the_end_of_the_period_and_not_after_all(desk: Desk) -> None:
    sub = desk.subscribe()
    desk.events()
    ending = desk.update(sub, cancel_at_period_end=True)
    assert (ending.status, ending.cancel_at, ending.canceled_at) == ("active", FEBRUARY, START)
    assert ending.cancellation_details.reason == "cancellation_requested"
    previous = desk.last("customer.subscription.updated").data.previous_attributes.to_dict()
    assert previous == {
        "cancel_at": None, "cancel_at_period_end": False, "canceled_at": None, "cancellation_details": {"reason": None},
    }  # fmt: skip
    back = desk.update(sub, cancel_at_period_end=False)
    assert (back.cancel_at, back.canceled_at, back.cancellation_details.reason) == (None, None, None)
    desk.update(sub, cancel_at_period_end=True)
    desk.events()
    desk.to(FEBRUARY)
    gone = desk.again(sub)
    assert (gone.status, gone.ended_at, gone.canceled_at) == ("canceled", FEBRUARY, START)
    assert desk.events("customer", "invoice") == ["customer.subscription.deleted"]


@pytest.mark.parametrize(("at", "ended"), [(START + 5 * DAY, START + 5 * DAY), ("min_period_end", FEBRUARY)])
def test_cancel_at_a_time(desk: Desk, at: int | str, ended: int) -> None:
    sub = desk.subscribe()
    ending = desk.update(sub, cancel_at=at)
    assert (ending.cancel_at, ending.cancel_at_period_end) == (ended, False)
    desk.to(START + 32 * DAY)
    gone = desk.again(sub)
    assert (gone.status, gone.ended_at) == ("canceled", ended)


def test_small_changes(desk: Desk) -> None:
    owner = desk.customer()
    sub = desk.subscribe(customer=owner, metadata={"a": "1", "b": "2"})
    card = desk.v1.payment_methods.attach("pm_card_mastercard", params={"customer": owner.id})
    desk.events()
    changed = desk.update(
        sub, metadata={"a": "", "c": "3"}, default_payment_method=card.id, description="For the team"
    )
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
    assert (changed.default_payment_method, changed.description) == (card.id, "For the team")
    previous = desk.last("customer.subscription.updated").data.previous_attributes.to_dict()
    assert previous == {
        "default_payment_method": None,
        "description": None,
        "metadata": {"a": "1", "c": None},
    }
    desk.events()
    desk.update(sub, description="For the team")
    assert desk.events() == []


def test_items_by_themselves(desk: Desk) -> None:
    sub = desk.subscribe()
    item = desk.v1.subscription_items.create(
        params={"subscription": sub.id, "price": desk.plan(500), "quantity": 2}
    )
    assert (item.subscription, item.quantity) == (sub.id, 2)
    changed = desk.v1.subscription_items.update(item.id, params={"quantity": 5, "metadata": {"seats": "5"}})
    assert (changed.quantity, changed.metadata["seats"]) == (5, "5")
    assert desk.v1.subscription_items.retrieve(item.id).quantity == 5
    assert len(desk.again(sub)["items"].data) == 2
    gone = desk.v1.subscription_items.delete(item.id)
    assert gone.deleted
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription_item"):
        desk.v1.subscription_items.retrieve(item.id)
    with pytest.raises(stripe.InvalidRequestError, match="at least one active plan"):
        desk.v1.subscription_items.delete(sub["items"].data[0].id)
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription item"):
        desk.update(sub, items=[{"id": "si_x", "quantity": 2}])


def test_migrating_is_refused(desk: Desk) -> None:
    sub = desk.subscribe()
    assert sub.billing_mode.type == "flexible"
    with pytest.raises(stripe.InvalidRequestError, match="already been migrated"):
        desk.v1.subscriptions.migrate(sub.id, params={"billing_mode": {"type": "flexible"}})


def test_old_spellings(desk: Desk, simulator: Simulator) -> None:
    coupon = desk.v1.coupons.create(params={"percent_off": 50, "duration": "forever"})
    fields = {"customer": desk.customer().id, "items[0][plan]": desk.plan(), "coupon": coupon.id}
    made = simulator.api("POST", "/v1/subscriptions", fields, version="2020-08-27").json()
    assert (made["status"], len(made["discounts"])) == ("active", 1)
    path = f"/v1/subscriptions/{made['id']}"
    desk.to(START + DAY)
    fields = {"billing_cycle_anchor": "now", "prorate": "false"}
    changed = simulator.api("POST", path, fields, version="2020-08-27").json()
    assert changed["billing_cycle_anchor"] == START + DAY


HUGE = 10**17


@pytest.mark.parametrize(
    "fields",
    [
        {"items[0][quantity]": HUGE}, {"billing_cycle_anchor": HUGE}, {"trial_end": HUGE}, {"cancel_at": HUGE},
        {"backdate_start_date": -HUGE}, {"backdate_start_date": HUGE}, {"days_until_due": HUGE}, {"trial_period_days": -1},
        {"billing_cycle_anchor_config[day_of_month]": 0}, {"billing_cycle_anchor_config[day_of_month]": 31},
        {"billing_cycle_anchor_config[day_of_month]": 5, "billing_cycle_anchor_config[hour]": 99},
        {"items[1][price_data][currency]": "usd", "items[1][price_data][product]": "prod_x",
         "items[1][price_data][recurring][interval]": "year"},
        {"items[0][price]": ""}, {"items": "x"}, {"metadata[a]": "b" * 501}, {"default_tax_rates[0]": "txr_x"},
        {"discounts[0][coupon]": "none"}, {"discounts[0][promotion_code]": "promo_x"}, {"cancel_at": "max_billed_until"},
        {"collection_method": "send_invoice", "days_until_due": HUGE}, {"add_invoice_items[0][price]": "price_x"},
        {"add_invoice_items[0][quantity]": 2}, {"pending_invoice_item_interval[interval]": "month"},
    ],
)  # fmt: skip
def test_odd_wishes_never_break_anything(desk: Desk, simulator: Simulator, fields: dict[str, Any]) -> None:
    given = {"customer": desk.customer().id, "items[0][price]": desk.plan()}
    if fields.keys() == {"items"}:
        given.pop("items[0][price]")
    assert simulator.api("POST", "/v1/subscriptions", given | fields).status in (200, 400)
    sub = desk.subscribe()
    own = {k: v for k, v in fields.items() if k not in ("backdate_start_date", "trial_period_days")}
    assert simulator.api("POST", f"/v1/subscriptions/{sub.id}", own).status in (200, 400)


@pytest.mark.parametrize("moment", [HUGE, -1, 253402300799])
def test_clocks_have_their_bounds(simulator: Simulator, moment: int) -> None:
    assert simulator.api("POST", "/v1/test_helpers/test_clocks", {"frozen_time": moment}).status == 400


@pytest.mark.parametrize(("interval", "count"), [("year", 4), ("month", 37), ("day", 0), ("week", HUGE)])
def test_intervals_have_their_bounds(desk: Desk, interval: str, count: int) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="between one day and three years"):
        desk.plan(interval=interval, recurring={"interval_count": count})


@pytest.mark.parametrize(
    ("back", "behavior", "lines"), [(31, None, [2000, 2000]), (46, None, [3032, 2000]), (31, "none", [2000])]
)
def test_a_start_in_the_past(desk: Desk, back: int, behavior: str | None, lines: list[int]) -> None:
    more = {"proration_behavior": behavior} if behavior else {}
    sub = desk.subscribe(backdate_start_date=START - back * DAY, **more)
    assert (sub.start_date, span(sub)) == (START - back * DAY, (START, FEBRUARY))
    assert amounts(desk.invoice(sub)) == lines
