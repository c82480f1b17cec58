"""Getting an invoice paid: its payment intent, attempts and their retries, payment out of band.

PAID and FAILED are told of every invoice that was paid or whose collection failed: `(tx, invoice)`; after the last
attempt of a failing one `next_payment_attempt` is null.
"""

from __future__ import annotations

from collections.abc import Callable

from app.simulator import settings
from app.simulator.engines import customer_balance, payments
from app.simulator.engines.customers import attach as attach_method
from app.simulator.engines.methods import resolved
from app.simulator.errors import StripeError, invalid
from app.simulator.registry import Doc, timed
from app.simulator.transaction import Transaction

DAY = 86400
PAID: list[Callable[[Transaction, Doc], None]] = []
FAILED: list[Callable[[Transaction, Doc], None]] = []


def open_payment(tx: Transaction, invoice: Doc) -> Doc:
    """The default payment of an invoice with something due: an intent, made when it is finalized unless Checkout has
    one that was gone through already."""
    prepaid = tx.get("payment_intent", invoice.get("_prepaid"))
    if prepaid is not None:
        tx.update(prepaid, _invoice=invoice["id"])
        return _payment(tx, invoice, prepaid, default=True)
    wanted = payments.open_intent(
        tx, invoice["amount_remaining"], invoice["currency"],
        {
            "customer": invoice["customer"], "description": _description(invoice), "_invoice": invoice["id"],
            "receipt_email": None, "statement_descriptor": invoice["statement_descriptor"],
            "setup_future_usage": "off_session" if invoice["parent"] else None,
        },
    )  # fmt: skip
    return _payment(tx, invoice, wanted, default=True)


def count_prepaid(tx: Transaction, invoice: Doc) -> None:
    """Let what Checkout has collected count for the invoice that was made for it."""
    prepaid = tx.get("payment_intent", invoice.get("_prepaid"))
    if prepaid is not None:
        _settled(tx, prepaid)


def _description(invoice: Doc) -> str:
    reason = {"subscription_create": "Subscription creation", "subscription_update": "Subscription update"}
    if invoice["billing_reason"] == "subscription_cycle":
        return "Subscription update"
    return reason.get(invoice["billing_reason"]) or f"Payment for Invoice {invoice['number']}"


def default_payment(tx: Transaction, invoice: Doc) -> Doc | None:
    """The payment an invoice is collected by, None before it has any."""
    return tx.first("invoice_payment", {"invoice": invoice["id"], "is_default": True})


def intent_of(tx: Transaction, invoice: Doc) -> Doc | None:
    """The intent an invoice is collected by, None when nothing was due."""
    payment = default_payment(tx, invoice)
    return tx.get("payment_intent", payment["_payment_intent"]) if payment else None


def attach(tx: Transaction, invoice: Doc, intent: Doc) -> Doc:
    """Let another intent count for an open invoice, now or when it succeeds."""
    tx.update(intent, _invoice=invoice["id"])
    payment = _payment(tx, invoice, intent, default=False)
    _settled(tx, intent)
    return payment


def _payment(tx: Transaction, invoice: Doc, intent: Doc, *, default: bool) -> Doc:
    return tx.create(
        "invoice_payment",
        {
            "amount_requested": intent["amount"], "currency": invoice["currency"], "invoice": invoice["id"],
            "is_default": default, "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
            "status": "open", "status_transitions": {"canceled_at": None, "paid_at": None},
            "_payment_intent": intent["id"],
        },
    )  # fmt: skip


def method_for(tx: Transaction, invoice: Doc) -> Doc | None:
    """What Stripe would charge: the invoice's method, its subscription's, the customer's default; each time before the
    source of the same."""
    customer = tx.get("customer", invoice["customer"]) or {}
    subscription = tx.get("subscription", invoice.get("_subscription")) or {}
    standing = {
        "default_payment_method": (customer.get("invoice_settings") or {}).get("default_payment_method")
    }
    for holder in (invoice, subscription, standing | {"default_source": customer.get("default_source")}):
        name = holder.get("default_payment_method") or holder.get("default_source")
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
    if intent["status"] == "canceled":
        intent = _fresh_intent(tx, invoice)
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


