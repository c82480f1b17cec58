"""Payments: one movement of money each, mirrored from PaymentIntents and Charges; fees posted when known."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from app import clock, gateway, tasks
from app.billing import funnel, ledger
from app.extensions import db
from app.models import Order, OrderState, Payment, PaymentState
from app.queue import Later

FEES_WITHIN = timedelta(days=30)


def of_session(order: Order, session: dict[str, Any]) -> Payment | None:
    """The payment of a paid session, with how it was paid where the session was fetched with its charge; None
    where nothing was to pay.
    """
    reference = session.get("payment_intent")
    intent = reference["id"] if isinstance(reference, dict) else reference
    if intent is None:
        return None
    payment = _known(intent)
    if payment is None:
        payment = _new(intent, order, session["currency"], session["amount_total"], bool(session["livemode"]))
    charge = reference.get("latest_charge") if isinstance(reference, dict) else None
    if isinstance(charge, dict):
        _paid_with(payment, charge)
    return payment


def _known(intent: str) -> Payment | None:
    return db.session.scalar(
        select(Payment).where(Payment.stripe_payment_intent_id == intent).with_for_update(key_share=True)
    )


def _new(intent: str, order: Order, currency: str, amount: int, livemode: bool) -> Payment:
    payment = Payment(
        stripe_payment_intent_id=intent,
        order=order,
        currency=currency,
        gross_amount=amount,
        livemode=livemode,
        state=PaymentState.PENDING,
    )
    db.session.add(payment)
    db.session.flush()
    return payment


def succeed(payment: Payment, *, actor: str, at: datetime) -> None:
    """The money is there; later news of an earlier failure changes nothing."""
    if payment.state != PaymentState.SUCCEEDED:
        payment.failure_code = payment.failure_reason = payment.failed_at = None
        payment.succeeded_at = at
        payment.move_to(PaymentState.SUCCEEDED, actor=actor)
        _await_fee()


def _ensure(intent: str, mirrored: dict[str, Any]) -> Payment | None:
    """The payment of a PaymentIntent, made from the intent or charge that names it; None when it is not ours.

    Raises Later when the order it names is not here (yet).
    """
    payment = _known(intent)
    metadata = mirrored.get("metadata") or {}
    if payment is not None or metadata.get("created_via") != "countinghouse":
        return payment
    order = db.session.scalar(
        select(Order).where(Order.public_id == metadata.get("order_id", "")).with_for_update(key_share=True)
    )
    if order is None:
        raise Later(f"{mirrored['id']} names an order that is not here")
    # Whoever waited for the order's lock may find that the payment was made meanwhile.
    return _known(intent) or _new(
        intent, order, mirrored["currency"], mirrored["amount"], bool(mirrored["livemode"])
    )


def sync_intent(intent: dict[str, Any], *, actor: str) -> Payment | None:
    """Mirror a PaymentIntent onto its payment. None: not ours. Raises Later when its order is not here (yet).

    Page: https://docs.stripe.com/payments/paymentintents/lifecycle
    """
    payment = _ensure(intent["id"], intent)
    if payment is None:
        return None
    metadata = intent.get("metadata") or {}
    payment.stripe_metadata = dict(metadata)
    charge = intent.get("latest_charge")
    if charge:
        payment.stripe_charge_id = charge["id"] if isinstance(charge, dict) else charge
        payment.confirmed_at = payment.confirmed_at or clock.from_timestamp(intent["created"])
    _follow(payment, intent, actor)
    return payment


def _follow(payment: Payment, intent: dict[str, Any], actor: str) -> None:
    status, error = intent["status"], intent.get("last_payment_error")
    if status == "succeeded":
        payment.gross_amount = intent["amount_received"] or intent["amount"]
        succeed(payment, actor=actor, at=clock.now())
        _expect_settlement(payment)
    elif payment.state == PaymentState.SUCCEEDED:
        return
    elif status == "canceled" or (status == "requires_payment_method" and error):
        reason = error or {}
        payment.failure_code = (reason.get("decline_code") or reason.get("code") or status)[:64]
        payment.failure_reason = reason.get("message")
        payment.failed_at = clock.now()
        payment.move_to(PaymentState.FAILED, actor=actor)
    elif status in ("processing", "requires_action"):
        payment.move_to(PaymentState.PENDING, actor=actor)


def _expect_settlement(payment: Payment) -> None:
    """If the session's own event stays away, ask for the session."""
    order = payment.order
    if order is not None and order.state not in (OrderState.PAID, OrderState.HELD):
        tasks.enqueue(
            "settle_order",
            unique_key=f"settle:{payment.stripe_payment_intent_id}",
            run_at=clock.now() + timedelta(seconds=60),
            order_id=order.public_id,
        )


