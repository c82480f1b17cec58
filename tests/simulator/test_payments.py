"""Payment intents, charges, refunds and the balance they add up to."""

import pytest
import stripe

from tests.infra import wait


def pay(shop, method="pm_card_visa", amount=2000, currency="usd", **more):
    return shop.v1.payment_intents.create(
        params={"amount": amount, "currency": currency, "payment_method": method, "confirm": True, **more}
    )


def settled(shop, intent):
    """The charge once its fee is known."""
    charges = shop.v1.charges
    return wait.until(
        lambda: next(
            (
                c
                for c in [charges.retrieve(intent.latest_charge, params={"expand": ["balance_transaction"]})]
                if c.balance_transaction
            ),
            None,
        ),
        "the charge has a balance transaction",
    )


def check_balance(shop):
    """Money is neither made nor lost: the transactions add up to the balance."""
    balance = shop.v1.balance.retrieve()
    held = {}
    for part in (balance.available, balance.pending):
        for entry in part:
            held[entry.currency] = held.get(entry.currency, 0) + entry.amount
    added = {}
    for row in shop.v1.balance_transactions.list(params={"limit": 100}).auto_paging_iter():
        assert row.net == row.amount - row.fee
        added[row.currency] = added.get(row.currency, 0) + row.net
    assert {k: v for k, v in held.items() if v} == {k: v for k, v in added.items() if v}


def test_paid_and_its_fee(shop):
    intent = pay(shop)
    assert (intent.status, intent.amount_received) == ("succeeded", 2000)
    charge = settled(shop, intent)
    row = charge.balance_transaction
    assert (row.amount, row.fee, row.net, row.type, row.source) == (2000, 88, 1912, "charge", charge.id)
    assert shop.events() == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
    ]
    event = shop.v1.events.list(params={"type": "charge.updated"}).data[0]
    assert event.data.previous_attributes.to_dict() == {"balance_transaction": None}
    check_balance(shop)
    shop.simulator.control("clock", advance=3 * 86_400)
    assert shop.v1.balance.retrieve().available[0].amount == 1912


def test_declined_in_stripes_words(shop):
    with pytest.raises(stripe.CardError) as caught:
        pay(shop, "pm_card_chargeDeclinedInsufficientFunds")
    error = caught.value
    assert (error.http_status, error.code, error.error.decline_code) == (
        402,
        "card_declined",
        "insufficient_funds",
    )
    assert error.user_message == "Your card has insufficient funds."
    assert error.error.payment_intent.status == "requires_payment_method"
    charge = shop.v1.charges.retrieve(error.error.charge)
    assert (charge.status, charge.outcome.type) == ("failed", "issuer_declined")
    assert shop.events() == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]


def test_steps_of_an_intent(shop):
    intent = shop.v1.payment_intents.create(params={"amount": 2000, "currency": "usd"})
    assert intent.status == "requires_payment_method"
    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method"):
        shop.v1.payment_intents.confirm(intent.id)
    changed = shop.v1.payment_intents.update(
        intent.id, params={"amount": 2500, "payment_method": "pm_card_visa"}
    )
    assert (changed.status, changed.amount) == ("requires_confirmation", 2500)
    assert shop.v1.payment_intents.confirm(intent.id).status == "succeeded"
    for forbidden in (
        lambda: shop.v1.payment_intents.confirm(intent.id),
        lambda: shop.v1.payment_intents.cancel(intent.id),
        lambda: shop.v1.payment_intents.capture(intent.id),
        lambda: shop.v1.payment_intents.update(intent.id, params={"amount": 1}),
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            forbidden()
        assert caught.value.code == "payment_intent_unexpected_state"
        assert caught.value.error.payment_intent.id == intent.id
    assert shop.v1.payment_intents.update(intent.id, params={"metadata": {"a": "1"}}).metadata["a"] == "1"


def test_captured_later(shop):
    intent = pay(shop, capture_method="manual")
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 2000)
    done = shop.v1.payment_intents.capture(intent.id, params={"amount_to_capture": 1500})
    assert (done.status, done.amount_received) == ("succeeded", 1500)
    assert settled(shop, done).balance_transaction.amount == 1500
    assert shop.events()[:5] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.amount_capturable_updated",
        "charge.captured",
        "payment_intent.succeeded",
    ]
    other = pay(shop, capture_method="manual")
    shop.simulator.control("clock", advance=8 * 86_400)
    late = shop.v1.payment_intents.retrieve(other.id)
    assert (late.status, late.cancellation_reason) == ("canceled", "automatic")
    check_balance(shop)


