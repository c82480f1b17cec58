"""What invoices have from the subscriptions they bill: lines, parent, discounts, balance, previews."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.conftest import Simulator
from tests.simulator.desk import DAY, HOUR, Desk, refused


def _subscribed(desk: Desk, customer: Any, **more: Any) -> Any:
    price = desk.shop.price(1000, recurring={"interval": "month"})
    return desk.v1.subscriptions.create(
        params={"customer": customer.id, "items": [{"price": price.id}], **more}
    )


def test_the_shape_of_a_line(desk: Desk) -> None:
    sub = _subscribed(desk, desk.customer("pm_card_visa"), metadata={"a": "b"})
    made = desk.v1.invoices.retrieve(sub.latest_invoice)
    item, line = sub["items"].data[0], made.lines.data[0]
    assert made.parent.type == "subscription_details"
    assert made.parent.subscription_details.subscription == sub.id
    assert made.parent.subscription_details.metadata.to_dict() == {"a": "b"}
    details = line.parent.subscription_item_details
    assert line.parent.type == "subscription_item_details" and line.parent.invoice_item_details is None
    assert (details.subscription_item, details.subscription, details.proration) == (item.id, sub.id, False)
    assert line.pricing.price_details.price == item.price.id
    assert (line.period.start, line.period.end) == (item.current_period_start, item.current_period_end)
    assert [x.id for x in desk.v1.invoices.list(params={"subscription": sub.id}).data] == [made.id]


@pytest.mark.parametrize(
    ("duration", "totals"),
    [
        ({"duration": "once"}, [500, 1000, 1000]),
        ({"duration": "repeating", "duration_in_months": 2}, [500, 500, 1000]),
        ({"duration": "forever"}, [500, 500, 500]),
    ],
)
def test_how_long_a_discount_lasts(
    desk: Desk, simulator: Simulator, duration: dict[str, Any], totals: list[int]
) -> None:
    coupon = desk.v1.coupons.create(params={"percent_off": 50, **duration})  # type: ignore[typeddict-item]
    sub = _subscribed(desk, desk.customer("pm_card_visa"), discounts=[{"coupon": coupon.id}])
    for _ in range(2):
        end = desk.v1.subscriptions.retrieve(sub.id)["items"].data[0].current_period_end
        simulator.control("clock", to=end + 2 * HOUR)
    found = desk.v1.invoices.list(params={"subscription": sub.id}).data[::-1]
    assert [x.total for x in found] == totals
    assert [x.status for x in found] == ["paid"] * 3
    left = desk.v1.subscriptions.retrieve(sub.id).discounts or []
    assert len(left) == (1 if duration["duration"] == "forever" else 0)


def test_pending_items_and_credit_go_with_the_renewal(desk: Desk, simulator: Simulator) -> None:
    customer = desk.customer("pm_card_visa")
    sub = _subscribed(desk, customer)
    desk.item(customer, 300)
    desk.v1.customers.update(customer.id, params={"balance": -400})
    shown = desk.v1.invoices.create_preview(params={"customer": customer.id})
    assert (shown.total, shown.amount_due) == (1300, 900)
    simulator.control("clock", to=sub["items"].data[0].current_period_end + 2 * HOUR)
    made = desk.v1.invoices.list(params={"subscription": sub.id}).data[0]
    assert (made.total, made.amount_due, made.amount_paid, made.status) == (1300, 900, 900, "paid")
    assert desk.balance(customer) == 0


def test_what_is_not_paid_is_tried_for_two_weeks(desk: Desk, simulator: Simulator) -> None:
    customer = desk.customer("pm_card_visa")
    sub = _subscribed(desk, customer)
    fails = desk.v1.payment_methods.attach("pm_card_chargeCustomerFail", params={"customer": customer.id})
    desk.v1.customers.update(customer.id, params={"invoice_settings": {"default_payment_method": fails.id}})
    end = sub["items"].data[0].current_period_end
    simulator.control("clock", to=end + 2 * HOUR)
    made = desk.v1.invoices.list(params={"subscription": sub.id}).data[0]
    assert (made.status, made.attempt_count) == ("open", 1) and made.next_payment_attempt
    assert desk.v1.subscriptions.retrieve(sub.id).status == "past_due"
    desk.v1.invoices.pay(made.id, params={"payment_method": "pm_card_visa"})
    assert desk.v1.subscriptions.retrieve(sub.id).status == "active"
    simulator.control("clock", advance=20 * DAY)
    assert desk.again(made).attempt_count == 2


# ----------------------------------------------------------------------------------------- previews


def test_a_preview_of_the_renewal_is_the_renewal(desk: Desk, simulator: Simulator) -> None:
    sub = _subscribed(desk, desk.customer("pm_card_visa"))
    shown = desk.v1.invoices.create_preview(params={"subscription": sub.id})
    end = sub["items"].data[0].current_period_end
    assert (shown.billing_reason, shown.status, shown.created, shown.period_end) == (
        "upcoming",
        "draft",
        end,
        end,
    )
    assert shown.parent.subscription_details.subscription == sub.id
    simulator.control("clock", to=end + 2 * HOUR)
    made = desk.v1.invoices.list(params={"subscription": sub.id}).data[0]
    assert (made.total, made.lines.data[0].description) == (shown.total, shown.lines.data[0].description)
    assert made.lines.data[0].period == shown.lines.data[0].period


@pytest.mark.parametrize("behavior", ["create_prorations", "always_invoice", "none"])
def test_a_preview_of_a_change_is_the_change(desk: Desk, simulator: Simulator, behavior: Any) -> None:
    sub = _subscribed(desk, desk.customer("pm_card_visa"))
    item, other = sub["items"].data[0], desk.shop.price(3000, recurring={"interval": "month"})
    simulator.control("clock", advance=10 * DAY)
    change: Any = {"items": [{"id": item.id, "price": other.id}], "proration_behavior": behavior}
    date = {} if behavior == "none" else {"proration_date": item.current_period_start + 10 * DAY}
    shown = desk.v1.invoices.create_preview(
        params={"subscription": sub.id, "subscription_details": change | date}
    )
    assert desk.v1.subscriptions.retrieve(sub.id)["items"].data[0].price.id == item.price.id
    assert len(desk.v1.invoices.list().data) == 1
    now = desk.v1.subscriptions.update(sub.id, params=change | date)
    if behavior != "always_invoice":
        simulator.control("clock", to=now["items"].data[0].current_period_end + 2 * HOUR)
    made = desk.v1.invoices.list(params={"subscription": sub.id}).data[0]
    assert made.total == shown.total
    assert [x.amount for x in made.lines.data] == [x.amount for x in shown.lines.data]
    assert {x.parent.subscription_item_details.proration for x in shown.lines.data} == {
        "create_prorations": {True, False}, "always_invoice": {True}, "none": {False},
    }[behavior]  # fmt: skip


def test_previews_of_what_begins_and_of_what_ends(desk: Desk) -> None:
    customer = desk.customer("pm_card_visa")
    price = desk.shop.price(1000, recurring={"interval": "month"})
    items: Any = {"items": [{"price": price.id, "quantity": 2}]}
    coupon = desk.v1.coupons.create(params={"percent_off": 50})
    shown = desk.v1.invoices.create_preview(
        params={"customer": customer.id, "subscription_details": items, "discounts": [{"coupon": coupon.id}]}
    )
    assert (shown.total, shown.subtotal, shown.status) == (1000, 2000, "draft")
    assert desk.v1.subscriptions.list().data == [] and desk.v1.invoices.list().data == []
    sub = _subscribed(desk, customer)
    ends: Any = {"cancel_at_period_end": True}
    error = refused(
        lambda: desk.v1.invoices.create_preview(params={"subscription": sub.id, "subscription_details": ends})
    )
    assert (error.code, error.http_status) == ("invoice_upcoming_none", 404)
    now: Any = {"cancel_now": True}
    credit = desk.v1.invoices.create_preview(params={"subscription": sub.id, "subscription_details": now})
    assert -1000 <= credit.total <= -990 and credit.amount_due == 0
    assert desk.v1.subscriptions.retrieve(sub.id).status == "active"
