"""Checkout Sessions: what they come to, the page, and how a payment on it ends."""

import html
import time

import pytest
import stripe

from tests.simulator.conftest import CARD


def tax(shop, percentage, inclusive):
    return shop.v1.tax_rates.create(
        params={"display_name": "VAT", "percentage": percentage, "inclusive": inclusive}
    ).id


def test_a_paid_session(shop):
    session = shop.session(
        2000,
        quantity=2,
        client_reference_id="order-1",
        metadata={"order": "1"},
        payment_intent_data={"metadata": {"order": "1"}, "description": "Order 1"},
    )
    assert session.id.startswith("cs_test_")
    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)
    assert session.amount_subtotal == session.amount_total == 4000
    assert session.expires_at == session.created + 86_400
    answer = shop.pay(session)
    assert answer.status == 303
    assert answer.headers["Location"] == f"http://127.0.0.1:9/ok?session={session.id}"
    paid = shop.again(session, "payment_intent.latest_charge")
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    assert paid.customer is None
    assert paid.customer_details.email == "jenny@example.com"
    assert paid.customer_details.address.country == "US"
    assert paid.metadata.to_dict() == {"order": "1"}
    intent = paid.payment_intent
    assert (intent.status, intent.amount_received, intent.metadata["order"]) == ("succeeded", 4000, "1")
    assert intent.latest_charge.billing_details.name == "Jenny Rosen"
    assert [e for e in shop.events() if e != "charge.updated"] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]


# subtotal, discount, exclusive, inclusive -> subtotal, discount, tax, total as Stripe shows them
TOTALS = [
    ([(1999, 2, None)], None, (3998, 0, 0, 3998)),
    ([(1999, 2, (19, False))], None, (3998, 0, 760, 4758)),
    ([(1999, 2, (19, True))], None, (3998, 0, 638, 3998)),
    ([(1999, 2, (19, False))], {"percent_off": 10}, (3998, 400, 684, 4282)),
    ([(1999, 2, (19, True))], {"percent_off": 10}, (3998, 400, 574, 3598)),
    ([(1000, 1, None), (2000, 1, None)], {"amount_off": 100}, (3000, 100, 0, 2900)),
    ([(1000, 1, (10, False)), (3333, 1, (10, False))], {"amount_off": 333}, (4333, 333, 400, 4400)),
    ([(1000, 1, None)], {"percent_off": 100}, (1000, 1000, 0, 0)),
]


@pytest.mark.parametrize(("lines", "coupon", "expected"), TOTALS)
def test_totals(shop, lines, coupon, expected):
    items = [
        {
            "price": shop.price(amount).id,
            "quantity": quantity,
            **({"tax_rates": [tax(shop, *rate)]} if rate else {}),
        }
        for amount, quantity, rate in lines
    ]
    extra = {}
    if coupon:
        made = shop.v1.coupons.create(params=coupon | ({"currency": "usd"} if "amount_off" in coupon else {}))
        extra["discounts"] = [{"coupon": made.id}]
    session = shop.v1.checkout.sessions.create(
        params={"mode": "payment", "line_items": items, "success_url": "http://x.test", **extra,
                "expand": ["line_items", "total_details.breakdown"]}
    )  # fmt: skip
    details = session.total_details
    assert (
        session.amount_subtotal,
        details.amount_discount,
        details.amount_tax,
        session.amount_total,
    ) == expected
    assert sum(i.amount_total for i in session.line_items.data) == session.amount_total
    assert sum(t.amount for t in details.breakdown.taxes) == details.amount_tax
    assert sum(d.amount for d in details.breakdown.discounts) == details.amount_discount
    assert [i.quantity for i in shop.v1.checkout.sessions.line_items.list(session.id).data] == [
        x[1] for x in lines
    ]
    assert "breakdown" not in shop.again(session).total_details


def test_a_free_session_needs_no_payment(shop):
    coupon = shop.v1.coupons.create(params={"percent_off": 100})
    session = shop.session(discounts=[{"coupon": coupon.id}])
    answer = shop.simulator.ask("POST", f"/c/pay/{session.id}", {"email": "a@example.com"})
    assert answer.status == 303
    done = shop.again(session)
    assert (done.status, done.payment_status, done.payment_intent) == (
        "complete",
        "no_payment_required",
        None,
    )


