"""Orders and payments: lists with search, one order's page with its timeline, what waits for a decision."""

from __future__ import annotations

from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import Select, func, or_, select
from werkzeug.wrappers import Response

from app import health
from app.billing import checkout, receipts, settlement
from app.extensions import db
from app.gateway import StripeFailure
from app.guards import staff
from app.models import (
    Customer,
    FraudDecision,
    HistoryEntry,
    JournalEntry,
    Mail,
    Order,
    OrderState,
    Payment,
    PaymentState,
    QueueState,
    StripeCall,
    WebhookEvent,
)
from app.models.customer import email_hash
from app.ops.door import actor, blueprint, chosen, page_of


@blueprint.get("")
def home() -> str:
    """What needs a person, and how the day goes."""
    held = _count(Order, Order.state == OrderState.HELD)
    flagged = _count(Order, Order.flagged)
    dead = _count(WebhookEvent, WebhookEvent.state == QueueState.DEAD)
    waiting = _count(WebhookEvent, WebhookEvent.state == QueueState.WAITING)
    recent = db.session.scalars(select(Order).order_by(Order.id.desc()).limit(10)).all()
    return render_template(
        "ops/home.html",
        held=held,
        flagged=flagged,
        dead=dead,
        waiting=waiting,
        lag=health.lag(),
        recent=recent,
    )


def _count(model: Any, condition: Any) -> int:
    return db.session.scalar(select(func.count()).select_from(model).where(condition)) or 0


@blueprint.get("/orders")
def orders() -> str:
    state = chosen("state", tuple(OrderState))
    words = request.args.get("q", "").strip()[:200]
    page = page_of(Order, lambda query: _search_orders(query, words, state))
    return render_template("ops/orders.html", page=page, q=words, state=state, states=tuple(OrderState))


@blueprint.get("/flagged")
def flagged() -> str:
    """Orders that screening flagged or settling holds."""
    page = page_of(Order, lambda query: query.where(Order.flagged))
    return render_template("ops/flagged.html", page=page)


def _search_orders(query: Select[Any], words: str, state: str) -> Select[Any]:
    """By order id, Checkout Session, PaymentIntent, charge, receipt number, or the payer's whole address."""
    if state:
        query = query.where(Order.state == state)
    if not words:
        return query
    if "@" in words:
        return query.join(Order.customer).where(Customer.email_hash == email_hash(words))
    by_payment = select(Payment.order_id).where(
        or_(
            Payment.public_id == words,
            Payment.stripe_payment_intent_id == words,
            Payment.stripe_charge_id == words,
            Payment.card_last4 == words,
        )
    )
    return query.where(
        or_(
            Order.public_id == words,
            Order.stripe_checkout_session_id == words,
            Order.receipt.has(number=words),
            Order.id.in_(by_payment),
        )
    )


@blueprint.get("/orders/<order_id>")
def order(order_id: str) -> str:
    found = _order(order_id)
    history = db.session.scalars(
        select(HistoryEntry).where(HistoryEntry.order_id == found.id).order_by(HistoryEntry.id.desc())
    ).all()
    return render_template(
        "ops/order.html",
        order=found,
        statement=receipts.statement_of(found),
        history=history,
        decisions=db.session.scalars(
            select(FraudDecision).where(FraudDecision.order_id == found.id).order_by(FraudDecision.id)
        ).all(),
        entries=db.session.scalars(
            select(JournalEntry).where(JournalEntry.order_id == found.id).order_by(JournalEntry.id)
        ).all(),
        mails=db.session.scalars(select(Mail).where(Mail.order_id == found.id).order_by(Mail.id)).all(),
        calls=db.session.scalars(
            select(StripeCall)
            .where(StripeCall.idempotency_key.startswith(f"order:{found.public_id}:"))
            .order_by(StripeCall.id)
        ).all(),
    )


@blueprint.post("/orders/<order_id>/sync")
@staff("operator")
def sync_order(order_id: str) -> Response:
    """Ask Stripe about the order and settle it: the same room as the webhook's."""
    found = _order(order_id)
    try:
        if found.state == OrderState.PENDING:
            checkout.reopen(found.public_id)
        settlement.refresh(found, actor=actor())
        db.session.commit()
        flash(_("The order is as Stripe has it."), "good")
    except StripeFailure as failure:
        db.session.rollback()
        flash(_("Stripe did not answer: %(reason)s", reason=str(failure.title)), "bad")
    return redirect(url_for("ops.order", order_id=order_id), 303)


@blueprint.post("/orders/<order_id>/release")
@staff("operator")
def release(order_id: str) -> Response:
    """Accept a held order as it was paid."""
    found = _order(order_id)
    settlement.release(found, actor=actor())
    db.session.commit()
    flash(_("The order is released: revenue and receipt are written."), "good")
    return redirect(url_for("ops.order", order_id=order_id), 303)


@blueprint.get("/payments")
def payments() -> str:
    state = chosen("state", tuple(PaymentState))
    words = request.args.get("q", "").strip()[:200]
    page = page_of(Payment, lambda query: _search_payments(query, words, state))
    return render_template("ops/payments.html", page=page, q=words, state=state, states=tuple(PaymentState))


def _search_payments(query: Select[Any], words: str, state: str) -> Select[Any]:
    if state:
        query = query.where(Payment.state == state)
    if "@" in words:
        payer = select(Customer.id).where(Customer.email_hash == email_hash(words))
        return query.where(Payment.customer_id.in_(payer))
    if words:
        query = query.where(
            or_(
                Payment.public_id == words,
                Payment.stripe_payment_intent_id == words,
                Payment.stripe_charge_id == words,
                Payment.card_last4 == words,
                Payment.order.has(public_id=words),
            )
        )
    return query


def _order(order_id: str) -> Order:
    return db.session.scalar(select(Order).where(Order.public_id == order_id)) or abort(404)