def test_challenge_outside_checkout(simulator, shop):
    intent = pay(shop, "pm_card_authenticationRequired", return_url="http://127.0.0.1:9/back")
    assert intent.status == "requires_action"
    place = intent.next_action.redirect_to_url.url.removeprefix(simulator.url)
    answer = simulator.ask("POST", place, {"answer": "approve"})
    assert answer.headers["Location"].startswith("http://127.0.0.1:9/back?payment_intent=pi_")
    assert shop.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    with pytest.raises(stripe.CardError) as caught:
        pay(shop, "pm_card_authenticationRequired", off_session=True)
    assert caught.value.code == "authentication_required"


@pytest.mark.parametrize(
    "params", [{"amount": 49, "currency": "usd"}, {"amount": 100_000_000, "currency": "usd"}]
)
def test_amounts_have_bounds(shop, params):
    with pytest.raises(stripe.InvalidRequestError, match="Amount must be"):
        shop.v1.payment_intents.create(params=params)


def test_refunds(shop):
    intent = pay(shop, amount=4000)
    settled(shop, intent)
    part = shop.v1.refunds.create(
        params={"payment_intent": intent.id, "amount": 1000, "reason": "duplicate", "metadata": {"a": "1"}}
    )
    assert (part.status, part.amount, part.payment_intent) == ("succeeded", 1000, intent.id)
    assert shop.events()[-2:] == ["refund.created", "charge.refunded"]
    charge = shop.v1.charges.retrieve(intent.latest_charge, params={"expand": ["refunds"]})
    assert (charge.amount_refunded, charge.refunded) == (1000, False)
    assert [r.id for r in charge.refunds.data] == [part.id]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.v1.refunds.create(params={"charge": charge.id, "amount": 4000})
    assert caught.value.user_message == (
        "Refund amount ($40.00) is greater than unrefunded amount on charge ($30.00)"
    )
    rest = shop.v1.refunds.create(params={"charge": charge.id})
    assert rest.amount == 3000
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.v1.refunds.create(params={"charge": charge.id})
    assert caught.value.code == "charge_already_refunded"
    assert [r.id for r in shop.v1.refunds.list(params={"charge": charge.id}).data] == [rest.id, part.id]
    changed = shop.v1.refunds.update(part.id, params={"metadata": {"b": "2"}})
    assert changed.metadata.to_dict() == {"a": "1", "b": "2"}
    assert shop.v1.balance_transactions.retrieve(part.balance_transaction).amount == -1000
    check_balance(shop)


def test_a_refund_before_the_fee_is_known(shop):
    intent = pay(shop)
    shop.v1.refunds.create(params={"payment_intent": intent.id})
    check_balance(shop)
    assert shop.v1.charges.retrieve(intent.latest_charge).balance_transaction is not None


def test_refunds_that_take_their_time(shop):
    late = pay(shop, "pm_card_pendingRefund")
    refund = shop.v1.refunds.create(params={"payment_intent": late.id})
    assert refund.status == "pending"
    failing = shop.v1.refunds.create(params={"payment_intent": pay(shop, "pm_card_refundFail").id})
    assert failing.status == "succeeded"
    shop.simulator.control("clock", advance=2 * 3600)
    assert shop.v1.refunds.retrieve(refund.id).status == "succeeded"
    failed = shop.v1.refunds.retrieve(failing.id)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    charge = shop.v1.charges.retrieve(failed.charge)
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert "refund.failed" in shop.events()
    check_balance(shop)


def test_only_what_was_paid_is_refunded(shop):
    with pytest.raises(stripe.CardError):
        pay(shop, "pm_card_chargeDeclined")
    intent = shop.v1.payment_intents.list().data[0]
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        shop.v1.refunds.create(params={"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError, match="should be provided"):
        shop.v1.refunds.create(params={"amount": 1})
    held = pay(shop, capture_method="manual")
    assert shop.v1.refunds.create(params={"payment_intent": held.id}).status == "succeeded"
    assert shop.v1.payment_intents.retrieve(held.id).status == "canceled"


def test_charges_are_noted_on(shop):
    intent = pay(shop)
    charge = shop.v1.charges.update(
        intent.latest_charge, params={"description": "Noted", "fraud_details": {"user_report": "safe"}}
    )
    assert (charge.description, charge.fraud_details.user_report) == ("Noted", "safe")
    assert [c.id for c in shop.v1.charges.list(params={"payment_intent": intent.id}).data] == [charge.id]
    page = shop.simulator.ask("GET", charge.receipt_url.removeprefix(shop.simulator.url))
    assert "$20.00" in page.text
