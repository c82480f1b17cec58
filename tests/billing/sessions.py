"""Orders and what Stripe would say of them, for tests of the rules; the journeys run the real exchange."""

from __future__ import annotations

import itertools
import secrets
from typing import Any

from app import clock
from app.billing import catalog, checkout, offers
from app.config import ROOT
from app.extensions import db, mean_to_write
from app.fraud.signals import Signals
from app.models import Offer, Order, Price, PromotionCode, TaxRate

_numbers = itertools.count(1)


def stripe_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(8)}{next(_numbers)}"


def stock_shop() -> None:
    """The sample catalogue, as if Stripe knew it."""
    mean_to_write()
    catalog.load(catalog.read(ROOT / "catalog.toml"))
    db.session.flush()
    for model, column, prefix in (
        (Offer, "stripe_product_id", "prod"),
        (Price, "stripe_price_id", "price"),
        (TaxRate, "stripe_tax_rate_id", "txr"),
        (PromotionCode, "stripe_coupon_id", "coupon"),
        (PromotionCode, "stripe_promotion_code_id", "promo"),
    ):
        for row in db.session.scalars(db.select(model)):
            setattr(row, column, stripe_id(prefix))
    db.session.commit()


def decision(price: str = "field-guide-eur-v1", quantity: int = 1, **changes: Any) -> checkout.Decision:
    """What a buyer sends from an offer's page, with the total that page showed."""
    on_sale = offers.price_on_sale(price)
    assert on_sale is not None
    values = {
        "price_key": price,
        "quantity": quantity,
        "seen_total": offers.quote(on_sale, quantity).total.amount,
        "decision_key": secrets.token_urlsafe(24),
    }
    return checkout.Decision(**{**values, **changes})


def signals(visitor: str = "visitor", **changes: Any) -> Signals:
    return Signals(visitor_hash=visitor, network_hash="network", **changes)


def open_order(price: str = "field-guide-eur-v1", quantity: int = 1, visitor: str = "visitor") -> Order:
    """An order whose Checkout Session is open."""
    order = checkout.place_order(decision(price, quantity), signals(visitor))
    db.session.commit()
    checkout.note_session(
        order, session_of(order, status="open", payment_status="unpaid", id=stripe_id("cs_test"))
    )
    db.session.commit()
    return order


def session_of(order: Order, **changes: Any) -> dict[str, Any]:
    """The order's Checkout Session as it is when it was paid in full, or with `changes`."""
    return {
        "id": order.stripe_checkout_session_id or stripe_id("cs_test"),
        "object": "checkout.session",
        "status": "complete",
        "payment_status": "paid",
        "livemode": False,
        "url": "http://127.0.0.1:4242/c/pay/x",
        "expires_at": clock.timestamp() + 3600,
        "client_reference_id": order.public_id,
        "currency": order.currency,
        "amount_subtotal": order.subtotal_amount,
        "amount_total": order.total_amount,
        "total_details": {"amount_discount": 0, "amount_tax": order.tax_amount, "amount_shipping": 0},
        "discounts": [],
        "payment_intent": f"pi_{order.public_id}",
        "customer": f"cus_{order.visitor_hash}",
        "customer_details": {
            "email": f"{order.visitor_hash}@example.com",
            "name": "A Buyer",
            "address": {"country": "DE"},
        },
        "metadata": {"order_id": order.public_id, "created_via": "countinghouse"},
        **changes,
    }


def intent_of(order: Order, status: str = "succeeded", **changes: Any) -> dict[str, Any]:
    """The order's PaymentIntent."""
    return {
        "id": f"pi_{order.public_id}",
        "object": "payment_intent",
        "status": status,
        "amount": order.total_amount,
        "amount_received": order.total_amount if status == "succeeded" else 0,
        "currency": order.currency,
        "created": clock.timestamp(),
        "livemode": False,
        "latest_charge": f"ch_{order.public_id}"
        if status in ("succeeded", "requires_payment_method")
        else None,
        "last_payment_error": None,
        "metadata": {"order_id": order.public_id, "created_via": "countinghouse"},
        **changes,
    }


def charge_of(order: Order, status: str = "succeeded", **changes: Any) -> dict[str, Any]:
    """The order's charge."""
    return {
        "id": f"ch_{order.public_id}",
        "object": "charge",
        "status": status,
        "amount": order.total_amount,
        "currency": order.currency,
        "created": clock.timestamp(),
        "livemode": False,
        "payment_intent": f"pi_{order.public_id}",
        "balance_transaction": f"txn_{order.public_id}",
        "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "4242"}},
        "metadata": {"order_id": order.public_id, "created_via": "countinghouse"},
        **changes,
    }