def _fresh_intent(tx: Transaction, invoice: Doc) -> Doc:
    """The customer or the merchant canceled the intent itself: the invoice goes on with another."""
    old = default_payment(tx, invoice)
    if old is not None:
        times = old["status_transitions"] | {"canceled_at": tx.now}
        tx.update(old, is_default=False, status="canceled", status_transitions=times)
    payment = open_payment(tx, invoice)
    return tx.find("payment_intent", payment["_payment_intent"])


def failed(tx: Transaction, invoice: Doc) -> None:
    """An attempt came to nothing: say so, and put the next one off if there is to be one."""
    at = _next_attempt(tx, invoice)
    previous = tx.update(invoice, next_payment_attempt=at, _counted=False)
    tx.emit("invoice.payment_failed", invoice)
    tx.emit("invoice.updated", invoice, previous)
    if at is not None:
        tx.schedule(at, "invoice.retry", invoice["id"], clock=invoice["test_clock"])
    if invoice["auto_advance"]:
        delinquent(tx, invoice, True)
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
    payment = tx.first(
        "invoice_payment", {"_payment_intent": intent["id"], "invoice": invoice["id"], "status": "open"}
    )
    if payment is None:
        return
    tx.update(
        payment, status="paid", amount_paid=intent["amount_received"],
        status_transitions=payment["status_transitions"] | {"paid_at": tx.now},
    )  # fmt: skip
    if payment["is_default"] and not invoice["attempt_count"]:
        tx.update(invoice, attempted=True, attempt_count=1)
    _keep_method(tx, intent)
    _received(tx, invoice, intent["amount_received"])
    tx.emit("invoice_payment.paid", payment)


def _keep_method(tx: Transaction, intent: Doc) -> None:
    method = tx.get("payment_method", intent["payment_method"])
    if method is not None and intent["customer"] and not method["customer"] and intent["setup_future_usage"]:
        attach_method(tx, method, tx.find("customer", intent["customer"]))


def _received(tx: Transaction, invoice: Doc, amount: int) -> None:
    """Money for an invoice: part of it, all of it, or more, which becomes the customer's credit."""
    paid, due = invoice["amount_paid"] + amount, invoice["amount_due"]
    if paid < due:
        tx.emit("invoice.updated", invoice, tx.update(invoice, amount_paid=paid, amount_remaining=due - paid))
        ask_for(tx, invoice, due - paid)
        return
    cancel_payment(tx, invoice)
    if paid > due:
        tx.update(invoice, amount_overpaid=paid - due)
    mark_paid(tx, invoice, paid)
    owner = tx.get("customer", invoice["customer"])
    if paid > due and owner is not None and not owner.get("deleted"):
        customer_balance.change(
            tx, owner, due - paid, invoice["currency"], "invoice_overpaid", invoice=invoice["id"]
        )
        tx.emit("invoice.overpaid", invoice)


def ask_for(tx: Transaction, invoice: Doc, amount: int) -> None:
    """Let the open payment of an invoice be about `amount`."""
    payment, intent = default_payment(tx, invoice), intent_of(tx, invoice)
    if payment is not None and intent is not None and payment["status"] == "open":
        tx.update(payment, amount_requested=amount)
        tx.update(intent, amount=amount)


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
    delinquent(tx, invoice, False)
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
    """Give up the open payments of an invoice that will not be collected any more."""
    tx.unschedule("invoice.retry", invoice["id"])
    for payment in list(tx.scan("invoice_payment", {"invoice": invoice["id"], "status": "open"})):
        times = payment["status_transitions"] | {"canceled_at": tx.now}
        tx.update(payment, status="canceled", status_transitions=times)
        intent = tx.get("payment_intent", payment["_payment_intent"])
        if payment["is_default"] and intent is not None and intent["status"] in payments.OPEN:
            payments.cancel(tx, intent, "void_invoice")


def delinquent(tx: Transaction, invoice: Doc, value: bool) -> None:
    """A customer is delinquent from a failed automatic payment or a missed due date until the next payment."""
    owner = tx.get("customer", invoice["customer"])
    if owner is not None and not owner.get("deleted") and owner["delinquent"] != value:
        tx.emit("customer.updated", owner, tx.update(owner, delinquent=value))
