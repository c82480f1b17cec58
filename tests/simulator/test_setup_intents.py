"""Payment methods kept for later: setup intents, their attempts and mandates, and what attaching refuses."""

import pytest
import stripe


def setup(shop, method="pm_card_visa", **more):
    return shop.v1.setup_intents.create(params={"payment_method": method, "confirm": True, **more})


@pytest.fixture
def customer(shop):
    return shop.v1.customers.create(params={"email": "a@example.com"})


def test_set_up_and_attached(shop, customer):
    intent = setup(shop, customer=customer.id)
    assert (intent.status, intent.usage, intent.customer) == ("succeeded", "off_session", customer.id)
    assert intent.client_secret.startswith(f"{intent.id}_secret_")
    assert shop.v1.payment_methods.retrieve(intent.payment_method).customer == customer.id
    attempts = shop.v1.setup_attempts.list(params={"setup_intent": intent.id}).data
    assert [(a.id, a.status) for a in attempts] == [(intent.latest_attempt, "succeeded")]
    assert shop.events() == [
        "customer.created",
        "setup_intent.created",
        "payment_method.attached",
        "setup_intent.succeeded",
    ]


def test_a_challenge_on_the_way(simulator, shop, customer):
    intent = setup(shop, "pm_card_authenticationRequiredOnSetup", customer=customer.id,
                   return_url="http://127.0.0.1:9/back")  # fmt: skip
    assert intent.status == "requires_action"
    place = intent.next_action.redirect_to_url.url.removeprefix(simulator.url)
    assert "keep your card" in simulator.ask("GET", place).text
    failed = simulator.ask("POST", place, {"answer": "fail"})
    assert failed.headers["Location"] == f"http://127.0.0.1:9/back?setup_intent={intent.id}"
    again = shop.v1.setup_intents.retrieve(intent.id, params={"expand": ["latest_attempt"]})
    assert again.last_setup_error.code == "setup_intent_authentication_failure"
    assert (again.status, again.latest_attempt.status) == ("requires_payment_method", "failed")
    method = shop.v1.payment_methods.create(
        params={"type": "card", "card": {"token": "tok_authenticationRequiredOnSetup"}}
    )
    shop.v1.setup_intents.confirm(intent.id, params={"payment_method": method.id})
    simulator.ask("POST", place, {"answer": "approve"})
    assert shop.v1.setup_intents.retrieve(intent.id).status == "succeeded"
    assert shop.events()[-2:] == ["payment_method.attached", "setup_intent.succeeded"]
    paid = shop.v1.payment_intents.create(
        params={"amount": 2000, "currency": "usd", "customer": customer.id, "payment_method": method.id,
                "confirm": True, "off_session": True}
    )  # fmt: skip
    assert paid.status == "succeeded"


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ],
)
def test_declined(shop, method, code, decline_code):
    with pytest.raises(stripe.CardError) as caught:
        setup(shop, method)
    error = caught.value
    assert (error.code, error.error.decline_code) == (code, decline_code)
    assert error.error.setup_intent.last_setup_error.code == code
    assert error.error.setup_intent.status == "requires_payment_method"
    assert shop.events() == ["setup_intent.created", "setup_intent.setup_failed"]


