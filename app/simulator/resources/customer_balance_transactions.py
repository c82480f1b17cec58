"""Customer balance transactions: /v1/customers/{customer}/balance_transactions."""

from __future__ import annotations

from app.simulator.engines import customer_balance
from app.simulator.errors import invalid, missing
from app.simulator.fields import merged, plain, unset
from app.simulator.listing import page
from app.simulator.registry import Doc, Resource, route
from app.simulator.resources.invoice_items import bounded
from app.simulator.transaction import Transaction

customer_balance_transaction = Resource(
    "customer_balance_transaction",
    "cbtxn_",
    label="customer balance transaction",
    index=("customer", "invoice"),
)
_PATH = "/v1/customers/{customer}/balance_transactions"


@route("GET", _PATH)
def listing(tx: Transaction, params: Doc, customer: str) -> Doc:
    """What moved a customer's balance."""
    tx.find("customer", customer)
    url = f"/v1/customers/{customer}/balance_transactions"
    return page(tx, "customer_balance_transaction", params, url, where={"customer": customer})


@route("POST", _PATH)
def create(tx: Transaction, params: Doc, customer: str) -> Doc:
    """An adjustment by the merchant: negative is credit, positive is owed."""
    owner = tx.find("customer", customer)
    currency = params["currency"].lower()
    if owner["currency"] not in (None, currency):
        raise invalid(
            f"The customer's currency is {owner['currency']}; a balance transaction has to be in it.",
            "currency",
        )
    return customer_balance.change(
        tx, owner, bounded(params["amount"]), currency, "adjustment",
        description=unset(params.get("description", "")), metadata=plain(params.get("metadata")),
    )  # fmt: skip


@route("GET", _PATH + "/{transaction}")
def retrieve(tx: Transaction, params: Doc, customer: str, transaction: str) -> Doc:
    """One of them."""
    return _one(tx, customer, transaction)


@route("POST", _PATH + "/{transaction}")
def update(tx: Transaction, params: Doc, customer: str, transaction: str) -> Doc:
    """Change description and metadata."""
    doc = _one(tx, customer, transaction)
    changes: Doc = {"metadata": merged(doc, params)}
    if "description" in params:
        changes["description"] = unset(params["description"])
    tx.update(doc, changes)
    return doc


def _one(tx: Transaction, customer: str, transaction: str) -> Doc:
    doc = tx.get("customer_balance_transaction", transaction)
    if doc is None or doc["customer"] != customer:
        raise missing("customer balance transaction", transaction, "transaction")
    return doc
