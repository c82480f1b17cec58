"""Cards kept on a customer in the old way, as `default_source`. Each is also a payment method of the same id."""

from __future__ import annotations

from app.simulator import cards
from app.simulator.engines.methods import card_method
from app.simulator.errors import StripeError, invalid
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction

BRANDS = {"visa": "Visa", "mastercard": "MasterCard", "amex": "American Express", "discover": "Discover",
          "diners": "Diners Club", "jcb": "JCB", "unionpay": "UnionPay"}  # fmt: skip


def add(tx: Transaction, owner: Doc, token: str, metadata: Doc | None = None) -> Doc:
    """Keep the card behind a `tok_…` name on a customer; the first one becomes the default."""
    card = cards.by_alias(token) if token.startswith("tok_") else None
    if card is None:
        raise invalid(f"No such token: '{token}'", "source", "resource_missing")
    if card.attach_fails and card.code:
        raise StripeError(
            402, card.message, kind="card_error", code=card.code, decline_code=card.decline_code
        )
    identifier = tx.new_id("card_")
    method = card_method(tx, card, identifier=identifier)
    tx.update(method, customer=owner["id"])
    shown = method["card"]
    source = tx.create(
        "card",
        {
            "brand": BRANDS.get(card.brand, "Unknown"), "country": card.country, "customer": owner["id"],
            "cvc_check": "pass", "exp_month": shown["exp_month"], "exp_year": shown["exp_year"], "funding": card.funding,
            "fingerprint": shown["fingerprint"], "last4": card.last4, "metadata": metadata or {},
            "regulated_status": "unregulated",
        },
        id=identifier,
    )  # fmt: skip
    tx.emit("customer.source.created", source)
    if not owner["default_source"]:
        tx.update(owner, default_source=identifier)
    return source


def replace(tx: Transaction, owner: Doc, token: str) -> None:
    """Put a new card in the place of the default one, as `source` on a customer does."""
    held = tx.get("card", owner["default_source"])
    if held is not None and not held.get("deleted"):
        remove(tx, owner, held)
    add(tx, owner, token)


def remove(tx: Transaction, owner: Doc, source: Doc) -> Doc:
    """Take a card off; the newest that is left becomes the default."""
    tx.emit("customer.source.deleted", source)
    method = tx.get("payment_method", source["id"])
    if method is not None:
        tx.update(method, customer=None)
    stone = tx.delete(source)
    tx.flush()
    if owner["default_source"] == stone["id"]:
        left = tx.first("card", {"customer": owner["id"]})
        tx.update(owner, default_source=left["id"] if left else None)
    return stone


def made_default(tx: Transaction, owner: Doc, identifier: str) -> str:
    """The id of a card that can be this customer's default source, or Stripe's refusal."""
    source = tx.find("card", identifier, "default_source")
    if source["customer"] != owner["id"]:
        raise invalid(
            f"No such source: '{identifier}'",
            "default_source",
            "resource_missing",
        )
    return identifier
