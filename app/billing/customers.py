"""Customers: who pays, as Stripe tells us after Checkout."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.extensions import db
from app.models import Customer
from app.models.customer import email_hash


def ensure_customer(session: dict[str, Any]) -> Customer | None:
    """The customer of a completed Checkout Session, made at the first purchase; None without an address."""
    details = session.get("customer_details") or {}
    address = details.get("email")
    if not address:
        return None
    stripe_id, livemode = session.get("customer"), bool(session["livemode"])
    customer = _known(stripe_id, address, livemode)
    if customer is None:
        customer = Customer(stripe_customer_id=stripe_id, livemode=livemode)
        customer.write_email(address)
        db.session.add(customer)
    customer.name = details.get("name") or customer.name
    customer.country = (details.get("address") or {}).get("country") or customer.country
    db.session.flush()
    return customer


def _known(stripe_id: str | None, address: str, livemode: bool) -> Customer | None:
    if stripe_id:
        return db.session.scalar(select(Customer).where(Customer.stripe_customer_id == stripe_id))
    return db.session.scalar(
        select(Customer)
        .where(
            Customer.email_hash == email_hash(address),
            Customer.stripe_customer_id.is_(None),
            Customer.livemode == livemode,
        )
        .limit(1)
    )
