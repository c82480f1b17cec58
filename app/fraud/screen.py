"""The screen: judges an order by the rules, in the transaction that writes it, and keeps why."""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_CEILING, Decimal

import structlog
from flask import current_app
from sqlalchemy import func, or_, select

from app import clock
from app.extensions import db
from app.fraud import rules
from app.fraud.signals import Signals
from app.models import FraudDecision, HistoryEntry, Order, Payment, PaymentState
from app.money import Money

log = structlog.get_logger("fraud")


def order_placed(order: Order, signals: Signals) -> FraudDecision:
    """Judge a new order by its request."""
    return _decide(order, signals, "request")


def order_settled(order: Order) -> FraudDecision:
    """Judge again now that the payer is known: the count of payments is the customer's, not the browser's."""
    first = db.session.scalar(
        select(FraudDecision).where(FraudDecision.order_id == order.id).order_by(FraudDecision.id).limit(1)
    )
    signals = Signals.restored(first.signals) if first else Signals(order.visitor_hash, "")
    return _decide(order, signals, "settlement")


def _decide(order: Order, signals: Signals, stage: str) -> FraudDecision:
    signals.usd_cents = usd_cents(order.settled or order.total)
    signals.recent_payments = recent_payments(order)
    verdict, score, reasons = rules.judge(signals)
    decision = FraudDecision(
        order_id=order.id,
        stage=stage,
        verdict=verdict,
        score=score,
        reasons=reasons,
        signals=signals.stored(),
        rules_version=rules.VERSION,
    )
    db.session.add(decision)
    order.flags = sorted({*order.flags, *reasons})
    order.flagged = order.flagged or verdict == "flag"
    HistoryEntry.write(
        order,
        "screened",
        actor="screening",
        data={"stage": stage, "verdict": verdict, "score": score, "reasons": reasons},
    )
    if verdict == "flag":
        log.warning("order_flagged", order=order.public_id, reasons=reasons, score=score)
    return decision


def usd_cents(amount: Money) -> int | None:
    """What an amount is worth in US cents by the configured table, a begun cent counted; an unlisted currency
    counts one to one. None where the table cannot be read.
    """
    worth = current_app.config["SETTINGS"].usd_worth.get(amount.currency, "1")
    try:
        return int((amount.major * Decimal(worth) * 100).to_integral_value(ROUND_CEILING))
    except (ArithmeticError, ValueError):
        log.exception("worth_unreadable", currency=amount.currency)
        return None


def recent_payments(order: Order) -> int:
    """How many payments this order's customer or browser makes within an hour, this one counted in."""
    same_payer = [Order.visitor_hash == order.visitor_hash]
    if order.customer is not None:
        same_payer.append(Order.customer.has(email_hash=order.customer.email_hash))
    since = clock.now() - timedelta(seconds=rules.RAPID_WINDOW_SECONDS)
    query = (
        select(func.count())
        .select_from(Payment)
        .join(Payment.order)
        .where(
            or_(*same_payer),
            Payment.created_at > since,
            Payment.state != PaymentState.FAILED,
            Payment.order_id != order.id,
        )
    )
    return 1 + (db.session.scalar(query) or 0)
