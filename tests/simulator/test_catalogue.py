"""Products, prices, coupons, promotion codes, tax rates, customers and payment methods."""

import pytest
import stripe


def test_products(shop):
    product = shop.v1.products.create(
        params={
            "name": "Pro",
            "default_price_data": {
                "currency": "eur",
                "unit_amount": 4900,
                "recurring": {"interval": "month"},
            },
        }
    )
    price = shop.v1.prices.retrieve(product.default_price)
    assert price.type == "recurring"
    assert price.recurring.interval_count == 1
    changed = shop.v1.products.update(product.id, params={"description": "Better", "metadata": {"a": "1"}})
    assert changed.description == "Better"
    assert (
        shop.v1.products.update(
            product.id, params={"description": "", "metadata": {"a": ""}}
        ).metadata.to_dict()
        == {}
    )
    with pytest.raises(stripe.InvalidRequestError, match="user-created prices"):
        shop.v1.products.delete(product.id)
    bare = shop.v1.products.create(params={"name": "Bare", "id": "bare"})
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        shop.v1.products.create(params={"name": "Bare", "id": "bare"})
    assert shop.v1.products.delete(bare.id).deleted
    with pytest.raises(stripe.InvalidRequestError, match="No such product"):
        shop.v1.products.retrieve("bare")
    assert [p.id for p in shop.v1.products.list(params={"active": True}).data] == [product.id]


def test_prices_and_their_lookup_keys(shop):
    first = shop.price(1000, lookup_key="pro")
    with pytest.raises(stripe.InvalidRequestError, match="already uses that lookup key"):
        shop.price(2000, lookup_key="pro")
    second = shop.price(2000, lookup_key="pro", transfer_lookup_key=True)
    assert [p.id for p in shop.v1.prices.list(params={"lookup_keys": ["pro"]}).data] == [second.id]
    assert shop.v1.prices.retrieve(first.id).lookup_key is None
    archived = shop.v1.prices.update(first.id, params={"active": False})
    assert archived.active is False
    with pytest.raises(stripe.InvalidRequestError, match="only accepts active prices"):
        shop.v1.checkout.sessions.create(
            params={
                "line_items": [{"price": first.id, "quantity": 1}],
                "success_url": "http://x.test",
                "mode": "payment",
            }
        )


def test_a_price_may_name_fractions(shop):
    price = shop.v1.prices.create(
        params={"currency": "usd", "unit_amount_decimal": "0.5", "product_data": {"name": "Grain"}}
    )
    assert price.unit_amount is None
    assert str(price.unit_amount_decimal) == "0.5"
    session = shop.v1.checkout.sessions.create(
        params={
            "line_items": [{"price": price.id, "quantity": 301}],
            "success_url": "http://x.test",
            "mode": "payment",
        }
    )
    assert session.amount_total == 151


@pytest.mark.parametrize(
    "wrong",
    [
        {"unit_amount": 1, "unit_amount_decimal": "1"},
        {},
        {"unit_amount": -1},
        {"unit_amount": 1, "currency": "money"},
    ],
)
def test_prices_that_cannot_be(shop, wrong):
    product = shop.v1.products.create(params={"name": "A"})
    with pytest.raises(stripe.InvalidRequestError):
        shop.v1.prices.create(params={"currency": "usd", "product": product.id, **wrong})


