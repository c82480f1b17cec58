"""What a customer has in credit (negative) or still owes (positive): every change is one transaction."""

from __future__ import annotations

from app.simulator.registry import Doc
from app.simulator.transaction import Transaction


def change(
    tx: Transaction,
    customer: Doc,
    amount: int,
    currency: str,
    kind: str,
    *,
    invoice: str | None = None,
    credit_note: str | None = None,
    description: str | None = None,
    metadata: Doc | None = None,
) -> Doc:
    """Move a customer's balance by `amount` and tell of it; returns the customer balance transaction."""
    ending = customer["balance"] + amount
    row = tx.create(
        "customer_balance_transaction",
        {
            "amount": amount, "credit_note": credit_note, "currency": currency, "customer": customer["id"],
            "description": description, "ending_balance": ending, "invoice": invoice, "metadata": metadata or {},
            "type": kind,
        },
    )  # fmt: skip
    changes: Doc = {"balance": ending}
    if customer["currency"] is None:
        changes["currency"] = currency
    tx.emit("customer.updated", customer, tx.update(customer, changes))
    return row