def test_zero_decimal_currency(shop):
    session = shop.session(3000, "jpy")
    page = shop.simulator.ask("GET", f"/c/pay/{session.id}").text
    assert "¥3,000" in page
    assert shop.pay(session).status == 303
    assert shop.again(session, "payment_intent").payment_intent.amount == 3000


WRONG = [
    ({"success_url": None}, "success_url"),
    ({"line_items": None}, "line_items"),
    ({"success_url": "javascript:alert(1)"}, "Not a valid URL"),
    ({"expires_at": int(time.time()) + 60}, "at least 30 minutes"),
    ({"expires_at": int(time.time()) + 90_000}, "less than 24 hours"),
    ({"customer": "cus_none"}, "No such customer"),
    ({"customer": "cus_none", "customer_email": "a@b.c"}, "only specify one"),
    ({"discounts": [{"coupon": "none"}]}, "No such coupon"),
    ({"discounts": [], "allow_promotion_codes": True}, "only specify one"),
    ({"mode": "payment", "line_items": [{"price": "price_none", "quantity": 1}]}, "No such price"),
    ({"client_reference_id": "x" * 201}, "at most 200 characters"),
]


@pytest.mark.parametrize(("change", "said"), WRONG)
def test_sessions_that_cannot_be(shop, change, said):
    params = {
        "mode": "payment",
        "line_items": [{"price": shop.price().id, "quantity": 1}],
        "success_url": "http://127.0.0.1:9/ok",
    } | change
    if change.get("discounts") == []:
        params["discounts"] = [{"coupon": shop.v1.coupons.create(params={"percent_off": 5}).id}]
    with pytest.raises(stripe.InvalidRequestError, match=said):
        shop.v1.checkout.sessions.create(params={k: v for k, v in params.items() if v is not None})


@pytest.mark.parametrize(("amount", "currency", "quantity"), [(49, "usd", 1), (49, "jpy", 1), (29, "gbp", 1)])
def test_too_small(shop, amount, currency, quantity):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.session(amount, currency, quantity)
    assert caught.value.code == "amount_too_small"


def test_lines_must_fit_together(shop):
    monthly = shop.price(100, recurring={"interval": "month"})
    base = {"mode": "payment", "success_url": "http://x.test"}
    for items, said in (
        ([{"price": monthly.id, "quantity": 1}], "recurring price"),
        ([{"price": shop.price(100).id}], "quantity"),
        ([{"price": shop.price(100).id, "quantity": 0}], "greater than or equal to 1"),
        (
            [
                {"price": shop.price(100).id, "quantity": 1},
                {"price": shop.price(100, "eur").id, "quantity": 1},
            ],
            "same currency",
        ),
        ([{"quantity": 1}], "price"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=said):
            shop.v1.checkout.sessions.create(params=base | {"line_items": items})


def test_prices_made_on_the_spot(shop):
    session = shop.v1.checkout.sessions.create(
        params={
            "mode": "payment",
            "success_url": "http://x.test",
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {"currency": "eur", "unit_amount": 700, "product_data": {"name": "Tea"}},
                }
            ],
            "expand": ["line_items.data.price.product"],
        }
    )
    line = session.line_items.data[0]
    assert (line.description, line.price.active, line.price.product.name) == ("Tea", False, "Tea")


DECLINES = [
    ("4000000000000002", "card_declined", "generic_decline"),
    ("4000000000009995", "card_declined", "insufficient_funds"),
    ("4000000000009987", "card_declined", "lost_card"),
    ("4000000000009979", "card_declined", "stolen_card"),
    ("4000000000000069", "expired_card", None),
    ("4000000000000127", "incorrect_cvc", None),
    ("4000000000000119", "processing_error", None),
    ("4000000000006975", "card_declined", "card_velocity_exceeded"),
    ("4000000000000341", "card_declined", "generic_decline"),
    ("4100000000000019", "card_declined", "fraudulent"),
]


