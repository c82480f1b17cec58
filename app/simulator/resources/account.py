"""The one account there is: GET /v1/account. A new store is a new account; connected accounts come later."""

from __future__ import annotations

from app.simulator.registry import Doc, Resource, route
from app.simulator.transaction import Transaction

Resource("account", "acct_", label="account", only=frozenset({"id", "object", "type", "country", "email", "created", "default_currency", "charges_enabled", "payouts_enabled", "details_submitted", "business_type", "capabilities", "metadata"}))  # fmt: skip


@route("GET", "/v1/account")
def retrieve(tx: Transaction, params: Doc) -> Doc:
    """Who the key belongs to: made at the first question, gone with a reset."""
    return tx.first("account", {}) or tx.create(
        "account",
        {
            "type": "standard", "country": "DE", "default_currency": "eur", "email": None, "business_type": None,
            "charges_enabled": True, "payouts_enabled": True, "details_submitted": True,
            "capabilities": {"card_payments": "active", "transfers": "active"}, "metadata": {},
        },
    )  # fmt: skip