def test_coupons_and_codes(shop):
    coupon = shop.v1.coupons.create(
        params={"percent_off": 12.5, "duration": "repeating", "duration_in_months": 3}
    )
    code = shop.v1.promotion_codes.create(
        params={"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "SAVE", "max_redemptions": 1}
    )
    assert code.promotion.coupon == coupon.id
    assert [c.id for c in shop.v1.promotion_codes.list(params={"code": "save"}).data] == [code.id]
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        shop.v1.promotion_codes.create(
            params={"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "save"}
        )
    assert shop.v1.promotion_codes.update(code.id, params={"active": False}).active is False
    assert shop.v1.coupons.update(coupon.id, params={"name": "Spring"}).name == "Spring"
    assert shop.v1.coupons.delete(coupon.id).deleted
    for wrong in ({}, {"percent_off": 101}, {"amount_off": 100}, {"percent_off": 5, "duration": "repeating"}):
        with pytest.raises(stripe.InvalidRequestError):
            shop.v1.coupons.create(params=wrong)


def test_an_old_client_names_the_coupon_directly(simulator, shop):
    coupon = shop.v1.coupons.create(params={"amount_off": 500, "currency": "usd"})
    answer = simulator.api("POST", "/v1/promotion_codes", {"coupon": coupon.id}, version="2022-11-15")
    assert answer.json()["promotion"] == {"coupon": coupon.id, "type": "coupon"}


def test_customers(shop):
    customer = shop.v1.customers.create(
        params={
            "email": "jenny@example.com",
            "address": {"line1": "1 Road", "country": "DE"},
            "shipping": {"name": "J", "address": {"line1": "2 Road"}},
            "payment_method": "pm_card_visa",
            "metadata": {"uid": "7"},
        }
    )
    assert customer.address.city is None
    assert len(shop.v1.customers.payment_methods.list(customer.id).data) == 1
    changed = shop.v1.customers.update(customer.id, params={"name": "Jenny", "metadata": {"b": "2"}})
    assert changed.metadata.to_dict() == {"uid": "7", "b": "2"}
    assert shop.v1.customers.update(customer.id, params={"metadata": ""}).metadata.to_dict() == {}
    assert shop.v1.customers.delete(customer.id).deleted
    assert shop.v1.customers.retrieve(customer.id).deleted
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.v1.customers.delete(customer.id)
    assert caught.value.http_status == 404
    with pytest.raises(stripe.InvalidRequestError, match="Invalid email"):
        shop.v1.customers.create(params={"email": "nonsense"})
    updated = next(
        e
        for e in shop.v1.events.list(params={"type": "customer.updated"}).auto_paging_iter()
        if "name" in e.data.previous_attributes
    )
    assert updated.data.previous_attributes.to_dict() == {"name": None, "metadata": {"b": None}}


def test_payment_methods(shop):
    customer = shop.v1.customers.create(params={"name": "A"})
    method = shop.v1.payment_methods.create(params={"type": "card", "card": {"token": "tok_mastercard"}})
    assert method.card.brand == "mastercard"
    shop.v1.payment_methods.attach(method.id, params={"customer": customer.id})
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        shop.v1.payment_methods.attach(method.id, params={"customer": customer.id})
    changed = shop.v1.payment_methods.update(
        method.id, params={"card": {"exp_month": 5}, "billing_details": {"name": "B"}}
    )
    assert (changed.card.exp_month, changed.billing_details.name) == (5, "B")
    assert shop.v1.customers.payment_methods.retrieve(customer.id, method.id).id == method.id
    assert shop.v1.payment_methods.detach(method.id).customer is None
    with pytest.raises(stripe.InvalidRequestError, match="not attached"):
        shop.v1.payment_methods.detach(method.id)
    typed = shop.v1.payment_methods.create(
        params={
            "type": "card",
            "card": {"number": "4000 0000 0000 0341", "exp_month": 1, "exp_year": 2035, "cvc": "1"},
        }
    )
    assert shop.v1.payment_methods.attach(typed.id, params={"customer": customer.id}).customer == customer.id
    with pytest.raises(stripe.CardError):
        shop.v1.payment_methods.attach("pm_card_chargeDeclined", params={"customer": customer.id})
    with pytest.raises(stripe.InvalidRequestError, match="No such PaymentMethod"):
        shop.v1.payment_methods.attach("pm_card_nonsense", params={"customer": customer.id})
    with pytest.raises(stripe.CardError):
        shop.v1.payment_methods.create(
            params={"type": "card", "card": {"number": "4242424242424241", "exp_month": 1, "exp_year": 2035}}
        )
