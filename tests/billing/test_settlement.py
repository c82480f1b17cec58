"""Settling: once, only as agreed, from whichever door, in whichever order."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import scoped_session

from app import audit, queue
from app.billing import ledger, payments, receipts, settlement
from app.models import (
    Account,
    AuditRow,
    HistoryEntry,
    JournalEntry,
    Mail,
    MetricRecord,
    Order,
    OrderState,
    Payment,
    PaymentState,
    PromotionCode,
    Receipt,
    RevenueRecord,
    StockState,
)
from app.models.base import WrongTransition
from app.money import Money
from tests.billing.sessions import charge_of, intent_of, open_order, session_of, stripe_id
from tests.infra import databases


def count(session: scoped_session, model: Any) -> int:
    return session.scalar(select(func.count()).select_from(model))


@databases.both
def test_a_paid_session_settles_everything_in_one_commit(shop: scoped_session) -> None:
    order = open_order()
    settlement.settle(session_of(order), actor="stripe")
    shop.commit()
    assert order.state == OrderState.PAID
    assert order.settled == order.total
    assert order.customer.email == "visitor@example.com"
    payment = shop.scalars(select(Payment)).one()
    assert (payment.state, payment.gross) == (PaymentState.SUCCEEDED, order.total)
    revenue = shop.scalars(select(RevenueRecord)).one()
    assert (revenue.gross, revenue.tax) == (order.total, Money(463, "eur"))
    assert ledger.balances() == {
        (Account.STRIPE_CLEARING, "eur"): Money(2900, "eur"),
        (Account.REVENUE, "eur"): Money(-2437, "eur"),
        (Account.TAX_PAYABLE, "eur"): Money(-463, "eur"),
    }
    assert order.receipt.number.endswith("-000001")
    assert count(shop, Mail) == 1
    for _ in range(2):
        payments.sync_charge(charge_of(order), actor="stripe")
    figure = shop.scalars(select(MetricRecord)).one()
    assert figure.name == "payment_processed"
    assert (figure.fields["amount"], figure.fields["method"]) == (2900, "card")
    assert set(figure.fields) == {"amount", "currency", "status", "processing_ms", "method"}


@databases.both
@pytest.mark.parametrize("order_of_news", list(itertools.permutations(("session", "intent", "charge"))))
def test_three_events_tell_one_fact_in_any_order(
    shop: scoped_session, order_of_news: tuple[str, ...]
) -> None:
    order = open_order()
    waiting = list(order_of_news) * 2
    tell = {
        "session": lambda: settlement.settle(session_of(order), actor="stripe"),
        "intent": lambda: payments.sync_intent(intent_of(order), actor="stripe"),
        "charge": lambda: payments.sync_charge(charge_of(order), actor="stripe"),
    }
    while waiting:
        news = waiting.pop(0)
        try:
            tell[news]()
            shop.commit()
        except queue.Later:
            shop.rollback()
            waiting.append(news)
    assert order.state == OrderState.PAID
    for model in (Payment, RevenueRecord, JournalEntry, Receipt, Mail):
        assert count(shop, model) == 1
    payment = shop.scalars(select(Payment)).one()
    assert (payment.state, payment.card_last4, payment.stripe_charge_id) == (
        PaymentState.SUCCEEDED,
        "4242",
        f"ch_{order.public_id}",
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"currency": "usd"}, "currency_mismatch"),
        ({"amount_subtotal": 2800}, "subtotal_mismatch"),
        ({"amount_total": 2899}, "total_mismatch"),
        ({"amount_total": 2901}, "total_mismatch"),
        ({"client_reference_id": "ord_other"}, "reference_mismatch"),
        (
            {"amount_total": 2610, "total_details": {"amount_discount": 290, "amount_tax": 417}},
            "discount_mismatch",
        ),
    ],
)
def test_anything_else_than_agreed_is_held_for_a_person(
    shop: scoped_session, change: dict[str, Any], reason: str
) -> None:
    order = open_order()
    settlement.settle(session_of(order, **change), actor="stripe")
    shop.commit()
    assert (order.state, order.flagged) == (OrderState.HELD, True)
    assert reason in order.flags
    assert count(shop, RevenueRecord) == count(shop, Receipt) == 0
    # The money is there all the same, and the books say so.
    assert ledger.balances()[Account.SUSPENSE, change.get("currency", "eur")].amount < 0
    assert shop.scalars(select(AuditRow).where(AuditRow.action == "order.held")).one()


def test_a_held_order_is_released_once_and_audited(shop: scoped_session) -> None:
    order = open_order()
    settlement.settle(session_of(order, amount_total=2000), actor="stripe")
    shop.commit()
    for _ in range(2):
        settlement.release(order, actor="user:1")
        shop.commit()
    assert (order.state, order.settled) == (OrderState.PAID, Money(2000, "eur"))
    assert ledger.balances()[Account.SUSPENSE, "eur"] == Money(0, "eur")
    assert ledger.balances()[Account.STRIPE_CLEARING, "eur"] == Money(2000, "eur")
    assert count(shop, RevenueRecord) == count(shop, Receipt) == 1
    assert count(shop, AuditRow) == 3  # the catalogue's push, the hold, the release
    assert list(audit.verify()) == []


def test_our_promotion_code_lowers_the_total_by_what_it_is_worth(shop: scoped_session) -> None:
    order = open_order()
    code = shop.scalars(select(PromotionCode)).one()
    session = session_of(
        order,
        amount_total=2610,
        total_details={"amount_discount": 290, "amount_tax": 417, "amount_shipping": 0},
        discounts=[{"coupon": code.stripe_coupon_id, "promotion_code": code.stripe_promotion_code_id}],
    )
    settlement.settle(session, actor="stripe")
    assert (order.state, order.settled, order.discount) == (
        OrderState.PAID,
        Money(2610, "eur"),
        Money(290, "eur"),
    )
    statement = receipts.statement_of(order)
    assert [line.amount.amount for line in statement.lines] == [2900, -290]
    assert statement.total == Money(2610, "eur")


def test_a_free_order_is_fulfilled_without_a_payment(shop: scoped_session) -> None:
    code = shop.scalars(select(PromotionCode)).one()
    code.percent_off = 100
    order = open_order()
    session = session_of(
        order,
        amount_total=0,
        payment_status="no_payment_required",
        payment_intent=None,
        total_details={"amount_discount": 2900, "amount_tax": 0, "amount_shipping": 0},
        discounts=[{"coupon": None, "promotion_code": {"id": code.stripe_promotion_code_id}}],
    )
    settlement.settle(session, actor="stripe")
    settlement.settle(session, actor="stripe")
    assert (order.state, order.settled) == (OrderState.PAID, Money(0, "eur"))
    assert count(shop, Payment) == count(shop, JournalEntry) == 0
    assert count(shop, Receipt) == 1


def test_exclusive_tax_is_added_after_the_discount(shop: scoped_session) -> None:
    order = open_order("field-guide-jpy-v1")
    assert (order.subtotal, order.tax, order.total) == (
        Money(4800, "jpy"),
        Money(480, "jpy"),
        Money(5280, "jpy"),
    )
    code = shop.scalars(select(PromotionCode)).one()
    session = session_of(
        order,
        amount_total=4752,
        total_details={"amount_discount": 480, "amount_tax": 432, "amount_shipping": 0},
        discounts=[{"promotion_code": code.stripe_promotion_code_id}],
    )
    settlement.settle(session, actor="stripe")
    assert order.state == OrderState.PAID
    assert ledger.balances()[Account.TAX_PAYABLE, "jpy"] == Money(-432, "jpy")


def test_a_delayed_method_is_fulfilled_only_when_the_money_is_there(shop: scoped_session) -> None:
    order = open_order("press-evening-eur-v1")
    unpaid = session_of(order, payment_status="unpaid", payment_intent=f"pi_{order.public_id}")
    settlement.settle(unpaid, actor="stripe")
    assert order.state == OrderState.PROCESSING
    assert (count(shop, Receipt), order.stock_state) == (0, StockState.HELD)
    settlement.settle(session_of(order), actor="stripe")
    assert (order.state, order.stock_state, count(shop, Receipt)) == (OrderState.PAID, StockState.SOLD, 1)
    settlement.settle(unpaid, actor="stripe")
    settlement.settle(unpaid, actor="stripe", async_failed=True)
    assert order.state == OrderState.PAID


def test_a_delayed_method_that_fails_frees_the_stock(shop: scoped_session) -> None:
    order = open_order("press-evening-eur-v1")
    offer = order.offer
    unpaid = session_of(order, payment_status="unpaid")
    settlement.settle(unpaid, actor="stripe")
    settlement.settle(unpaid, actor="stripe", async_failed=True)
    shop.commit()
    shop.refresh(offer)
    assert (order.state, order.stock_state, offer.available) == (
        OrderState.FAILED,
        StockState.RELEASED,
        12,
    )


def test_expiry_frees_the_stock_and_a_payment_after_all_is_never_denied(shop: scoped_session) -> None:
    order = open_order("press-evening-eur-v1", quantity=12)
    settlement.settle(session_of(order, status="expired", payment_status="unpaid"), actor="stripe")
    settlement.settle(session_of(order, status="expired", payment_status="unpaid"), actor="stripe")
    shop.commit()
    assert (order.state, order.stock_state) == (OrderState.EXPIRED, StockState.RELEASED)
    other = open_order("press-evening-eur-v1", quantity=1, visitor="other")
    settlement.settle(session_of(order), actor="stripe")
    assert order.state == OrderState.HELD
    assert "oversold" in order.flags
    assert other.stock_state == StockState.HELD


def test_sessions_that_are_not_ours_are_left_alone(shop: scoped_session) -> None:
    order = open_order()
    foreign = session_of(order, id="cs_test_foreign", metadata={})
    assert settlement.settle(foreign, actor="stripe") is None
    assert payments.sync_intent(intent_of(order, metadata={}), actor="stripe") is None
    assert payments.sync_charge(charge_of(order, metadata={}), actor="stripe") is None
    with pytest.raises(queue.Later):
        settlement.settle(
            session_of(
                order, id="cs_test_early", metadata={"created_via": "countinghouse", "order_id": "ord_x"}
            ),
            actor="stripe",
        )
    second = session_of(order, id="cs_test_second")
    assert settlement.settle(second, actor="stripe").state == OrderState.OPEN


def test_a_decline_is_remembered_and_the_next_card_settles(shop: scoped_session) -> None:
    order = open_order()
    declined = intent_of(
        order,
        "requires_payment_method",
        last_payment_error={
            "code": "card_declined",
            "decline_code": "insufficient_funds",
            "message": "Your card has insufficient funds.",
        },
    )
    payment = payments.sync_intent(declined, actor="stripe")
    assert (payment.state, payment.failure_code, order.state) == (
        PaymentState.FAILED,
        "insufficient_funds",
        OrderState.OPEN,
    )
    payments.sync_intent(intent_of(order, "processing"), actor="stripe")
    assert payment.state == PaymentState.PENDING
    payments.sync_intent(intent_of(order), actor="stripe")
    told = [entry.data for entry in shop.scalars(select(HistoryEntry).where(HistoryEntry.kind == "payment"))]
    assert [(entry["to"], entry["code"]) for entry in told if entry["to"] != "pending"] == [
        ("failed", "insufficient_funds"),
        ("succeeded", None),
    ]
    payments.sync_intent(declined, actor="stripe")
    assert (payment.state, payment.failure_code, payment.failed_at) == (PaymentState.SUCCEEDED, None, None)


def test_receipt_numbers_have_no_gaps_even_after_a_rollback(shop: scoped_session) -> None:
    for number in range(3):
        order = open_order(visitor=f"v{number}")
        settlement.settle(session_of(order), actor="stripe")
        shop.rollback()
        settlement.settle(session_of(order), actor="stripe")
        shop.commit()
    numbers = sorted(shop.scalars(select(Receipt.number)))
    assert [number[-6:] for number in numbers] == ["000001", "000002", "000003"]


def test_terminal_states_do_not_regress(shop: scoped_session) -> None:
    order = open_order()
    settlement.settle(session_of(order), actor="stripe")
    for state in OrderState:
        if state != OrderState.PAID:
            with pytest.raises(WrongTransition):
                order.move_to(state, actor="test")
    assert order.move_to(OrderState.PAID, actor="test") is False


def test_fees_are_posted_once_from_the_balance_transaction(shop: scoped_session) -> None:
    order = open_order()
    settlement.settle(session_of(order), actor="stripe")
    payments.sync_charge(charge_of(order), actor="stripe")
    transaction = {
        "id": stripe_id("txn"),
        "source": f"ch_{order.public_id}",
        "type": "charge",
        "currency": "eur",
        "amount": 2900,
        "fee": 115,
        "net": 2785,
        "created": 1,
    }
    assert payments.post_fee(transaction) is True
    assert payments.post_fee(transaction) is False
    assert ledger.balances()[Account.STRIPE_CLEARING, "eur"] == Money(2785, "eur")
    assert ledger.balances()[Account.STRIPE_FEES, "eur"] == Money(115, "eur")


def test_a_conversion_balances_in_both_currencies(shop: scoped_session) -> None:
    order = open_order("field-guide-jpy-v1")
    settlement.settle(session_of(order), actor="stripe")
    payments.sync_charge(charge_of(order), actor="stripe")
    payments.post_fee(
        {
            "id": "txn_1",
            "source": f"ch_{order.public_id}",
            "currency": "eur",
            "amount": 3100,
            "fee": 120,
            "net": 2980,
            "created": 1,
        }
    )
    sums: dict[str, int] = {}
    for (_account, currency), balance in ledger.balances().items():
        sums[currency] = sums.get(currency, 0) + balance.amount
    assert sums == {"jpy": 0, "eur": 0}
    assert ledger.balances()[Account.STRIPE_CLEARING, "jpy"] == Money(0, "jpy")
    assert ledger.balances()[Account.STRIPE_CLEARING, "eur"] == Money(2980, "eur")


def test_an_unbalanced_entry_is_refused(shop: scoped_session) -> None:
    order: Order = open_order()
    lines = [(Account.STRIPE_CLEARING, Money(100, "eur")), (Account.REVENUE, Money(-99, "eur"))]
    with pytest.raises(ledger.Unbalanced):
        ledger.post("key", "memo", lines, occurred_at=order.created_at, livemode=False)
    assert count(shop, JournalEntry) == 0


def test_a_delayed_payment_that_came_back_is_seen_without_its_event(shop: scoped_session) -> None:
    order = open_order("press-evening-eur-v1")
    settlement.settle(session_of(order, payment_status="unpaid"), actor="stripe")
    returned = {"id": f"pi_{order.public_id}", "status": "requires_payment_method"}
    settlement.settle(session_of(order, payment_status="unpaid", payment_intent=returned), actor="worker")
    assert (order.state, order.stock_state) == (OrderState.FAILED, StockState.RELEASED)
