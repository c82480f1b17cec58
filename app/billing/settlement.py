"""Settling: what a Checkout Session came to, checked against what was agreed, recorded once.

Many doors end here: the webhook, the return page, the console's sync, the sweeper.
"""

from __future__ import annotations

from typing import Any

import structlog
from flask_babel import gettext as _
from sqlalchemy import select

from app import audit, clock, gateway, tasks
from app.billing import checkout, customers, funnel, ledger, payments, receipts, stock, sync
from app.errors import AppError
from app.extensions import db
from app.fraud import screen
from app.models import (
    HistoryEntry,
    Order,
    OrderState,
    Payment,
    PaymentState,
    PromotionCode,
    RevenueRecord,
    Step,
)
from app.money import Money, included, percent
from app.queue import Later

log = structlog.get_logger("billing")

# How it was paid comes with the answer, so that the page and the receipt can say it at once.
EXPAND = ("payment_intent.latest_charge",)


def settle(session: dict[str, Any], *, actor: str, async_failed: bool = False) -> Order | None:
    """Bring our order to where the session is; repeating it changes nothing. None: the session is not ours.

    Raises queue.Later when the session names an order that is not here (yet).
    """
    order = _order_of(session)
    if order is None:
        return None
    checkout.lock(order)
    if order.stripe_checkout_session_id not in (None, session["id"]):
        HistoryEntry.write(order, "note", subject=session["id"], actor=actor, data={"note": "second_session"})
        log.error("second_session", order=order.public_id)
        return order
    checkout.note_session(order, session)
    if session["status"] == "expired":
        _expire(order, actor)
    elif session["status"] == "complete" and session["payment_status"] == "unpaid":
        _fail(order, actor) if async_failed or _returned(session) else _process(order, session, actor)
    elif session["status"] == "complete":
        _paid(order, session, actor)
    return order


def _order_of(session: dict[str, Any]) -> Order | None:
    order = db.session.scalar(select(Order).where(Order.stripe_checkout_session_id == session["id"]))
    if order is not None:
        return order
    metadata = session.get("metadata") or {}
    if metadata.get("created_via") != "countinghouse":
        return None
    order = db.session.scalar(select(Order).where(Order.public_id == metadata.get("order_id", "")))
    if order is None:
        raise Later(f"session {session['id']} names an order that is not here")
    return order


def _returned(session: dict[str, Any]) -> bool:
    """Whether a delayed payment came back: the session stays complete and unpaid, its PaymentIntent says so."""
    intent = session.get("payment_intent")
    return isinstance(intent, dict) and intent["status"] in ("requires_payment_method", "canceled")


def _expire(order: Order, actor: str) -> None:
    if order.state in (OrderState.PENDING, OrderState.OPEN):
        cancelled = checkout.cancelling(order)
        order.move_to(OrderState.CANCELED if cancelled else OrderState.EXPIRED, actor=actor)
        checkout.close(order)


def _process(order: Order, session: dict[str, Any], actor: str) -> None:
    """Checkout is done but the money is still on its way: a delayed method."""
    if order.can_move_to(OrderState.PROCESSING):
        order.customer = customers.ensure_customer(session) or order.customer
        order.move_to(OrderState.PROCESSING, actor=actor)


def _fail(order: Order, actor: str) -> None:
    if order.can_move_to(OrderState.FAILED):
        order.move_to(OrderState.FAILED, actor=actor, reason="async_payment_failed")
        checkout.close(order)


def _paid(order: Order, session: dict[str, Any], actor: str) -> None:
    if order.state in (OrderState.PAID, OrderState.HELD):
        return
    now = clock.now()
    order.customer = customers.ensure_customer(session) or order.customer
    details = session.get("total_details") or {}
    payment = payments.of_session(order, session)
    problems = disagreements(order, session)
    if not problems:
        order.discount_amount = details.get("amount_discount") or 0
        order.settled_tax_amount = details.get("amount_tax") or 0
        order.settled_amount = session["amount_total"]
    order.settled_at = now
    if not stock.sell(order):
        problems.append("oversold")
    if payment is not None:
        payment.customer_id = order.customer.id if order.customer else None
        payments.succeed(payment, actor=actor, at=now)
    screen.order_settled(order)
    funnel.reached(order, Step.PAID)
    if problems:
        _hold(order, payment, problems, actor)
        return
    order.move_to(OrderState.PAID, actor=actor)
    if payment is not None:
        _recognise(order, payment)
        ledger.post_sale(payment, order, order.settled_tax, now)
    receipts.issue(order)
    payments.measure(payment)


def _recognise(order: Order, payment: Payment) -> None:
    db.session.add(
        RevenueRecord(
            payment_id=payment.id,
            order_id=order.id,
            currency=payment.currency,
            gross_amount=payment.gross_amount,
            tax_amount=order.settled_tax_amount or 0,
            recognized_at=clock.now(),
        )
    )


