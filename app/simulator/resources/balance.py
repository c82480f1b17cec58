"""The balance and its transactions: /v1/balance, /v1/balance_transactions."""

from __future__ import annotations

from app.simulator.engines import funds
from app.simulator.listing import lists, retrieves
from app.simulator.registry import Doc, Resource, route
from app.simulator.transaction import Transaction

balance_transaction = Resource(
    "balance_transaction", "txn_", label="balance transaction", index=("source", "type")
)
Resource("balance", "")
retrieves("balance_transaction", "/v1/balance_transactions/{id}")
lists("balance_transaction", "/v1/balance_transactions")


@route("GET", "/v1/balance")
def retrieve(tx: Transaction, params: Doc) -> Doc:
    """What is available and what is pending."""
    return funds.balance(tx)