def sync_charge(charge: dict[str, Any], *, actor: str) -> Payment | None:
    """Mirror a charge: its id, how it was paid, and that its fee can be fetched. None: not ours.

    Raises Later when its order is not here (yet).
    """
    intent = charge.get("payment_intent")
    payment = _ensure(intent, charge) if intent else None
    if payment is None:
        return None
    if charge["status"] == "failed" and payment.stripe_charge_id:
        return payment  # an earlier attempt's charge, told late
    _paid_with(payment, charge)
    if charge.get("balance_transaction") and payment.net_amount is None:
        _await_fee()
    measure(payment)
    return payment


def _paid_with(payment: Payment, charge: dict[str, Any]) -> None:
    payment.stripe_charge_id = charge["id"]
    payment.confirmed_at = clock.from_timestamp(charge["created"])
    details = charge.get("payment_method_details") or {}
    payment.method = details.get("type")
    card = details.get("card") or {}
    payment.card_brand, payment.card_last4 = card.get("brand"), card.get("last4")


def measure(payment: Payment | None) -> None:
    """Give the metrics one record per settled payment, once it is known how it was paid."""
    if payment is None or payment.method is None or payment.order is None:
        return
    order = payment.order
    if order.state != OrderState.PAID or order.settled_at is None:
        return
    funnel.measure(
        "payment_processed",
        payment.public_id,
        amount=payment.gross_amount,
        currency=payment.currency,
        status=payment.state,
        processing_ms=int((order.settled_at - order.created_at).total_seconds() * 1000),
        method=payment.method,
    )


def _await_fee() -> None:
    """Fees are fetched for many payments at once: one task for each five seconds in which some are due."""
    slot = clock.timestamp() // 5 + 1
    tasks.enqueue("post_fees", unique_key=f"post_fees:{slot}", run_at=clock.from_timestamp(slot * 5))


@tasks.task("post_fees", priority=tasks.NORMAL, every=timedelta(hours=1))
def post_fees() -> dict[str, Any]:
    """List balance transactions since the oldest payment without a fee, and post each one's fee and net."""
    # When Stripe took the charge, where we know it: news of it may have come hours later.
    moment = func.coalesce(Payment.confirmed_at, Payment.succeeded_at)
    oldest = db.session.scalars(
        select(Payment)
        .where(
            Payment.state == PaymentState.SUCCEEDED,
            Payment.net_amount.is_(None),
            Payment.succeeded_at > clock.now() - FEES_WITHIN,
        )
        .order_by(moment)
        .limit(1)
    ).first()
    if oldest is None or oldest.succeeded_at is None:
        return {"posted": 0}
    since = int(((oldest.confirmed_at or oldest.succeeded_at) - timedelta(hours=1)).timestamp())
    transactions = [
        transaction
        for transaction in gateway.listing("balance_transactions.list", created={"gte": since})
        if transaction["type"] in ("charge", "payment")
    ]
    return {"posted": sum(post_fee(transaction) for transaction in transactions)}


def post_fee(transaction: dict[str, Any]) -> bool:
    """Post one charge's balance transaction; False when it is posted already or its payment is not ours."""
    payment = db.session.scalar(
        select(Payment)
        .where(Payment.stripe_charge_id == transaction["source"], Payment.net_amount.is_(None))
        .with_for_update(key_share=True)
    )
    if payment is None:
        return False
    payment.stripe_balance_transaction_id = transaction["id"]
    payment.fee_amount = transaction["fee"]
    payment.net_amount = transaction["net"]
    payment.settlement_currency = transaction["currency"]
    ledger.post_balance_transaction(payment, transaction, clock.from_timestamp(transaction["created"]))
    return True