@pytest.mark.parametrize(("number", "code", "decline_code"), DECLINES)
def test_a_decline_leaves_the_session_open(shop, number, code, decline_code):
    session = shop.session()
    answer = shop.pay(session, number)
    assert answer.status == 402
    page = html.unescape(answer.text)
    assert 'value="jenny@example.com"' in page
    assert 'value="Jenny Rosen"' in page
    assert number not in page
    assert "No money was taken." in page
    assert 'class="err" id="card' in page
    open_ = shop.again(session, "payment_intent")
    assert open_.status == "open"
    error = open_.payment_intent.last_payment_error
    assert (error.code, getattr(error, "decline_code", None)) == (code, decline_code)
    assert open_.payment_intent.status == "requires_payment_method"
    assert shop.events() == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]
    assert shop.pay(session).status == 303
    paid = shop.again(session)
    assert paid.payment_intent == open_.payment_intent.id
    assert len(shop.v1.charges.list(params={"payment_intent": paid.payment_intent}).data) == 2


FORM = [
    ({"email": "nonsense"}, "email"),
    ({"cardNumber": "4242 4242 4242 4241"}, "cardNumber"),
    ({"cardNumber": "12"}, "cardNumber"),
    ({"cardNumber": "<script>"}, "cardNumber"),
    ({"cardExpiry": "13 / 30"}, "cardExpiry"),
    ({"cardExpiry": "01 / 20"}, "cardExpiry"),
    ({"cardCvc": "1"}, "cardCvc"),
    ({"billingName": ""}, "billingName"),
    ({"billingCountry": "XX"}, "billingCountry"),
    ({"billingPostalCode": ""}, "billingPostalCode"),
]


@pytest.mark.parametrize(("change", "place"), FORM)
def test_the_form_says_what_is_wrong_beside_the_field(shop, change, place):
    session = shop.session()
    answer = shop.simulator.ask("POST", f"/c/pay/{session.id}", CARD | change)
    assert answer.status == 422
    assert f'id="{place}-err"' in answer.text
    assert f'<a href="#{place}">' in answer.text
    assert "<title>Error:" in answer.text
    assert shop.again(session).payment_intent is None


def test_the_pages_fields_and_headers(shop):
    session = shop.session(customer_email="known@example.com")
    answer = shop.simulator.ask("GET", f"/c/pay/{session.id}")
    for name in CARD:
        assert f'name="{name}"' in answer.text
    assert "readonly" in answer.text
    assert "Test mode. This is the Stripe simulator" in answer.text
    assert "Test &amp; &lt;Shop&gt;" in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "form-action 'self' http://127.0.0.1:9" in policy
    assert "unsafe" not in policy
    assert "Set-Cookie" not in answer.headers
    assert "<script" not in answer.text
    assert "style=" not in answer.text


def test_hostile_names_are_inert(shop):
    product = shop.v1.products.create(params={"name": "<img src=x onerror=alert(1)>"})
    price = shop.v1.prices.create(params={"product": product.id, "currency": "usd", "unit_amount": 500})
    session = shop.v1.checkout.sessions.create(
        params={"mode": "payment", "line_items": [{"price": price.id, "quantity": 1}],
                "success_url": "http://127.0.0.1:9/ok", "cancel_url": "http://127.0.0.1:9/\"><script>"}
    )  # fmt: skip
    page = shop.simulator.ask(
        "POST", f"/c/pay/{session.id}", CARD | {"billingName": '"><script>', "email": "<b>"}
    ).text
    assert "<img" not in page
    assert "<script" not in page
    shop.pay(session)
    assert "<img" not in shop.simulator.ask("GET", "/_sim/").text


@pytest.mark.parametrize("number", ["4000002760003184", "4000002500003155", "4000000000003220"])
def test_a_challenge_passed(shop, number):
    session = shop.session()
    answer = shop.pay(session, number)
    place = answer.headers["Location"]
    assert place.startswith("/c/3ds/pi_")
    assert shop.again(session).status == "open"
    page = shop.simulator.ask("GET", place)
    assert 'value="approve"' in page.text
    assert "http://127.0.0.1:9" in page.headers["Content-Security-Policy"]
    done = shop.simulator.ask("POST", place, {"answer": "approve"})
    assert done.headers["Location"].endswith(session.id)
    assert shop.again(session).payment_status == "paid"
    assert [e for e in shop.events() if e != "charge.updated"] == [
        "payment_intent.created",
        "payment_intent.requires_action",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]
    assert shop.simulator.ask("POST", place, {"answer": "approve"}).headers["Location"].endswith(session.id)
    assert len(shop.v1.charges.list().data) == 1


