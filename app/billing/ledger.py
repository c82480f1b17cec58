"""The ledger: balanced double-entry journal entries, each fact posted once under its business key."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from app.extensions import db
from app.models import Account, JournalEntry, JournalLine, Order, Payment
from app.money import Money

A = Account


class Unbalanced(ValueError):
    """Debits and credits differ in some currency; nothing is posted."""


def post(
    key: str,
    memo: str,
    lines: list[tuple[Account, Money]],
    *,
    occurred_at: datetime,
    livemode: bool,
    order: Order | None = None,
) -> bool:
    """Post an entry in the caller's transaction; debits positive, credits negative. False: posted before.

    Raises Unbalanced unless the lines of each currency add up to zero.
    """
    sums: dict[str, int] = {}
    for _account, value in lines:
        sums[value.currency] = sums.get(value.currency, 0) + value.amount
    if any(sums.values()):
        raise Unbalanced(f"{key}: {sums}")
    if db.session.scalar(select(JournalEntry.id).where(JournalEntry.key == key)) is not None:
        return False
    entry = JournalEntry(
        key=key, memo=memo, order_id=order.id if order else None, occurred_at=occurred_at, livemode=livemode
    )
    entry.lines = [
        JournalLine(account=account, currency=value.currency, amount=value.amount)
        for account, value in lines
        if value.amount
    ]
    db.session.add(entry)
    db.session.flush()
    return True


def post_sale(payment: Payment, order: Order, tax: Money, at: datetime) -> None:
    """A settled payment: Stripe owes us the gross; what is not tax is revenue."""
    gross = payment.gross
    lines = [(A.STRIPE_CLEARING, gross), (A.REVENUE, tax - gross), (A.TAX_PAYABLE, -tax)]
    _post_payment(payment, "sale", lines, order, at)


def post_held(payment: Payment, order: Order, at: datetime) -> None:
    """Money that came otherwise than agreed: it is there, but not earned yet."""
    lines = [(A.STRIPE_CLEARING, payment.gross), (A.SUSPENSE, -payment.gross)]
    _post_payment(payment, "held", lines, order, at)


def post_release(payment: Payment, order: Order, tax: Money, at: datetime) -> None:
    """A person accepted a held payment: out of suspense, into revenue and tax."""
    gross = payment.gross
    lines = [(A.SUSPENSE, gross), (A.REVENUE, tax - gross), (A.TAX_PAYABLE, -tax)]
    _post_payment(payment, "release", lines, order, at)


def _post_payment(
    payment: Payment, what: str, lines: list[tuple[Account, Money]], order: Order, at: datetime
) -> None:
    post(
        f"{what}:{payment.stripe_payment_intent_id}",
        f"{what} {order.public_id}",
        lines,
        occurred_at=at,
        livemode=payment.livemode,
        order=order,
    )


def post_balance_transaction(payment: Payment, transaction: dict[str, Any], at: datetime) -> None:
    """Stripe's fee on a payment and, where Stripe converted, the exchange, from its balance transaction.

    Page: https://docs.stripe.com/api/balance_transactions/object
    """
    settled = transaction["currency"]
    amount, fee = Money(transaction["amount"], settled), Money(transaction["fee"], settled)
    lines = [(A.STRIPE_FEES, fee), (A.STRIPE_CLEARING, -fee)]
    if settled != payment.currency:
        lines += [
            (A.STRIPE_CLEARING, -payment.gross),
            (A.CONVERSION, payment.gross),
            (A.STRIPE_CLEARING, amount),
            (A.CONVERSION, -amount),
        ]
    post(
        f"balance:{transaction['id']}",
        f"fee on {payment.public_id}",
        lines,
        occurred_at=at,
        livemode=payment.livemode,
        order=payment.order,
    )


def balances() -> dict[tuple[Account, str], Money]:
    """The trial balance: each account's sum in each currency. Per currency they add up to zero."""
    query = select(JournalLine.account, JournalLine.currency, func.sum(JournalLine.amount)).group_by(
        JournalLine.account, JournalLine.currency
    )
    return {
        (Account(account), currency): Money(int(total), currency)
        for account, currency, total in db.session.execute(query)
    }
