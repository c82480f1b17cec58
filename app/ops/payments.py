"""Payments in a list, with search."""

from __future__ import annotations

from typing import Any

from flask import render_template
from sqlalchemy import Select, or_, select
from sqlalchemy.orm import joinedload

from app.models import Customer, Order, Payment, PaymentState
from app.models.customer import email_hash
from app.ops.door import blueprint, chosen, page_of, sought


@blueprint.get("/payments")
def payments() -> str:
    state = chosen("state", tuple(PaymentState))
    words = sought()
    page = page_of(Payment, lambda query: _search(query, words, state))
    return render_template("ops/payments.html", page=page, q=words, state=state, states=tuple(PaymentState))


def _search(query: Select[Any], words: str, state: str) -> Select[Any]:
    """By payment id, order id, PaymentIntent, charge, last four digits, or the payer's whole address."""
    query = query.options(joinedload(Payment.order).joinedload(Order.customer))
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
