"""Payment methods made from test numbers and test names."""

from __future__ import annotations

import hashlib
from typing import Any

from app.simulator import cards
from app.simulator.errors import missing
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction

NO_ADDRESS: Doc = {
    "city": None,
    "country": None,
    "line1": None,
    "line2": None,
    "postal_code": None,
    "state": None,
}


def billing(given: Doc | None) -> Doc:
    """Billing details with every field present."""
    given = given or {}
    address = given.get("address") or {}
    return {
        "address": {k: address.get(k) or None for k in NO_ADDRESS},
        "email": given.get("email") or None,
        "name": given.get("name") or None,
        "phone": given.get("phone") or None,
        "tax_id": given.get("tax_id") or None,
    }


def card_method(
    tx: Transaction,
    card: cards.Card,
    details: Doc | None = None,
    *,
    month: int = 12,
    year: int = 2034,
    metadata: Doc | None = None,
    identifier: str | None = None,
) -> Doc:
    """A new payment method for a card."""
    checks = {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"}
    if card.code == "incorrect_cvc":
        checks["cvc_check"] = "fail"
    values: dict[str, Any] = {
        "brand": card.brand, "checks": checks, "country": card.country, "display_brand": card.brand,
        "exp_month": month, "exp_year": year, "fingerprint": hashlib.sha256(card.number.encode()).hexdigest()[:16],
        "funding": card.funding, "generated_from": None, "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None}, "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True}, "wallet": None,
    }  # fmt: skip
    return tx.create(
        "payment_method",
        {
            "type": "card", "card": values, "billing_details": billing(details), "allow_redisplay": "unspecified",
            "metadata": metadata or {}, "_number": card.number,
        },
        id=identifier,
    )  # fmt: skip


def debit_method(tx: Transaction, details: Doc | None = None, *, fails: bool = False) -> Doc:
    """A bank debit, which is answered days later."""
    values = {
        "bank_code": "37040044", "branch_code": "", "country": "DE", "fingerprint": "SimulatedDebit00",
        "generated_from": {"charge": None, "setup_attempt": None}, "last4": "3000",
    }  # fmt: skip
    return tx.create(
        "payment_method",
        {
            "type": "sepa_debit", "sepa_debit": values, "billing_details": billing(details), "card": None,
            "allow_redisplay": "unspecified", "metadata": {}, "_number": "", "_fails": fails,
        },
    )  # fmt: skip


def resolved(tx: Transaction, name: str, param: str = "payment_method") -> Doc:
    """The payment method of an id, or a new one for a test name such as pm_card_visa."""
    method = tx.get("payment_method", name)
    if method is not None:
        return method
    card = cards.by_alias(name)
    if card is None:
        raise missing("PaymentMethod", name, param, 400)
    return card_method(tx, card)


def from_data(tx: Transaction, data: Doc | None) -> Doc | None:
    """A payment method typed in with the request, as `payment_method_data`; None when it is no card or debit."""
    kind = (data or {}).get("type")
    if data is None or kind not in ("card", "sepa_debit", "us_bank_account"):
        return None
    if kind != "card":
        return debit_method(tx, data.get("billing_details"))
    return card_method(tx, cards.BY_NUMBER["4242424242424242"], data.get("billing_details"))
