"""The screen: what an order is worth, how often its payer pays, and that every decision is kept and replays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import scoped_session

from app.billing import checkout, offers, payments, settlement
from app.fraud import rules, screen
from app.fraud.signals import Signals
from app.models import FraudDecision, HistoryEntry, Order, OrderState, Payment, PaymentState
from app.money import Money
from tests.billing.sessions import decision, intent_of, open_order, session_of, signals
from tests.infra import databases

Travel = Callable[..., None]


def decisions(session: scoped_session, order: Order) -> list[FraudDecision]:
    return list(
        session.scalars(
            select(FraudDecision).where(FraudDecision.order_id == order.id).order_by(FraudDecision.id)
        )
    )


def pay(session: scoped_session, order: Order, **changes: object) -> Order:
    settlement.settle(session_of(order, **changes), actor="stripe")
    session.commit()
    return order


# By the table: one euro is worth 1.10 dollars, one yen 0.0067, one US dollar 1.
WORTH = [
    ("usd", 100_000_00, False),
    ("usd", 100_000_01, True),
    ("eur", 90_909_09, False),  # 99,999.999 dollars
    ("eur", 90_909_10, True),  # 100,000.01
    ("jpy", 14_925_373, False),  # 99,999.9991
    ("jpy", 14_925_374, True),  # 100,000.0058: above by less than a cent
    ("xxx", 100_000_00, False),  # no currency of the table: counts one to one
    ("xxx", 100_000_01, True),
    ("usd", 1, False),
]


@pytest.mark.parametrize(("currency", "amount", "high"), WORTH)
def test_a_high_amount_is_one_above_100_000_dollars(
    app: Flask, currency: str, amount: int, high: bool
) -> None:
    with app.app_context():
        cents = screen.usd_cents(Money(amount, currency))
    found = rules.judge(Signals("v", "n", usd_cents=cents))
    assert (found[2] == ["high_amount"]) is high


@pytest.mark.parametrize(("quantity", "flagged"), [(1, False), (2, True)])
def test_an_order_of_a_high_amount_carries_the_flag(
    shop: scoped_session, quantity: int, flagged: bool
) -> None:
    price = offers.price_on_sale("field-guide-eur-v1")
    price.unit_amount = 90_909_09
    shop.commit()
    order = checkout.place_order(decision(quantity=quantity), signals())
    shop.commit()
    assert (order.flagged, order.flags) == (flagged, ["high_amount"] if flagged else [])


@pytest.mark.parametrize("worth", ["", "a lot", "NaN", "Infinity", "-Infinity", "1,10"])
def test_a_table_that_cannot_be_read_flags_what_it_cannot_judge(
    shop: scoped_session, app: Flask, monkeypatch: pytest.MonkeyPatch, worth: str
) -> None:
    settings = app.config["SETTINGS"]
    monkeypatch.setitem(app.config, "SETTINGS", replace(settings, usd_worth={"eur": worth}))
    order = checkout.place_order(decision(), signals())
    shop.commit()
    assert (order.flagged, order.flags) == (True, ["screening_failed"])
    (kept,) = decisions(shop, order)
    assert kept.signals["usd_cents"] is None


def test_the_table_is_a_setting(shop: scoped_session, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.config, "SETTINGS", replace(app.config["SETTINGS"], usd_worth={"eur": "5000"}))
    assert screen.usd_cents(Money(2900, "eur")) == int(Decimal(29) * 5000 * 100)
    assert checkout.place_order(decision(), signals()).flags == ["high_amount"]


@databases.both
def test_the_sixth_payment_of_an_hour_is_flagged(shop: scoped_session) -> None:
    """One customer, a new browser each time: known by the address once it is paid."""
    mail = {"customer_details": {"email": "Rapid@Example.com ", "name": "R", "address": {"country": "DE"}}}
    for number in range(1, 7):
        order = open_order(visitor=f"browser-{number}")
        assert not order.flagged
        pay(shop, order, **mail)
        assert (order.flagged, order.flags) == ((True, ["rapid_payments"]) if number == 6 else (False, []))
    request, settled = decisions(shop, order)
    assert (request.stage, request.verdict, request.signals["recent_payments"]) == ("request", "allow", 1)
    assert (settled.stage, settled.verdict, settled.signals["recent_payments"]) == ("settlement", "flag", 6)
    assert order.state == OrderState.PAID  # a flag asks a person to look; it takes nobody's purchase away
    other = open_order(visitor="somebody-else")
    assert pay(shop, other).flagged is False


def test_one_browser_s_sixth_order_is_flagged_before_it_is_paid(shop: scoped_session) -> None:
    for number in range(1, 7):
        order = open_order(quantity=number)
        assert order.flags == (["rapid_payments"] if number == 6 else [])
        pay(shop, order, customer_details={"email": f"{number}@example.com"}, customer=f"cus_{number}")


@pytest.mark.parametrize(("seconds", "flags"), [(3500, ["rapid_payments"]), (3700, [])])
def test_the_hour_passes(shop: scoped_session, travel: Travel, seconds: int, flags: list[str]) -> None:
    for number in range(1, 6):
        pay(shop, open_order(quantity=number))
    travel(seconds=seconds)
    assert pay(shop, open_order(quantity=6)).flags == flags


def test_payments_that_failed_do_not_count(shop: scoped_session) -> None:
    for number in range(1, 9):
        order = open_order(quantity=number)
        payments.sync_intent(
            intent_of(order, "requires_payment_method", last_payment_error={"code": "card_declined"}),
            actor="stripe",
        )
        shop.commit()
    assert {payment.state for payment in shop.scalars(select(Payment))} == {PaymentState.FAILED}
    assert open_order(quantity=9).flags == []


@databases.both
def test_every_decision_is_kept_with_its_reasons_and_replays(shop: scoped_session) -> None:
    order = checkout.place_order(decision(), signals(high_risk=True))
    shop.commit()
    checkout.note_session(order, session_of(order, status="open", payment_status="unpaid"))
    pay(shop, order)
    kept = decisions(shop, order)
    assert [row.stage for row in kept] == ["request", "settlement"]
    for row in kept:
        assert (row.verdict, row.score, row.reasons, row.rules_version) == (
            "flag", 50, ["suspicious_ip"], rules.VERSION,
        )  # fmt: skip
        assert rules.judge(Signals.restored(row.signals)) == (row.verdict, row.score, row.reasons)
    history = shop.scalars(select(HistoryEntry).where(HistoryEntry.kind == "screened")).all()
    assert [entry.data["reasons"] for entry in history] == [["suspicious_ip"], ["suspicious_ip"]]
    assert (order.flagged, order.flags) == (True, ["suspicious_ip"])


def test_a_flag_stays_when_a_later_look_finds_nothing(shop: scoped_session) -> None:
    order = open_order()
    order.flagged, order.flags = True, ["high_amount"]
    shop.commit()
    pay(shop, order)
    assert (order.flagged, order.flags) == (True, ["high_amount"])


def test_a_rule_that_raises_flags_the_order(shop: scoped_session, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_signals: Signals) -> bool:
        raise RuntimeError("a table is missing")

    monkeypatch.setattr(rules, "RULES", (*rules.RULES, rules.Rule("broken", 10, failing)))
    order = pay(shop, open_order())
    assert (order.state, order.flagged, order.flags) == (OrderState.PAID, True, ["screening_failed"])
    assert [row.verdict for row in decisions(shop, order)] == ["flag", "flag"]


def test_a_decision_of_an_older_release_does_not_stop_a_settlement(shop: scoped_session) -> None:
    order = open_order()
    (first,) = decisions(shop, order)
    first.signals = {"visitor_hash": "v", "network_hash": "n", "high_risk": True, "more": {}, "gone": 1}
    shop.commit()
    assert pay(shop, order).flags == ["suspicious_ip"]


def test_an_order_without_a_decision_is_still_judged(shop: scoped_session) -> None:
    order = open_order()
    for row in decisions(shop, order):
        shop.delete(row)
    shop.commit()
    assert pay(shop, order).flagged is False
    assert [row.stage for row in decisions(shop, order)] == ["settlement"]
