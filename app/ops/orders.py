"""Orders in lists: all of them with search, and those that screening or settling flagged."""

from __future__ import annotations

from typing import Any

from flask import render_template
from sqlalchemy import Select, or_, select
from sqlalchemy.orm import joinedload

from app.models import Customer, Order, OrderState, Payment
from app.models.customer import email_hash
from app.ops.door import blueprint, chosen, page_of, sought


@blueprint.get("/orders")
def orders() -> str:
    state = chosen("state", tuple(OrderState))
    words = sought()
    page = page_of(Order, lambda query: _search(query, words, state))
    return render_template("ops/orders.html", page=page, q=words, state=state, states=tuple(OrderState))


@blueprint.get("/flagged")
def flagged() -> str:
    """Orders that screening flagged or settling holds."""
    page = page_of(Order, lambda query: _with_names(query.where(Order.flagged)))
    return render_template("ops/flagged.html", page=page)


def _with_names(query: Select[Any]) -> Select[Any]:
    return query.options(joinedload(Order.customer), joinedload(Order.offer))


def _search(query: Select[Any], words: str, state: str) -> Select[Any]:
    """By order id, Checkout Session, PaymentIntent, charge, last four digits, receipt number, or the payer's whole
    address.
    """
    query = _with_names(query)
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
