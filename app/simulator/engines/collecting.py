"""Getting an invoice paid: its payment intent, attempts and their retries, payment out of band.

PAID and FAILED are told of every invoice that was paid or whose collection failed: `(tx, invoice)`; after the last
attempt of a failing one `next_payment_attempt` is null.
"""

from __future__ import annotations

from collections.abc import Callable

from app.simulator import settings
from app.simulator.engines import payments
from app.simulator.engines.methods import resolved
from app.simulator.errors import StripeError, invalid
from app.simulator.registry import Doc, timed
from app.simulator.transaction import Transaction

DAY = 86400
PAID: list[Callable[[Transaction, Doc], None]] = []
FAILED: list[Callable[[Transaction, Doc], None]] = []


def open_payment(tx: Transaction, invoice: Doc) -> Doc:
    """The default payment of an invoice with something due: an intent, made when it is finalized."""
    wanted = payments.open_intent(
        tx, invoice["amount_due"], invoice["currency"],
        {
            "customer": invoice["customer"], "description": _description(invoice), "_invoice": invoice["id"],
            "receipt_email": None, "statement_descriptor": invoice["statement_descriptor"],
            "setup_future_usage": "off_session" if invoice["parent"] else None,
        },
    )  # fmt: skip
    return tx.create(
        "invoice_payment",
        {
            "amount_requested": invoice["amount_due"], "currency": invoice["currency"], "invoice": invoice["id"],
            "is_default": True, "payment": {"payment_intent": wanted["id"], "type": "payment_intent"},
            "status": "open", "status_transitions": {"canceled_at": None, "paid_at": None},
            "_payment_intent": wanted["id"],
        },
    )  # fmt: skip


def _description(invoice: Doc) -> str:
    reason = {"subscription_create": "Subscription creation", "subscription_update": "Subscription update"}
    if invoice["billing_reason"] == "subscription_cycle":
        return "Subscription update"
    return reason.get(invoice["billing_reason"]) or f"Payment for Invoice {invoice['number']}"


def default_payment(tx: Transaction, invoice: Doc) -> Doc | None:
    """The open or latest payment of an invoice, None before it has any."""
    return next(tx.scan("invoice_payment", {"invoice": invoice["id"]}), None)


def intent_of(tx: Transaction, invoice: Doc) -> Doc | None:
    """The intent that pays an invoice, None when nothing was due."""
    payment = default_payment(tx, invoice)
    return tx.get("payment_intent", payment["payment"].get("payment_intent")) if payment else None


def method_for(tx: Transaction, invoice: Doc) -> Doc | None:
    """Whom Stripe would charge: the invoice's method, its subscription's, the customer's default, in this order."""
    customer = tx.get("customer", invoice["customer"]) or {}
    subscription = tx.get("subscription", invoice.get("_subscription")) or {}
    settings = customer.get("invoice_settings") or {}
    for name in (
        invoice["default_payment_method"],
        subscription.get("default_payment_method"),
        settings.get("default_payment_method"),
    ):
        if name:
            return resolved(tx, name)
    return None


# ----------------------------------------------------------------------------------------- attempts


def attempt(
    tx: Transaction, invoice: Doc, *, payment_method: Doc | str | None = None, off_session: bool = True
) -> str:
    """Try to collect an open invoice: "paid", "processing", "failed" or "requires_action"."""
    return charge(tx, invoice, payment_method, off_session=off_session)[0]


def charge(
    tx: Transaction, invoice: Doc, payment_method: Doc | str | None, *, off_session: bool
) -> tuple[str, StripeError | None]:
    """`attempt`, with the error of a decline."""
    intent = intent_of(tx, invoice)
    if invoice["status"] == "paid" or intent is None:
        return ("paid" if invoice["status"] == "paid" else "failed"), None
    if intent["status"] == "processing":
        return "processing", None
    method = resolved(tx, payment_method) if isinstance(payment_method, str) else payment_method
    method = method or method_for(tx, invoice)
    tx.update(invoice, _counted=True)
    tx.unschedule("invoice.retry", invoice["id"])
    tx.update(invoice, attempted=True, attempt_count=invoice["attempt_count"] + 1)
    if method is None:
        failed(tx, invoice)
        return "failed", None
    error = payments.attempt(tx, intent, method)
    tx.update(invoice, _counted=False)
    if intent["status"] == "requires_action":
        tx.emit("invoice.payment_action_required", invoice)
        failed(tx, invoice)
        return "requires_action", None
    if error is not None:
        return "failed", error
    return ("paid" if invoice["status"] == "paid" else "processing"), None


