"""Checkout in subscription mode: what is due, what exists only once it is paid, and in which order it is told."""

import pytest
import stripe

from tests.infra import wait
from tests.simulator.conftest import CARD
from tests.simulator.subscribing import DAY, START

MONTHLY = {"interval": "month"}


def begin(shop, *prices, **more):
    """A session for these prices, one of each."""
    wanted = prices or (shop.price(2000, name="Pro", recurring=MONTHLY),)
    given = {
        "mode": "subscription",
        "line_items": [p if isinstance(p, dict) else {"price": p.id, "quantity": 1} for p in wanted],
        "success_url": "http://127.0.0.1:9/ok?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://127.0.0.1:9/no",
    }
    return shop.v1.checkout.sessions.create(params=given | more)


def told(shop):
    return [e for e in shop.events() if e != "charge.updated"]


def test_a_paid_subscription(shop):
    session = begin(
        shop,
        client_reference_id="order-1",
        subscription_data={"metadata": {"order": "1"}, "description": "Pro for Jenny"},
    )
    assert (session.mode, session.amount_total, session.customer) == ("subscription", 2000, None)
    assert (session.subscription, session.invoice, session.payment_intent) == (None, None, None)
    page = shop.simulator.ask("GET", f"/c/pay/{session.id}").text
    assert "$20.00 a month" in page and "Subscribe" in page
    assert shop.pay(session).headers["Location"] == f"http://127.0.0.1:9/ok?session={session.id}"
    done = shop.again(session, "subscription", "invoice.payments", "customer")
    assert (done.status, done.payment_status, done.payment_intent) == ("complete", "paid", None)
    sub, invoice = done.subscription, done.invoice
    assert (sub.status, sub.metadata["order"], sub.description) == ("active", "1", "Pro for Jenny")
    assert done.customer.email == "jenny@example.com"
    assert (invoice.status, invoice.amount_paid, invoice.billing_reason) == (
        "paid",
        2000,
        "subscription_create",
    )
    intent = invoice.payments.data[0].payment.payment_intent
    assert shop.v1.payment_intents.retrieve(intent).status == "succeeded"
    assert len(shop.v1.payment_intents.list().data) == len(shop.v1.invoice_payments.list().data) == 1
    method = shop.v1.payment_methods.retrieve(sub.default_payment_method)
    assert method.customer == done.customer.id
    assert told(shop) == [
        "customer.created",
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "payment_method.attached",
        "customer.updated",
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
        "checkout.session.completed",
    ]


def test_a_declined_card_leaves_no_subscription(shop):
    session = begin(shop)
    answer = shop.pay(session, "4000000000009995")
    assert answer.status == 402 and "insufficient funds" in answer.text
    assert shop.again(session).status == "open"
    assert not shop.v1.subscriptions.list(params={"status": "all"}).data
    assert not shop.v1.invoices.list().data
    assert shop.pay(session).status == 303
    done = shop.again(session, "subscription")
    assert done.subscription.status == "active"
    assert len(shop.v1.customers.list().data) == 1
    assert [i.status for i in shop.v1.payment_intents.list().data] == ["succeeded"]


def test_a_second_press_makes_no_second_subscription(shop):
    session = begin(shop)
    assert shop.pay(session).headers["Location"] == shop.pay(session).headers["Location"]
    assert len(shop.v1.subscriptions.list().data) == 1
    assert "You have paid" in shop.simulator.ask("GET", f"/c/pay/{session.id}").text


@pytest.mark.parametrize("number", ["4000002760003184", "4000002500003155"])
def test_3d_secure(shop, number):
    session = begin(shop)
    where = shop.pay(session, number).headers["Location"]
    assert "$20.00" in shop.simulator.ask("GET", where).text
    failed = shop.simulator.ask("POST", where, {"answer": "fail"}).headers["Location"]
    assert "unable to authenticate" in shop.simulator.ask("GET", failed).text
    assert not shop.v1.subscriptions.list(params={"status": "all"}).data
    where = shop.pay(session, number).headers["Location"]
    done = shop.simulator.ask("POST", where, {"answer": "approve"})
    assert done.headers["Location"].startswith("http://127.0.0.1:9/ok")
    assert shop.again(session, "subscription").subscription.status == "active"


