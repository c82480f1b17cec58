"""Payouts: money leaves the available balance for the bank, arrives a day later, or comes back."""

from __future__ import annotations

from app.simulator.engines import funds
from app.simulator.errors import StripeError, invalid
from app.simulator.registry import Doc, timed
from app.simulator.transaction import Transaction

DAY = 86400
BANK = "ba_1SimulatedMerchantBank"
_INSUFFICIENT = (
    "You have insufficient funds in your Stripe account for this transfer. Your card balance is too low. You can use "
    "the /v1/balance endpoint to view your Stripe balance (for more details, see stripe.com/docs/api#balance)."
)


def send(tx: Transaction, amount: int, currency: str, fields: Doc) -> Doc:
    """Send `amount` of what is available to the bank; it arrives on the next day."""
    available = next((b["amount"] for b in funds.balance(tx)["available"] if b["currency"] == currency), 0)
    if amount > available:
        raise StripeError(400, _INSUFFICIENT, code="balance_insufficient")
    arrival = tx.now if fields.get("method") == "instant" else (tx.now // DAY + 1) * DAY
    payout = tx.create(
        "payout",
        {
            "amount": amount, "arrival_date": arrival, "automatic": False, "currency": currency, "destination": BANK,
            "metadata": {}, "method": "standard", "reconciliation_status": "not_applicable", "source_type": "card",
            "status": "pending", "trace_id": {"status": "pending", "value": None}, "type": "bank_account",
        }
        | fields,
    )  # fmt: skip
    row = _move(tx, payout, "payout", -amount, "STRIPE PAYOUT")
    tx.update(payout, balance_transaction=row["id"])
    tx.emit("payout.created", payout)
    tx.schedule(max(arrival, tx.now + 1), "payout.arrive", payout["id"])
    return payout


def _move(tx: Transaction, payout: Doc, kind: str, amount: int, description: str) -> Doc:
    return funds.book(
        tx, kind, amount, payout["currency"], payout, description=description, category=_CATEGORIES[kind], at_once=True
    )  # fmt: skip


_CATEGORIES = {"payout": "payout", "payout_cancel": "payout_reversal", "payout_failure": "payout_reversal"}


@timed("payout.arrive")
def _arrive(tx: Transaction, identifier: str) -> None:
    payout = tx.find("payout", identifier)
    if payout["status"] == "pending":
        trace = {"status": "supported", "value": f"TRACE{identifier[-12:].upper()}"}
        previous = tx.update(payout, status="paid", trace_id=trace)
        tx.emit("payout.updated", payout, previous)
        tx.emit("payout.paid", payout)


def cancel(tx: Transaction, payout: Doc) -> None:
    """Call a payout back before it is on its way to the bank."""
    if payout["status"] != "pending":
        raise invalid("Payouts can only be canceled if they are pending.")
    _back(tx, payout, "payout_cancel", {"status": "canceled"})
    tx.emit("payout.canceled", payout)


def fail(tx: Transaction, payout: Doc, code: str = "account_closed") -> None:
    """The bank returns the money, even after it arrived."""
    if payout["status"] not in ("pending", "paid"):
        raise invalid(f"this payout cannot fail any more: its status is {payout['status']}")
    message = (
        "The bank account has been closed." if code == "account_closed" else "The bank returned the payout."
    )
    changes = {"status": "failed", "failure_code": code, "failure_message": message}
    _back(tx, payout, "payout_failure", changes)
    tx.emit("payout.failed", payout)


def _back(tx: Transaction, payout: Doc, kind: str, changes: Doc) -> None:
    tx.unschedule("payout.arrive", payout["id"])
    row = _move(tx, payout, kind, payout["amount"], "STRIPE PAYOUT " + kind.removeprefix("payout_").upper())
    previous = tx.update(payout, changes | {"failure_balance_transaction": row["id"]})
    tx.emit("payout.updated", payout, previous)