def test_a_challenge_failed(shop):
    session = shop.session()
    place = shop.pay(session, "4000002760003184").headers["Location"]
    back = shop.simulator.ask("POST", place, {"answer": "fail"}).headers["Location"]
    assert back == f"/c/pay/{session.id}?challenge=failed"
    assert "unable to authenticate" in shop.simulator.ask("GET", back).text
    again = shop.again(session, "payment_intent")
    assert again.status == "open"
    assert again.payment_intent.last_payment_error.code == "payment_intent_authentication_failure"
    assert shop.pay(session).status == 303


def test_a_challenge_passed_then_declined(shop):
    session = shop.session()
    place = shop.pay(session, "4000008260003178").headers["Location"]
    shop.simulator.ask("POST", place, {"answer": "approve"})
    error = shop.again(session, "payment_intent").payment_intent.last_payment_error
    assert error.decline_code == "insufficient_funds"


def test_never_charged_twice(shop):
    session = shop.session()
    assert shop.pay(session).status == 303
    second = shop.pay(session)
    assert second.headers["Location"].endswith(session.id)
    page = shop.simulator.ask("GET", f"/c/pay/{session.id}")
    assert "Nothing more will be charged" in page.text
    assert 'name="cardNumber"' not in page.text
    assert len(shop.v1.charges.list().data) == 1


def test_an_expired_session_is_a_dead_end(shop):
    session = shop.session()
    shop.pay(session, "4000000000000002")
    expired = shop.v1.checkout.sessions.expire(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    assert "has expired" in shop.simulator.ask("GET", f"/c/pay/{session.id}").text
    shop.pay(session)
    assert all(not c.paid for c in shop.v1.charges.list().data)
    assert shop.v1.payment_intents.retrieve(shop.again(session).payment_intent).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError, match="can be expired"):
        shop.v1.checkout.sessions.expire(session.id)
    assert shop.simulator.ask("GET", "/c/pay/cs_test_none").status == 404


def test_a_session_expires_by_itself_and_can_be_recovered(shop):
    session = shop.session(after_expiration={"recovery": {"enabled": True}})
    shop.simulator.control("clock", advance=86_400 + 1)
    expired = shop.again(session)
    assert expired.status == "expired"
    assert "checkout.session.expired" in shop.events()
    path = expired.after_expiration.recovery.url.removeprefix(shop.simulator.url)
    page = shop.simulator.ask("GET", path).headers["Location"]
    fresh = shop.v1.checkout.sessions.retrieve(page.rsplit("/", 1)[1])
    assert (fresh.recovered_from, fresh.status) == (session.id, "open")
    assert shop.pay(fresh).status == 303


def test_promotion_codes_on_the_page(shop):
    coupon = shop.v1.coupons.create(params={"percent_off": 25})
    shop.v1.promotion_codes.create(
        params={"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "QUARTER", "max_redemptions": 1,
                "restrictions": {"minimum_amount": 1000, "minimum_amount_currency": "usd"}}
    )  # fmt: skip
    session = shop.session(2000, allow_promotion_codes=True)
    path = f"/c/pay/{session.id}/promotion"
    assert shop.simulator.ask("POST", path, {"promotionCode": "nothing"}).status == 422
    assert shop.simulator.ask("POST", path, {"promotionCode": "quarter"}).status == 303
    assert shop.again(session).amount_total == 1500
    assert shop.simulator.ask("POST", path, {"remove": "1"}).status == 303
    assert shop.again(session).amount_total == 2000
    shop.simulator.ask("POST", path, {"promotionCode": "quarter"})
    assert "−$5.00" in shop.simulator.ask("GET", f"/c/pay/{session.id}").text
    shop.pay(session)
    paid = shop.again(session, "discounts.promotion_code")
    assert paid.total_details.amount_discount == 500
    assert paid.discounts[0].promotion_code.times_redeemed == 1
    other = shop.session(2000, allow_promotion_codes=True)
    refused = shop.simulator.ask("POST", f"/c/pay/{other.id}/promotion", {"promotionCode": "quarter"})
    assert "as often as it may be" in refused.text
    small = shop.session(500)
    assert (
        shop.simulator.ask("POST", f"/c/pay/{small.id}/promotion", {"promotionCode": "QUARTER"}).status == 303
    )
    assert shop.again(small).amount_total == 500


