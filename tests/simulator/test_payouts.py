"""Payouts: from the available balance to the bank, called back, or returned by it."""

import pytest
import stripe

from tests.simulator.test_payments import check_balance, pay

DAY = 86_400


@pytest.fixture
def funded(shop):
    """19.12 dollars are available."""
    pay(shop, "pm_card_bypassPending")
    shop.simulator.control("settle")
    return shop


def available(shop):
    return shop.v1.balance.retrieve().available[0].amount


def test_sent_and_arrived(funded):
    payout = funded.v1.payouts.create(params={"amount": 1100, "currency": "usd", "metadata": {"a": "1"}})
    assert (payout.status, payout.amount, available(funded)) == ("pending", 1100, 1912 - 1100)
    row = funded.v1.balance_transactions.retrieve(payout.balance_transaction)
    assert (row.type, row.net, row.source) == ("payout", -1100, payout.id)
    funded.simulator.control("clock", advance=DAY)
    assert funded.v1.payouts.retrieve(payout.id).status == "paid"
    assert [e for e in funded.events() if e.startswith("payout")] == [
        "payout.created",
        "payout.updated",
        "payout.paid",
    ]
    assert [p.id for p in funded.v1.payouts.list(params={"status": "paid"}).data] == [payout.id]
    failed = funded.simulator.control(f"stage/payout/{payout.id}/fail")
    assert (failed["status"], failed["failure_code"], available(funded)) == ("failed", "account_closed", 1912)
    assert funded.simulator.ask("POST", f"/_sim/stage/payout/{payout.id}/fail").status == 400
    check_balance(funded)


def test_called_back(funded):
    payout = funded.v1.payouts.create(params={"amount": 1912, "currency": "usd"})
    assert funded.v1.payouts.update(payout.id, params={"metadata": {"b": "2"}}).metadata["b"] == "2"
    canceled = funded.v1.payouts.cancel(payout.id)
    assert (canceled.status, available(funded)) == ("canceled", 1912)
    with pytest.raises(stripe.InvalidRequestError, match="only be canceled if they are pending"):
        funded.v1.payouts.cancel(payout.id)
    check_balance(funded)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"amount": 1913, "currency": "usd"}, "balance_insufficient"),
        ({"amount": 1, "currency": "eur"}, "balance_insufficient"),
        ({"amount": 0, "currency": "usd"}, "parameter_invalid_integer"),
        ({"amount": 1, "currency": "usd", "destination": "ba_none"}, "resource_missing"),
    ],
)
def test_refused(funded, params, code):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        funded.v1.payouts.create(params=params)
    assert caught.value.code == code