def test_steps_of_an_intent(shop, customer):
    intents = shop.v1.setup_intents
    intent = intents.create(params={"customer": customer.id, "usage": "on_session", "metadata": {"a": "1"}})
    assert (intent.status, intent.usage) == ("requires_payment_method", "on_session")
    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method"):
        intents.confirm(intent.id)
    changed = intents.update(intent.id, params={"payment_method": "pm_card_visa", "metadata": {"b": "2"}})
    assert (changed.status, changed.metadata.to_dict()) == ("requires_confirmation", {"a": "1", "b": "2"})
    assert intents.confirm(intent.id).status == "succeeded"
    for forbidden in (
        lambda: intents.confirm(intent.id),
        lambda: intents.cancel(intent.id),
        lambda: intents.update(intent.id, params={"payment_method": "pm_card_visa"}),
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            forbidden()
        assert caught.value.code == "setup_intent_unexpected_state"
        assert caught.value.error.setup_intent.id == intent.id
    assert intents.update(intent.id, params={"description": "noted"}).description == "noted"
    other = intents.cancel(intents.create().id, params={"cancellation_reason": "abandoned"})
    assert (other.status, other.cancellation_reason) == ("canceled", "abandoned")
    assert [i.id for i in intents.list(params={"customer": customer.id}).data] == [intent.id]


def test_a_debit_leaves_a_mandate(shop, customer):
    method = shop.v1.payment_methods.create(
        params={"type": "sepa_debit", "sepa_debit": {"iban": "DE89370400440532013000"}}
    )
    intent = setup(shop, method.id, customer=customer.id)
    mandate = shop.v1.mandates.retrieve(intent.mandate)
    assert (mandate.status, mandate.payment_method, mandate.type) == ("active", method.id, "multi_use")


def test_paying_for_later_counts_as_set_up(simulator, shop, customer):
    intent = shop.v1.payment_intents.create(
        params={"amount": 2000, "currency": "usd", "customer": customer.id, "confirm": True,
                "payment_method": "pm_card_authenticationRequiredOnSetup", "setup_future_usage": "off_session",
                "return_url": "http://127.0.0.1:9/back"}
    )  # fmt: skip
    simulator.ask("POST", f"/c/3ds/{intent.id}", {"answer": "approve"})
    intent = shop.v1.payment_intents.retrieve(intent.id)
    again = shop.v1.payment_intents.create(
        params={"amount": 900, "currency": "usd", "customer": customer.id, "confirm": True, "off_session": True,
                "payment_method": intent.payment_method}
    )  # fmt: skip
    assert again.status == "succeeded"


def test_another_customers_method_is_refused(shop, customer):
    other = shop.v1.customers.create()
    method = shop.v1.payment_methods.attach("pm_card_visa", params={"customer": other.id})
    for more in ({}, {"customer": customer.id}):
        with pytest.raises(stripe.InvalidRequestError):
            setup(shop, method.id, **more)


def test_cards_kept_in_the_old_way(shop):
    owner = shop.v1.customers.create(params={"source": "tok_visa"})
    first = owner.default_source
    assert first.startswith("card_")
    with_source = shop.v1.customers.retrieve(owner.id, params={"expand": ["default_source", "sources"]})
    assert (with_source.default_source.brand, with_source.default_source.last4) == ("Visa", "4242")
    second = shop.v1.customers.payment_sources.create(owner.id, params={"source": "tok_mastercard"})
    assert [s.id for s in shop.v1.customers.payment_sources.list(owner.id).data] == [second.id, first]
    assert (
        shop.v1.customers.update(owner.id, params={"default_source": second.id}).default_source == second.id
    )
    paid = shop.v1.payment_intents.create(
        params={
            "amount": 900,
            "currency": "usd",
            "customer": owner.id,
            "confirm": True,
            "payment_method": second.id,
        }
    )
    assert paid.status == "succeeded"
    assert shop.v1.customers.payment_sources.delete(owner.id, second.id).deleted
    assert shop.v1.customers.retrieve(owner.id).default_source == first
    with pytest.raises(stripe.CardError):
        shop.v1.customers.update(owner.id, params={"source": "tok_chargeDeclined"})
    with pytest.raises(stripe.InvalidRequestError, match="No such token"):
        shop.v1.customers.create(params={"source": "tok_nobody"})
    with pytest.raises(stripe.InvalidRequestError, match="No such source"):
        shop.v1.customers.payment_sources.retrieve(owner.id, second.id)


@pytest.mark.parametrize("method", ["pm_card_chargeDeclined", "pm_card_chargeDeclinedExpiredCard"])
def test_attaching_is_refused_with_the_cards_own_words(shop, customer, method):
    with pytest.raises(stripe.CardError) as caught:
        shop.v1.payment_methods.attach(method, params={"customer": customer.id})
    assert caught.value.code in ("card_declined", "expired_card")
    kept = shop.v1.payment_methods.attach("pm_card_chargeCustomerFail", params={"customer": customer.id})
    with pytest.raises(stripe.CardError):
        shop.v1.payment_intents.create(
            params={
                "amount": 900,
                "currency": "usd",
                "customer": customer.id,
                "confirm": True,
                "payment_method": kept.id,
            }
        )
    changed = shop.v1.payment_methods.update(
        kept.id, params={"metadata": {"a": "1"}, "card": {"exp_year": 2040}}
    )
    assert (changed.card.exp_year, changed.metadata["a"]) == (2040, "1")
    assert shop.v1.payment_methods.detach(kept.id).customer is None
    with pytest.raises(stripe.InvalidRequestError, match="not attached"):
        shop.v1.payment_methods.detach(kept.id)
    assert shop.v1.payment_methods.list(params={"customer": customer.id, "type": "card"}).data == []
    assert [e for e in shop.events() if e.startswith("payment_method")] == [
        "payment_method.attached",
        "payment_method.updated",
        "payment_method.detached",
    ]