@pytest.mark.parametrize(("method", "outcome", "status"), [
    ("debit", "async_payment_succeeded", "paid"),
    ("debit_fails", "async_payment_failed", "unpaid"),
])  # fmt: skip
def test_methods_that_take_days(shop, method, outcome, status):
    session = shop.session()
    assert shop.pay(session, method=method).status == 303
    waiting = shop.again(session)
    assert (waiting.status, waiting.payment_status) == ("complete", "unpaid")
    shop.simulator.control("clock", advance=4 * 86_400)
    assert shop.again(session).payment_status == status
    assert f"checkout.session.{outcome}" in shop.events()
    assert shop.events().index("checkout.session.completed") < shop.events().index(
        f"checkout.session.{outcome}"
    )


def test_a_delayed_payment_can_be_resolved_by_hand(shop):
    session = shop.session()
    shop.pay(session, method="debit")
    intent = shop.again(session).payment_intent
    assert (
        shop.simulator.control(f"payment_intents/{intent}/resolve", outcome="fails")["status"]
        == "requires_payment_method"
    )
    assert "checkout.session.async_payment_failed" in shop.events()


def test_a_customer_is_made_when_asked_for(shop):
    session = shop.session(customer_creation="always")
    shop.pay(session)
    paid = shop.again(session, "customer")
    assert paid.customer.email == "jenny@example.com"
    known = shop.v1.customers.create(params={"email": "known@example.com"})
    other = shop.session(customer=known.id, payment_intent_data={"setup_future_usage": "off_session"})
    assert other.customer_details.email == "known@example.com"
    shop.pay(other, email="ignored@example.com")
    assert shop.again(other).customer_details.email == "known@example.com"
    assert len(shop.v1.customers.payment_methods.list(known.id).data) == 1


def test_terms_and_phone(shop):
    session = shop.session(
        consent_collection={"terms_of_service": "required"}, phone_number_collection={"enabled": True}
    )
    answer = shop.pay(session)
    assert answer.status == 422
    assert 'id="terms-err"' in answer.text
    assert 'id="phone-err"' in answer.text
    assert shop.pay(session, terms="1", phone="+1 415 555 0100").status == 303
    assert shop.again(session).consent.terms_of_service == "accepted"


def test_updating_and_listing(shop):
    session = shop.session(metadata={"a": "1"})
    assert shop.v1.checkout.sessions.update(
        session.id, params={"metadata": {"b": "2"}}
    ).metadata.to_dict() == {"a": "1", "b": "2"}
    shop.pay(session)
    other = shop.session(customer_email="other@example.com")
    paid = shop.again(session)
    lists = shop.v1.checkout.sessions.list
    assert [s.id for s in lists(params={"payment_intent": paid.payment_intent}).data] == [session.id]
    assert [s.id for s in lists(params={"status": "open"}).data] == [other.id]
    assert [s.id for s in lists(params={"customer_details": {"email": "other@example.com"}}).data] == [
        other.id
    ]
    with pytest.raises(stripe.InvalidRequestError, match="Expire the Checkout Session"):
        shop.v1.payment_intents.cancel(paid.payment_intent)


def test_stripes_own_scripts_pay_through_the_private_path(simulator, shop):
    session = shop.session(1500, quantity=2)
    assert simulator.api("GET", f"/v1/payment_pages/{session.id}", version=None).status == 200
    path = f"/v1/payment_pages/{session.id}/confirm"
    assert simulator.api("POST", path, {"payment_method": "pm_card_visa", "expected_amount": 1}).status == 400
    answer = simulator.api(
        "POST", path, {"payment_method": "pm_card_visa", "expected_amount": 3000}, version=None
    )
    assert answer.json()["status"] == "complete"