def failed(tx: Transaction, invoice: Doc) -> None:
    """An attempt came to nothing: say so, and put the next one off if there is to be one."""
    at = _next_attempt(tx, invoice)
    previous = tx.update(invoice, next_payment_attempt=at, _counted=False)
    tx.emit("invoice.payment_failed", invoice)
    tx.emit("invoice.updated", invoice, previous)
    if at is not None:
        tx.schedule(at, "invoice.retry", invoice["id"], clock=invoice["test_clock"])
    for told in FAILED:
        told(tx, invoice)


def _next_attempt(tx: Transaction, invoice: Doc) -> int | None:
    done = invoice["attempt_count"]
    first = invoice["billing_reason"] == "subscription_create"
    if first or not invoice["auto_advance"] or invoice["collection_method"] != "charge_automatically":
        return None
    days: list[int] = settings.get(tx, "dunning_retries")
    return tx.now + days[done - 1] * DAY if 0 < done <= len(days) else None


@timed("invoice.retry")
def _retry(tx: Transaction, identifier: str) -> None:
    invoice = tx.get("invoice", identifier)
    if invoice is not None and invoice.get("status") == "open" and invoice["auto_advance"]:
        attempt(tx, invoice)


def _declined(tx: Transaction, intent: Doc) -> None:
    """An intent of an invoice was declined: by an attempt of ours, or confirmed by the customer."""
    invoice = tx.get("invoice", intent.get("_invoice"))
    if invoice is None or invoice["status"] != "open":
        return
    if not invoice.get("_counted"):
        tx.update(invoice, attempted=True, attempt_count=invoice["attempt_count"] + 1)
    failed(tx, invoice)


payments.DECLINED.append(_declined)


# --------------------------------------------------------------------------------------------- paid


def _settled(tx: Transaction, intent: Doc) -> None:
    invoice = tx.get("invoice", intent.get("_invoice"))
    if (
        invoice is None
        or intent["status"] != "succeeded"
        or invoice["status"] not in ("open", "uncollectible")
    ):
        return
    payment = default_payment(tx, invoice)
    if payment is not None:
        tx.update(
            payment, status="paid", amount_paid=intent["amount_received"],
            status_transitions=payment["status_transitions"] | {"paid_at": tx.now},
        )  # fmt: skip
    if not invoice["attempt_count"]:
        tx.update(invoice, attempted=True, attempt_count=1)
    method = tx.get("payment_method", intent["payment_method"])
    if method is not None and intent["customer"] and not method["customer"]:
        tx.update(method, customer=intent["customer"])
        tx.emit("payment_method.attached", method)
    mark_paid(tx, invoice, intent["amount_received"])
    if payment is not None:
        tx.emit("invoice_payment.paid", payment)


payments.SETTLED.append(_settled)


def mark_paid(tx: Transaction, invoice: Doc, amount: int, *, out_of_band: bool = False) -> None:
    """The invoice is paid, with everything that follows from it."""
    tx.unschedule("invoice.retry", invoice["id"])
    previous = tx.update(
        invoice, status="paid", amount_paid=amount, amount_remaining=0, next_payment_attempt=None, auto_advance=False,
        attempted=invoice["attempted"] or not out_of_band,
        status_transitions=invoice["status_transitions"] | {"paid_at": tx.now},
    )  # fmt: skip
    tx.emit("invoice.updated", invoice, previous)
    tx.emit("invoice.paid", invoice)
    tx.emit("invoice.payment_succeeded", invoice)
    for told in PAID:
        told(tx, invoice)


def pay_out_of_band(tx: Transaction, invoice: Doc) -> Doc:
    """The money came another way: the invoice is paid and its intent canceled."""
    if invoice["status"] not in ("open", "uncollectible"):
        raise invalid(
            "Invoice is already paid" if invoice["status"] == "paid" else "This invoice can no longer be paid"
        )
    cancel_payment(tx, invoice)
    mark_paid(tx, invoice, invoice["amount_due"], out_of_band=True)
    return invoice


def cancel_payment(tx: Transaction, invoice: Doc) -> None:
    """Give up the intent of an invoice that will not be collected any more."""
    payment, intent = default_payment(tx, invoice), intent_of(tx, invoice)
    tx.unschedule("invoice.retry", invoice["id"])
    if payment is None or payment["status"] != "open":
        return
    tx.update(
        payment, status="canceled", status_transitions=payment["status_transitions"] | {"canceled_at": tx.now}
    )  # fmt: skip
    if intent is not None and intent["status"] in payments.OPEN:
        payments.cancel(tx, intent, "void_invoice")