def _hold(order: Order, payment: Payment | None, problems: list[str], actor: str) -> None:
    order.move_to(OrderState.HELD, actor=actor, reason=",".join(problems)[:64])
    order.flags = sorted({*order.flags, *problems})
    order.flagged = True
    if payment is not None:
        ledger.post_held(payment, order, clock.now())
    audit.record("order.held", order.public_id, actor="countinghouse", problems=problems)
    log.error("order_held", order=order.public_id, problems=problems)


def disagreements(order: Order, session: dict[str, Any]) -> list[str]:
    """Everything in which a paid session differs from what was agreed; [] when it is exactly the order.

    Only our promotion codes may lower the total, and only by what they are worth.
    """
    if session["currency"] != order.currency:
        return ["currency_mismatch"]
    problems = []
    if session.get("client_reference_id") != order.public_id:
        problems.append("reference_mismatch")
    if session["amount_subtotal"] != order.subtotal_amount:
        problems.append("subtotal_mismatch")
    details = session.get("total_details") or {}
    discount = Money(details.get("amount_discount") or 0, order.currency)
    if discount != _discount_agreed(order, session):
        problems.append("discount_mismatch")
    rate = order.price.tax_rate
    added = Money(0, order.currency)
    if rate is not None and not rate.inclusive:
        added = percent(order.subtotal - discount, rate.percentage)
    if session["amount_total"] != (order.subtotal - discount + added).amount:
        problems.append("total_mismatch")
    return problems


def _discount_agreed(order: Order, session: dict[str, Any]) -> Money:
    """What the session's promotion codes take off, if they are ours; zero otherwise."""
    worth = Money(0, order.currency)
    for entry in session.get("discounts") or []:
        reference = entry.get("promotion_code")
        reference = reference["id"] if isinstance(reference, dict) else reference
        code = db.session.scalar(
            select(PromotionCode).where(PromotionCode.stripe_promotion_code_id == (reference or ""))
        )
        if code is None:
            continue
        if code.percent_off is not None:
            worth += percent(order.subtotal, code.percent_off)
        elif code.currency == order.currency:
            worth += code.amount_off
    return Money(min(worth.amount, order.subtotal_amount), order.currency)


def release(order: Order, *, actor: str) -> bool:
    """A person accepts a held order as it was paid: revenue, receipt, state; audited. False: it is not held.

    The caller commits. Raises AppError where the money came in another currency than the order's.
    """
    checkout.lock(order)
    if order.state != OrderState.HELD:
        return False
    paid = received(order)
    if paid.currency != order.currency:
        raise AppError(
            409,
            _("This order was paid in another currency"),
            _("It cannot be booked as this order. Give the money back in Stripe's dashboard."),
            money=_("Nothing was changed."),
            code="currency_mismatch",
        )
    if order.settled_amount is None:
        _settle_as_paid(order, paid)
    order.move_to(OrderState.PAID, actor=actor, reason="released")
    payment = _payment_received(order)
    if payment is not None:
        _recognise(order, payment)
        ledger.post_release(payment, order, order.settled_tax, clock.now())
    receipts.issue(order)
    payments.measure(payment)
    audit.record("order.release", order.public_id, actor=actor, amount=paid.amount, currency=paid.currency)
    return True


def received(order: Order) -> Money:
    """What came in for an order, in the currency it came in; zero where nothing did."""
    payment = _payment_received(order)
    return payment.gross if payment is not None else Money(0, order.currency)


def _payment_received(order: Order) -> Payment | None:
    return next((p for p in order.payments if p.state == PaymentState.SUCCEEDED), None)


def _settle_as_paid(order: Order, paid: Money) -> None:
    """What was paid is the total, the tax its share; the discount is whatever closes the sum, below zero if need be."""
    rate = order.price.tax_rate
    tax = included(paid, rate.percentage) if rate is not None else Money(0, order.currency)
    added = tax.amount if rate is not None and not rate.inclusive else 0
    order.settled_amount, order.settled_tax_amount = paid.amount, tax.amount
    order.discount_amount = order.subtotal_amount + added - paid.amount


@tasks.task("settle_order", priority=tasks.MONEY)
def settle_order(order_id: str) -> dict[str, Any]:
    """Ask Stripe about an order's session and settle it: for when no event told us."""
    order = db.session.scalars(select(Order).where(Order.public_id == order_id)).one()
    refresh(order, actor="worker")
    return {"state": order.state}


def refresh(order: Order, *, actor: str) -> None:
    """Fetch the order's session and settle it. The caller commits. Raises StripeFailure."""
    session_id = order.stripe_checkout_session_id
    if session_id is None or order.state in (OrderState.PAID, OrderState.HELD):
        return
    ticket = sync.take_ticket(session_id)
    db.session.commit()
    session = gateway.fetch("checkout.sessions.retrieve", session_id, EXPAND)
    if sync.admit(session_id, ticket):
        settle(session, actor=actor)
