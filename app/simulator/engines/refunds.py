"""Refunds: what may be given back, when it arrives, and what happens when a bank returns it."""

from __future__ import annotations

from collections.abc import Callable

from app.money import Money, format_money
from app.simulator import cards
from app.simulator.engines import funds, payments
from app.simulator.errors import StripeError, invalid
from app.simulator.registry import Doc, timed
from app.simulator.transaction import Transaction

LATER = 3600
# Who wants to know that (part of) a charge was refunded, told (tx, charge, refund): disputes, reviews, warnings.
REFUNDED: list[Callable[[Transaction, Doc, Doc], None]] = []


def request(tx: Transaction, charge: Doc, amount: int | None, reason: str | None, metadata: Doc) -> Doc:
    """Refund `amount` of a charge, or all that is left of it."""
    _check(charge, amount)
    if not charge["captured"]:
        return _release(tx, charge, reason, metadata)
    payments.book_charge(tx, charge["id"])
    left = charge["amount"] - charge["amount_refunded"]
    part = left if amount is None else amount
    after = _card(tx, charge).after
    refund = tx.create(
        "refund",
        _fields(charge, part, reason, metadata)
        | {"status": "pending" if after == "refund_succeeds_later" else "succeeded",
           "pending_reason": "processing" if after == "refund_succeeds_later" else None},
    )  # fmt: skip
    row = funds.book(
        tx, "refund" if charge["payment_method_details"]["type"] == "card" else "payment_refund",
        -part, charge["currency"], refund, description="REFUND FOR CHARGE", category="refund",
    )  # fmt: skip
    tx.update(refund, balance_transaction=row["id"])
    _count(tx, charge, part)
    if after in ("refund_succeeds_later", "refund_fails_later"):
        tx.schedule(tx.now + LATER, f"refund.{after}", refund["id"])
    return refund


def _count(tx: Transaction, charge: Doc, part: int) -> None:
    refund = tx.first("refund", {"charge": charge["id"]})
    refunded = charge["amount_refunded"] + part
    previous = tx.update(charge, amount_refunded=refunded, refunded=refunded >= charge["amount"])
    if refund is not None:
        tx.emit("refund.created", refund)
    tx.emit("charge.refunded", charge, previous)
    if refund is not None:
        for told in REFUNDED:
            told(tx, charge, refund)


def _fields(charge: Doc, part: int, reason: str | None, metadata: Doc) -> Doc:
    destination: Doc = {"type": charge["payment_method_details"]["type"]}
    if destination["type"] == "card":
        destination["card"] = {
            "reference_status": "pending",
            "reference_type": "acquirer_reference_number",
            "type": "refund",
        }
    return {
        "amount": part, "charge": charge["id"], "currency": charge["currency"], "customer": charge["customer"],
        "destination_details": destination, "metadata": metadata, "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"], "reason": reason,
    }  # fmt: skip


def _check(charge: Doc, amount: int | None) -> None:
    money = charge["currency"]
    if not charge["paid"]:
        raise invalid(f"Charge {charge['id']} has not been paid, so it cannot be refunded.", "charge")
    if charge["disputed"] and not charge.get("_refundable"):
        raise StripeError(
            400, "This charge has been charged back and cannot be refunded.", code="charge_disputed"
        )
    left = charge["amount"] - charge["amount_refunded"]  # what was not captured counts as refunded
    if left <= 0:
        raise StripeError(
            400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    if amount is None:
        return
    if amount < 1:
        raise invalid("This value must be greater than or equal to 1.", "amount", "parameter_invalid_integer")
    if amount > left:
        asked, rest = format_money(Money(amount, money)), format_money(Money(left, money))
        raise invalid(
            f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})", "amount"
        )


def _release(tx: Transaction, charge: Doc, reason: str | None, metadata: Doc) -> Doc:
    """Refunding what was only authorized cancels the authorization; no money moves."""
    refund = tx.create(
        "refund", _fields(charge, charge["amount"], reason, metadata) | {"status": "succeeded"}
    )
    tx.emit("refund.created", refund)
    payments.cancel(tx, tx.find("payment_intent", charge["payment_intent"]), None)
    return refund


def _card(tx: Transaction, charge: Doc) -> cards.Card:
    method = tx.get("payment_method", charge["payment_method"])
    return (
        cards.by_number(method["_number"])
        if method and method["_number"]
        else cards.BY_NUMBER["4242424242424242"]
    )


@timed("refund.refund_succeeds_later")
def _succeed(tx: Transaction, identifier: str) -> None:
    refund = tx.find("refund", identifier)
    if refund["status"] == "pending":
        previous = tx.update(refund, status="succeeded", pending_reason=None)
        tx.emit("refund.updated", refund, previous)
        tx.emit("charge.refund.updated", refund, previous)


@timed("refund.refund_fails_later")
def _fail_later(tx: Transaction, identifier: str) -> None:
    refund = tx.find("refund", identifier)
    if refund["status"] in ("succeeded", "pending"):
        fail(tx, refund, "failed", "expired_or_canceled_card")


def fail(tx: Transaction, refund: Doc, status: str, reason: str) -> Doc:
    """The bank has returned the money: the balance gets it back and the charge counts as not refunded."""
    charge = tx.find("charge", refund["charge"])
    row = funds.book(
        tx, "refund_failure", refund["amount"], refund["currency"], refund, description="REFUND FAILURE",
        category="refund_failure",
    )  # fmt: skip
    previous = tx.update(refund, status=status, failure_reason=reason, failure_balance_transaction=row["id"])
    tx.update(charge, amount_refunded=charge["amount_refunded"] - refund["amount"], refunded=False)
    tx.emit("refund.updated", refund, previous)
    tx.emit("charge.refund.updated", refund, previous)
    if status == "failed":
        tx.emit("refund.failed", refund)
    return refund
