"""Checkout: a decision to buy becomes an order, the order a Checkout Session. Settling is in settlement.py.

Page: https://docs.stripe.com/payments/checkout/how-checkout-works
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import select, text

from app import clock, gateway, tasks
from app.billing import funnel, offers, stock
from app.errors import AppError
from app.extensions import db
from app.fraud import screen
from app.fraud.signals import Signals
from app.models import (
    HistoryEntry,
    Offer,
    OfferKind,
    Order,
    OrderState,
    Price,
    PromotionCode,
    Step,
    StripeCall,
)
from app.models.order import WAITING

SESSION_LIFETIME = timedelta(minutes=60)
# Stripe refuses a session that would expire in under 30 minutes; past this age an unsent one is not opened.
OPENABLE_FOR = timedelta(minutes=28)


@dataclass(frozen=True)
class Decision:
    """What a buyer sent: which price, how many, the total that was seen (minor units), from which page."""

    price_key: str
    quantity: int
    seen_total: int
    decision_key: str
    source: dict[str, str] = field(default_factory=dict)
    locale: str = "en"


class PriceChanged(AppError):
    """The total differs from the one the buyer saw; nothing was ordered. `quote` is the present one."""

    def __init__(self, quote: offers.Quote) -> None:
        super().__init__(
            409,
            _("The price has changed since you opened the page"),
            _("Look at the new total and confirm it, or go back."),
            money=_("No money was taken."),
            code="price_changed",
        )
        self.quote = quote


def place_order(decision: Decision, signals: Signals) -> Order:
    """The pending order for this decision: a new one, or the one it already led to.

    The same page sent twice, and the same basket while its session is open, give the same order. Raises
    PriceChanged, SoldOut, or AppError where the offer cannot be bought so. The caller commits, then calls
    `open_session`.
    """
    _one_at_a_time(signals.visitor_hash)
    known = _earlier(decision, signals)
    if known is not None:
        return known
    quote = _agreed_quote(decision)
    price = quote.price
    order = Order(
        decision_key=decision.decision_key,
        visitor_hash=signals.visitor_hash,
        offer=price.offer,
        price=price,
        quantity=quote.quantity,
        currency=price.currency,
        subtotal_amount=quote.subtotal.amount,
        tax_amount=quote.tax.amount,
        total_amount=quote.total.amount,
        source=decision.source,
        locale=decision.locale,
        livemode=current_app.config["SETTINGS"].livemode,
        session_expires_at=clock.now() + SESSION_LIFETIME,
        flags=[],
    )
    with db.session.no_autoflush:
        stock.hold(order)
    db.session.add(order)
    db.session.flush()
    HistoryEntry.write(
        order, "requested", actor="buyer", amount=order.total, data={"quantity": order.quantity}
    )
    screen.order_placed(order, signals)
    funnel.reached(order, Step.STARTED)
    _prepare_session(order)
    return order


def _one_at_a_time(visitor_hash: str) -> None:
    """Two clicks of one browser queue up here. (On SQLite all writers do.)"""
    if db.session.get_bind().dialect.name == "postgresql":
        db.session.execute(
            text("SELECT pg_advisory_xact_lock(hashtext(:visitor))"), {"visitor": visitor_hash}
        )


def _earlier(decision: Decision, signals: Signals) -> Order | None:
    known = db.session.scalar(select(Order).where(Order.decision_key == decision.decision_key))
    if known is not None:
        if known.visitor_hash != signals.visitor_hash:
            raise AppError(404, _("There is nothing at this address"))
        return known
    return db.session.scalar(
        select(Order)
        .join(Order.price)
        .where(
            Order.visitor_hash == signals.visitor_hash,
            Price.lookup_key == decision.price_key,
            Order.quantity == decision.quantity,
            Order.total_amount == decision.seen_total,
            Order.state.in_(WAITING),
            Order.created_at > clock.now() - OPENABLE_FOR,
        )
        .order_by(Order.id.desc())
        .limit(1)
    )


def _agreed_quote(decision: Decision) -> offers.Quote:
    """The catalogue's quote, checked against Stripe's bounds and what the buyer saw."""
    price = offers.price_on_sale(decision.price_key)
    nothing = _("No money was taken.")
    if price is None or price.stripe_price_id is None:
        raise AppError(404, _("This is not on sale"), _("See what is on the front page."), money=nothing)
    if price.offer.kind != OfferKind.PRODUCT:
        raise AppError(
            409,
            _("Plans cannot be bought here yet"),
            _("One-time purchases can. Plans open with the next release of this shop."),
            money=nothing,
            code="plans_closed",
        )
    quote = offers.quote(price, decision.quantity)
    if quote.too_small or quote.too_large:
        raise AppError(
            422,
            _("This total cannot be charged in one payment"),
            _("Choose another quantity."),
            money=nothing,
            code="amount_too_small" if quote.too_small else "amount_too_large",
        )
    if quote.total.amount != decision.seen_total:
        raise PriceChanged(quote)
    return quote


def _prepare_session(order: Order) -> StripeCall:
    """The intent to open the order's one session; its key is the order's."""
    return gateway.prepare(
        "checkout.sessions.create",
        session_parameters(order),
        idempotency_key=f"order:{order.public_id}:session",
    )


def session_parameters(order: Order) -> dict[str, Any]:
    """What Stripe is asked for. Every figure comes from the catalogue, every address from the settings."""
    base = current_app.config["SETTINGS"].public_url
    rate = order.price.tax_rate
    line: dict[str, Any] = {"price": order.price.stripe_price_id, "quantity": order.quantity}
    if rate is not None:
        line["tax_rates"] = [rate.stripe_tax_rate_id]
    ours = {
        "order_id": order.public_id,
        "created_via": "countinghouse",
        "created_at": order.created_at.isoformat(timespec="seconds"),
    }
    parameters: dict[str, Any] = {
        "mode": "payment",
        "line_items": [line],
        "success_url": f"{base}/checkout/return?session_id={{CHECKOUT_SESSION_ID}}",
        "cancel_url": f"{base}/checkout/{order.public_id}/cancelled",
        "client_reference_id": order.public_id,
        "customer_creation": "always",
        "expires_at": int((order.session_expires_at or clock.now()).timestamp()),
        "locale": order.locale,
        "metadata": ours,
        "payment_intent_data": {"metadata": ours, "description": order.offer.name},
        "submit_type": "pay",
    }
    if db.session.scalar(select(PromotionCode.id).where(PromotionCode.active).limit(1)) is not None:
        parameters["allow_promotion_codes"] = True
    return parameters


def open_session(order: Order) -> str | None:
    """Open the committed order's Checkout Session and return its address; None when it is past that.

    Safe to repeat: the stored key makes Stripe answer with the same session. Raises StripeFailure; where Stripe
    said no for good, the order has failed and its stock is free again. The caller commits.
    """
    if order.state == OrderState.OPEN:
        return order.session_url
    if order.state != OrderState.PENDING:
        return None
    call = _prepare_session(order)
    db.session.commit()
    try:
        session = gateway.perform(call)
    except gateway.StripeFailure as failure:
        if failure.definite:
            _refused(order, failure)
        raise
    lock(order)
    if order.state == OrderState.PENDING:
        note_session(order, session)
    return order.session_url


def note_session(order: Order, session: dict[str, Any]) -> None:
    """The order has its session: remember it and move on. Does nothing to an order that is past this."""
    if order.state != OrderState.PENDING:
        return
    order.stripe_checkout_session_id = session["id"]
    order.session_url = session.get("url")
    order.session_expires_at = clock.from_timestamp(session["expires_at"])
    order.move_to(OrderState.OPEN, actor="countinghouse")
    HistoryEntry.write(order, "session", subject=session["id"], actor="stripe", amount=order.total)
    funnel.reached(order, Step.OPENED)


def _refused(order: Order, failure: gateway.StripeFailure) -> None:
    lock(order)
    if order.state == OrderState.PENDING:
        order.move_to(OrderState.FAILED, actor="stripe", reason=failure.stripe_code or failure.code)
        stock.release(order)
        db.session.commit()


def lock(order: Order) -> None:
    """Hold the order's row until the caller's commit and see it as it is now."""
    db.session.refresh(order, with_for_update={"key_share": True})


def cancel(order: Order) -> bool:
    """The buyer lets it go: expire the session at Stripe, free the stock. False when it is too late.

    If the payment came in the same moment Stripe refuses to expire, and the payment stands. The caller commits.
    """
    lock(order)  # its session may be opened, or paid, at this moment
    if order.state == OrderState.OPEN and order.stripe_checkout_session_id:
        call = gateway.prepare(
            "checkout.sessions.expire",
            {},
            idempotency_key=_expire_key(order),
            object_id=order.stripe_checkout_session_id,
        )
        db.session.commit()
        try:
            gateway.perform(call)
        except gateway.InvalidCall:
            return False
        lock(order)
    if order.state not in (OrderState.OPEN, OrderState.PENDING):
        return order.state == OrderState.CANCELED
    order.move_to(OrderState.CANCELED, actor="buyer")
    close(order)
    return True


def _expire_key(order: Order) -> str:
    return f"order:{order.public_id}:expire"


def cancelling(order: Order) -> bool:
    """Whether the buyer asked to let it go: Stripe's word that the session expired may be here before our own."""
    return (
        db.session.scalar(select(StripeCall.id).where(StripeCall.idempotency_key == _expire_key(order)))
        is not None
    )


