"""What Checkout Sessions refuse, and what they only keep."""

import time

import pytest
import stripe


def refused(shop, **more):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.session(**more)
    return caught.value


def coupon(shop, **more):
    return shop.v1.coupons.create(params={"percent_off": 10, "duration": "once"} | more).id


def test_coupons_that_cannot_be_used(shop):
    spent = coupon(shop, max_redemptions=1)
    assert shop.pay(shop.session(discounts=[{"coupon": spent}])).status == 303
    assert "no longer valid" in str(refused(shop, discounts=[{"coupon": spent}]))
    over = coupon(shop, redeem_by=int(time.time()) + 60)
    shop.simulator.control("clock", advance=120)
    assert "expired" in str(refused(shop, discounts=[{"coupon": over}]))
    foreign = shop.v1.coupons.create(params={"amount_off": 100, "currency": "eur", "duration": "once"}).id
    assert "currency" in str(refused(shop, discounts=[{"coupon": foreign}]))


@pytest.mark.parametrize("recurring", [None, {"interval": "month"}])
def test_a_coupon_with_several_currencies(shop, recurring):
    made = shop.v1.coupons.create(
        params={"amount_off": 100, "currency": "usd", "currency_options": {"eur": {"amount_off": 70}}}
    )
    price = shop.price(1000, "eur", **({"recurring": recurring} if recurring else {}))
    session = shop.v1.checkout.sessions.create(
        params={
            "mode": "subscription" if recurring else "payment", "success_url": "http://127.0.0.1:9/ok",
            "line_items": [{"price": price.id, "quantity": 1}], "discounts": [{"coupon": made.id}],
        }
    )  # fmt: skip
    assert session.amount_total == 930
    assert shop.pay(session).status == 303


def test_codes_that_cannot_be_used(shop):
    owner = shop.v1.customers.create(params={"email": "a@example.com"})
    given = {"promotion": {"type": "coupon", "coupon": coupon(shop)}}
    theirs = shop.v1.promotion_codes.create(params=given | {"customer": owner.id})
    assert refused(shop, discounts=[{"promotion_code": theirs.id}]).param == "discounts[0][promotion_code]"
    once = shop.v1.promotion_codes.create(params=given | {"max_redemptions": 1})
    assert shop.pay(shop.session(discounts=[{"promotion_code": once.id}])).status == 303
    refused(shop, discounts=[{"promotion_code": once.id}])


def test_sums_lines_and_currencies(shop):
    assert refused(shop, amount=10).code == "amount_too_small"
    assert refused(shop, amount=99_999_999, quantity=2).code == "amount_too_large"
    assert refused(shop, currency="usd", line={"quantity": 0}).param == "line_items[0][quantity]"
    price = shop.price(500).id
    with pytest.raises(stripe.InvalidRequestError, match="not available in eur"):
        shop.v1.checkout.sessions.create(
            params={
                "mode": "payment", "currency": "eur", "success_url": "http://x.test",
                "line_items": [{"price": price, "quantity": 1}],
            }
        )  # fmt: skip


def test_what_is_only_kept(shop):
    fields = [
        {"key": "size", "type": "dropdown", "label": {"type": "custom", "custom": "Size"},
         "dropdown": {"options": [{"label": "S", "value": "s"}]}},
        {"key": "note", "type": "text", "label": {"type": "custom", "custom": "Note"}, "optional": True},
    ]  # fmt: skip
    shipping = {"name": "Jenny", "address": {"line1": "1 Road", "country": "DE"}}
    session = shop.session(
        custom_fields=fields,
        payment_intent_data={"shipping": shipping},
        line={"adjustable_quantity": {"enabled": True}},
    )
    assert [f.key for f in session.custom_fields] == ["size", "note"]
    assert shop.pay(session).status == 303
    intent = shop.again(session, "payment_intent").payment_intent
    assert intent.shipping.address.country == "DE"