def test_a_trial_keeps_the_card_and_charges_nothing(shop):
    session = begin(shop, subscription_data={"trial_period_days": 14})
    assert session.amount_total == 0
    page = shop.simulator.ask("GET", f"/c/pay/{session.id}").text
    assert "Free until" in page and "Start trial" in page and "$0.00 to pay today" in page
    assert shop.simulator.ask("POST", f"/c/pay/{session.id}", {"email": "a@example.com"}).status == 422
    assert shop.pay(session, "4000000000000002").status == 402
    assert shop.pay(session).status == 303
    done = shop.again(session, "subscription", "invoice")
    assert (done.payment_status, done.setup_intent) == ("no_payment_required", None)
    sub = done.subscription
    assert sub.status == "trialing" and sub.trial_end == sub.trial_start + 14 * DAY
    assert sub.default_payment_method
    assert (done.invoice.total, done.invoice.status) == (0, "paid")
    assert "setup_intent.succeeded" in told(shop)
    assert not shop.v1.charges.list().data


def test_a_trial_with_3d_secure(shop):
    session = begin(shop, subscription_data={"trial_period_days": 7})
    where = shop.pay(session, "4000002760003184").headers["Location"]
    assert "/c/3ds/seti_" in where
    assert shop.simulator.ask("POST", where, {"answer": "approve"}).status == 303
    assert shop.again(session, "subscription").subscription.status == "trialing"


def test_a_trial_without_a_card(shop):
    session = begin(
        shop,
        payment_method_collection="if_required",
        subscription_data={
            "trial_period_days": 7,
            "trial_settings": {"end_behavior": {"missing_payment_method": "pause"}},
        },
    )
    assert "cardNumber" not in shop.simulator.ask("GET", f"/c/pay/{session.id}").text
    assert shop.simulator.ask("POST", f"/c/pay/{session.id}", {"email": "a@example.com"}).status == 303
    sub = shop.again(session, "subscription").subscription
    assert (sub.status, sub.default_payment_method) == ("trialing", None)
    assert sub.trial_settings.end_behavior.missing_payment_method == "pause"
    assert not shop.v1.payment_methods.list().data


def tax(shop, percentage, inclusive):
    return shop.v1.tax_rates.create(
        params={"display_name": "VAT", "percentage": percentage, "inclusive": inclusive}
    ).id


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("coupon", [{"percent_off": 33}, {"amount_off": 777, "currency": "usd"}])
def test_several_items_come_to_what_their_invoice_does(shop, inclusive, coupon):
    made = shop.v1.coupons.create(params=coupon | {"duration": "once"})
    seat = shop.price(999, name="Seat", recurring=MONTHLY)
    setup = shop.price(3333, name="Setting up")
    rate = tax(shop, 19, inclusive)
    session = begin(
        shop,
        {"price": setup.id, "quantity": 1},
        {"price": seat.id, "quantity": 3, "tax_rates": [rate]},
        discounts=[{"coupon": made.id}],
        subscription_data={"default_tax_rates": [rate]},
        expand=["line_items", "total_details.breakdown"],
    )
    lines = session.line_items.data
    assert [x.amount_subtotal for x in lines] == [3333, 2997]
    assert sum(x.amount_total for x in lines) == session.amount_total
    details = session.total_details
    assert sum(x.amount for x in details.breakdown.discounts) == details.amount_discount > 0
    assert sum(x.amount for x in details.breakdown.taxes) == details.amount_tax > 0
    page = shop.simulator.ask("GET", f"/c/pay/{session.id}").text
    assert "Setting up" in page and "VAT 19" in page
    assert shop.pay(session).status == 303
    done = shop.again(session, "invoice", "subscription")
    assert done.invoice.total == done.invoice.amount_paid == session.amount_total
    assert [i.price.id for i in done.subscription["items"].data] == [seat.id]
    assert [r.id for r in done.subscription.default_tax_rates] == [rate]
    assert shop.v1.coupons.retrieve(made.id).times_redeemed == 1
    assert shop.v1.charges.list().data[0].amount == session.amount_total


def test_a_promotion_code_typed_on_the_page(shop):
    coupon = shop.v1.coupons.create(params={"percent_off": 50, "duration": "forever"})
    code = shop.v1.promotion_codes.create(
        params={
            "promotion": {"type": "coupon", "coupon": coupon.id},
            "code": "HALF",
            "restrictions": {"first_time_transaction": True},
        }
    )
    session = begin(shop, allow_promotion_codes=True)
    path = f"/c/pay/{session.id}/promotion"
    assert shop.simulator.ask("POST", path, {"promotionCode": "nope"}).status == 422
    assert shop.simulator.ask("POST", path, {"promotionCode": "half"}).status == 303
    assert shop.again(session).amount_total == 1000
    assert shop.pay(session).status == 303
    sub = shop.again(session, "subscription.discounts").subscription
    assert sub.discounts[0].promotion_code == code.id
    assert shop.v1.promotion_codes.retrieve(code.id).times_redeemed == 1
    assert "customer.discount.created" in told(shop)