def close(order: Order) -> None:
    """The order ended without payment."""
    stock.release(order)
    funnel.reached(order, Step.LEFT)


def waiting_order(offer: Offer, visitor_hash: str) -> Order | None:
    """This browser's latest order of the offer that still waits for payment."""
    return db.session.scalar(
        select(Order)
        .where(
            Order.visitor_hash == visitor_hash,
            Order.offer_id == offer.id,
            Order.state.in_(WAITING),
            Order.session_expires_at > clock.now(),
        )
        .order_by(Order.id.desc())
        .limit(1)
    )


def of_visitor(public_id: str, visitor_hash: str) -> Order | None:
    """The order, for the browser that placed it; None for anybody else."""
    return db.session.scalar(
        select(Order).where(Order.public_id == public_id, Order.visitor_hash == visitor_hash)
    )


def of_session(session_id: str, visitor_hash: str) -> Order | None:
    """The order of a Checkout Session, for the browser that placed it."""
    return db.session.scalar(
        select(Order).where(
            Order.stripe_checkout_session_id == session_id, Order.visitor_hash == visitor_hash
        )
    )


@tasks.task("sweep_orders", priority=tasks.MONEY, every=timedelta(minutes=1))
def sweep() -> dict[str, Any]:
    """Follow up orders that nobody followed up: a crash before the session was known, a lost event.

    Each is asked for again every minute, hour or day, as its kind deserves, for as long as an answer may change.
    """
    now, second = clock.now(), clock.timestamp()
    forgotten = (Order.state == OrderState.PENDING, Order.created_at < now - timedelta(minutes=2))
    overdue = (
        Order.state == OrderState.OPEN,
        Order.session_expires_at < now - timedelta(minutes=5),
    )
    under_way = (
        Order.state == OrderState.PROCESSING,
        Order.created_at < now - timedelta(days=1),
    )
    found = 0
    for conditions, name, period in (
        (forgotten, "reopen_order", 60),
        (overdue, "settle_order", 3 * 3600),
        (under_way, "settle_order", 86400),
    ):
        newest = select(Order.public_id).where(*conditions).order_by(Order.id.desc()).limit(200)
        for public_id in db.session.scalars(newest):
            key = f"{name}:{public_id}:{second // period}"
            tasks.enqueue(name, unique_key=key, order_id=public_id)
            found += 1
    return {"orders": found}


@tasks.task("reopen_order", priority=tasks.MONEY)
def reopen(order_id: str) -> dict[str, Any]:
    """Learn the session of an order that was left pending, or give the order up when it is too old for one."""
    order = db.session.scalars(select(Order).where(Order.public_id == order_id)).one()
    if order.state != OrderState.PENDING:
        return {"state": order.state}
    if order.created_at > clock.now() - OPENABLE_FOR:
        open_session(order)
    elif order.session_expires_at and order.session_expires_at < clock.now():
        # Whatever session there may be was never shown to anybody, and has expired at Stripe as well.
        lock(order)
        order.move_to(OrderState.EXPIRED, actor="countinghouse", reason="never_opened")
        close(order)
    return {"state": order.state}
