"""Making customers and giving them payment methods: for the API, Checkout and the portal alike."""

from __future__ import annotations

from typing import Any

from app.simulator.engines.methods import NO_ADDRESS
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction


def new_customer(tx: Transaction, fields: Doc) -> Doc:
    """Store a customer and tell of it: by the API or made by Checkout."""
    settings = {
        "custom_fields": None,
        "default_payment_method": None,
        "footer": None,
        "rendering_options": None,
    }
    doc = tx.create(
        "customer",
        {
            "balance": 0, "delinquent": False, "invoice_prefix": tx.new_id("", 8).upper(), "metadata": {},
            "invoice_settings": settings, "next_invoice_sequence": 1, "preferred_locales": [], "tax_exempt": "none",
        }
        | fields,
    )  # fmt: skip
    tx.emit("customer.created", doc)
    return doc


def address(given: Any) -> Doc | None:
    """An address with every field present, None when unset."""
    return {k: given.get(k) or None for k in NO_ADDRESS} if given else None


def attach(tx: Transaction, method: Doc, owner: Doc) -> None:
    """Give a payment method to a customer, and tell of it."""
    tx.update(method, customer=owner["id"])
    tx.emit("payment_method.attached", method)