def test_a_code_that_ended_meanwhile_is_refused_before_anything_is_charged(shop):
    coupon = shop.v1.coupons.create(params={"percent_off": 50, "duration": "forever"})
    code = shop.v1.promotion_codes.create(
        params={"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "HALF"}
    )
    session = begin(shop, discounts=[{"promotion_code": code.id}])
    shop.v1.promotion_codes.update(code.id, params={"active": False})
    answer = shop.pay(session)
    assert answer.status == 402 and "This promotion code is inactive." in answer.text
    assert not shop.v1.charges.list().data


def test_a_bank_debit_begins_at_once_and_is_paid_later(shop):
    session = begin(shop)
    assert shop.pay(session, method="debit").status == 303
    done = shop.again(session, "subscription", "invoice")
    assert (done.status, done.payment_status) == ("complete", "unpaid")
    assert (done.subscription.status, done.invoice.status) == ("active", "open")
    shop.simulator.control("clock", advance=4 * DAY)
    assert shop.again(session).payment_status == "paid"
    assert shop.v1.invoices.retrieve(done.invoice.id).status == "paid"
    assert "checkout.session.async_payment_succeeded" in told(shop)


def test_a_bank_debit_that_is_returned(shop):
    session = begin(shop)
    assert shop.pay(session, method="debit_fails").status == 303
    shop.simulator.control("clock", advance=4 * DAY)
    done = shop.again(session, "subscription", "invoice")
    assert (done.payment_status, done.invoice.status) == ("unpaid", "open")
    assert done.subscription.status in ("past_due", "canceled")
    assert "checkout.session.async_payment_failed" in told(shop)


def test_a_known_customer_with_credit_pays_the_rest(shop):
    owner = shop.v1.customers.create(params={"email": "known@example.com", "balance": -500})
    session = begin(shop, customer=owner.id, customer_update={"name": "auto", "address": "auto"})
    page = shop.simulator.ask("GET", f"/c/pay/{session.id}").text
    assert "Your balance" in page and "$15.00 to pay today" in page
    assert shop.pay(session).status == 303
    done = shop.again(session, "invoice")
    assert (done.customer, done.invoice.total, done.invoice.amount_paid) == (owner.id, 2000, 1500)
    known = shop.v1.customers.retrieve(owner.id)
    assert (known.name, known.address.country, known.balance) == ("Jenny Rosen", "US", 0)
    assert len(shop.v1.customers.list().data) == 1


def test_under_a_test_clock_it_renews(shop):
    clock = shop.v1.test_helpers.test_clocks.create(params={"frozen_time": START})
    owner = shop.v1.customers.create(params={"email": "a@example.com", "test_clock": clock.id})
    session = begin(shop, customer=owner.id)
    assert session.created == START
    assert shop.pay(session).status == 303
    sub = shop.again(session, "subscription").subscription
    assert (sub.start_date, sub.test_clock) == (START, clock.id)


def test_an_anchor_ahead_is_charged_in_part(shop):
    now = shop.simulator.look("clock")["now"]
    session = begin(shop, subscription_data={"billing_cycle_anchor": int(now) + 10 * DAY})
    assert 0 < session.amount_total < 2000
    assert shop.pay(session).status == 303
    done = shop.again(session, "invoice", "subscription")
    assert abs(done.invoice.total - session.amount_total) <= 1
    assert done.invoice.amount_paid == done.invoice.total
    free = begin(
        shop, subscription_data={"billing_cycle_anchor": int(now) + 10 * DAY, "proration_behavior": "none"}
    )
    assert free.amount_total == 0


def test_a_trial_until_a_day_then_renewed(shop):
    clock = shop.v1.test_helpers.test_clocks.create(params={"frozen_time": START})
    owner = shop.v1.customers.create(params={"email": "a@example.com", "test_clock": clock.id})
    session = begin(shop, customer=owner.id, subscription_data={"trial_end": START + 5 * DAY})
    assert "Free until 2026-01-06" in shop.simulator.ask("GET", f"/c/pay/{session.id}").text
    assert shop.pay(session).status == 303
    shop.v1.test_helpers.test_clocks.advance(clock.id, params={"frozen_time": START + 6 * DAY})
    wait.until(
        lambda: shop.v1.test_helpers.test_clocks.retrieve(clock.id).status == "ready", "the clock has arrived"
    )
    sub = shop.again(session, "subscription.latest_invoice").subscription
    assert (sub.status, sub.latest_invoice.amount_paid) == ("active", 2000)


def test_another_currency_metered_use_and_automatic_tax(shop):
    option = {"currency_options": {"eur": {"unit_amount": 1800}}}
    price = shop.price(2000, name="Pro", recurring=MONTHLY, **option)
    session = begin(shop, price, currency="eur", automatic_tax={"enabled": True})
    assert (session.currency, session.amount_total) == ("eur", 1800)
    assert session.automatic_tax.status == "requires_location_inputs"
    assert shop.pay(session).status == 303
    done = shop.again(session, "subscription", "invoice")
    assert (done.subscription.currency, done.invoice.amount_paid) == ("eur", 1800)


def test_a_price_made_for_the_session(shop):
    line = {
        "price_data": {
            "currency": "usd", "unit_amount": 700, "recurring": {"interval": "week"}, "product_data": {"name": "Box"},
        },
        "quantity": 2,
    }  # fmt: skip
    session = begin(shop, line)
    assert "$7.00 a week" in shop.simulator.ask("GET", f"/c/pay/{session.id}").text
    assert shop.pay(session).status == 303
    assert shop.again(session, "invoice").invoice.amount_paid == 1400


def test_expired_and_recovered(shop):
    session = begin(shop, after_expiration={"recovery": {"enabled": True, "allow_promotion_codes": True}})
    assert shop.pay(session, "4000002760003184").status == 303
    gone = shop.v1.checkout.sessions.expire(session.id)
    assert shop.v1.payment_intents.list().data[0].status == "canceled"
    recovery = gone.after_expiration.recovery.url
    page = shop.simulator.ask("GET", recovery.removeprefix(shop.simulator.url))
    identifier = page.headers["Location"].rsplit("/", 1)[1]
    made = shop.v1.checkout.sessions.retrieve(identifier)
    assert (made.recovered_from, made.allow_promotion_codes, made.mode) == (session.id, True, "subscription")
    assert shop.pay(made).status == 303
    assert shop.again(made, "subscription").subscription.status == "active"


def test_stripes_own_scripts_subscribe(shop):
    session = begin(shop)
    method = shop.v1.payment_methods.create(params={"type": "card", "card": {"token": "tok_visa"}})
    path = f"/v1/payment_pages/{session.id}"
    assert shop.simulator.api("GET", path, version=None).json()["id"] == session.id
    given = {"payment_method": method.id, "expected_amount": 1}
    assert shop.simulator.api("POST", f"{path}/confirm", given, version=None).status == 400
    answer = shop.simulator.api("POST", f"{path}/confirm", given | {"expected_amount": 2000}, version=None)
    assert (answer.status, answer.json()["status"]) == (200, "complete")
    assert shop.simulator.api("POST", f"{path}/confirm", {}, version=None).status == 400


def test_an_old_sample_server(shop):
    """As Stripe's published checkout samples ask, which pin 2020-08-27."""
    price = shop.price(1500, name="Basic", recurring=MONTHLY)
    fields = {
        "success_url": "http://localhost:4242/success.html?session_id={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://localhost:4242/canceled.html", "mode": "subscription",
        "payment_method_types[0]": "card", "line_items[0][price]": price.id, "line_items[0][quantity]": "1",
    }  # fmt: skip
    made = shop.simulator.api("POST", "/v1/checkout/sessions", fields, version="2020-08-27")
    assert made.status == 200, made.text
    again = shop.simulator.api("GET", f"/v1/checkout/sessions/{made.json()['id']}", version="2020-08-27")
    assert again.json()["url"] == made.json()["url"]
    old = {k: v for k, v in fields.items() if not k.startswith("line_items")} | {
        "line_items[0][name]": "Old", "line_items[0][amount]": "700", "line_items[0][currency]": "usd",
        "line_items[0][quantity]": "2", "line_items[0][description]": "As it was", "mode": "payment",
    }  # fmt: skip
    made = shop.simulator.api("POST", "/v1/checkout/sessions", old, version="2020-08-27")
    assert (made.status, made.json()["amount_total"]) == (200, 1400)
    plan = {k: v for k, v in fields.items() if k != "mode" and not k.startswith("line_items")} | {
        "subscription_data[items][0][plan]": price.id, "subscription_data[coupon]": "none",
        "subscription_data[trial_period_days]": "7",
    }  # fmt: skip
    shop.v1.coupons.create(params={"id": "none", "percent_off": 10, "duration": "once"})
    made = shop.simulator.api("POST", "/v1/checkout/sessions", plan, version="2020-08-27")
    assert made.status == 200, made.text
    assert (made.json()["mode"], made.json()["discounts"][0]["coupon"]) == ("subscription", "none")


REFUSED = [
    ({"line_items": []}, "line_items"),
    ({"payment_intent_data": {"description": "x"}}, "payment_intent_data"),
    ({"customer_creation": "always"}, "customer_creation"),
    ({"subscription_data": {"trial_period_days": 0}}, "subscription_data[trial_period_days]"),
    ({"subscription_data": {"trial_end": 1}}, "subscription_data[trial_end]"),
    ({"mode": "setup", "line_items": None}, "currency"),
    ({"mode": "setup", "currency": "usd"}, "line_items"),
]


@pytest.mark.parametrize(("params", "param"), REFUSED)
def test_refused(shop, params, param):
    price = shop.price(2000, recurring=MONTHLY)
    given = {
        "mode": "subscription", "success_url": "http://x.test", "line_items": [{"price": price.id, "quantity": 1}],
    } | params  # fmt: skip
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.v1.checkout.sessions.create(params={k: v for k, v in given.items() if v is not None})
    assert caught.value.param == param


def test_only_one_time_prices_are_no_subscription(shop):
    with pytest.raises(stripe.InvalidRequestError, match="at least one recurring price"):
        begin(shop, shop.price(100))
    with pytest.raises(stripe.InvalidRequestError, match="combine currencies"):
        owner = shop.v1.customers.create(params={"email": "a@example.com"})
        assert shop.pay(begin(shop, customer=owner.id)).status == 303
        begin(shop, shop.price(100, "eur", recurring=MONTHLY), customer=owner.id)


# ------------------------------------------------------------------------------------------- setup


def setting_up(shop, **more):
    given = {"mode": "setup", "currency": "usd", "success_url": "http://127.0.0.1:9/ok", **more}
    return shop.v1.checkout.sessions.create(params=given)


def test_setup_keeps_a_card(shop):
    owner = shop.v1.customers.create(params={"email": "a@example.com"})
    session = setting_up(
        shop, customer=owner.id, setup_intent_data={"metadata": {"for": "sub_1"}, "description": "New card"}
    )
    assert (session.amount_total, session.payment_status) == (None, "no_payment_required")
    intent = shop.v1.setup_intents.retrieve(session.setup_intent)
    assert (intent.customer, intent.metadata["for"], intent.description) == (owner.id, "sub_1", "New card")
    page = shop.simulator.ask("GET", f"/c/pay/{session.id}").text
    assert "Nothing is charged today." in page
    assert shop.pay(session, "4000000000000002").status == 402
    assert shop.pay(session).status == 303
    done = shop.again(session, "setup_intent.payment_method")
    assert (done.status, done.setup_intent.status) == ("complete", "succeeded")
    assert done.setup_intent.payment_method.customer == owner.id
    assert told(shop)[-3:] == [
        "payment_method.attached",
        "setup_intent.succeeded",
        "checkout.session.completed",
    ]
    assert "is saved" in shop.simulator.ask("GET", f"/c/pay/{session.id}").text


def test_setup_with_3d_secure_and_expiry(shop):
    session = setting_up(shop)
    where = shop.pay(session, "4000002760003184").headers["Location"]
    assert "keep your card" in shop.simulator.ask("GET", where).text
    assert (
        shop.simulator.ask("POST", where, {"answer": "fail"}).headers["Location"].endswith("challenge=failed")
    )
    where = shop.pay(session, "4000002760003184").headers["Location"]
    assert shop.simulator.ask("POST", where, {"answer": "approve"}).status == 303
    assert shop.again(session).status == "complete"
    other = setting_up(shop, after_expiration={"recovery": {"enabled": True}})
    gone = shop.v1.checkout.sessions.expire(other.id)
    assert shop.v1.setup_intents.retrieve(other.setup_intent).status == "canceled"
    back = gone.after_expiration.recovery.url.removeprefix(shop.simulator.url)
    made = shop.simulator.ask("GET", back).headers["Location"].rsplit("/", 1)[1]
    fresh = shop.v1.checkout.sessions.retrieve(made)
    assert fresh.setup_intent not in (None, other.setup_intent)


def test_setup_by_bank_debit(shop):
    owner = shop.v1.customers.create(params={"email": "a@example.com"})
    session = setting_up(shop, customer=owner.id)
    assert shop.pay(session, method="debit").status == 303
    intent = shop.again(session, "setup_intent").setup_intent
    assert intent.status == "succeeded" and intent.mandate


def test_setup_through_the_private_path(shop):
    session = setting_up(shop)
    given = {"payment_method": "pm_card_visa"}
    answer = shop.simulator.api("POST", f"/v1/payment_pages/{session.id}/confirm", given, version=None)
    assert (answer.status, answer.json()["status"]) == (200, "complete")
    assert CARD["cardNumber"] not in answer.text
