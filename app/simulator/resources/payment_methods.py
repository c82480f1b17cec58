"""Payment methods: /v1/payment_methods."""

from __future__ import annotations

from typing import Any

from app.simulator import cards
from app.simulator.engines.customers import attach as give
from app.simulator.engines.methods import billing, card_method, debit_method, resolved
from app.simulator.errors import StripeError, invalid
from app.simulator.fields import merged, plain
from app.simulator.listing import lists
from app.simulator.registry import Doc, Resource, route
from app.simulator.transaction import Transaction

payment_method = Resource(
    "payment_method",
    "pm_",
    label="PaymentMethod",
    index=("customer",),
    only=frozenset(
        {"allow_redisplay", "billing_details", "card", "created", "customer", "customer_account", "livemode", "metadata",
         "type"}
    ),
)  # fmt: skip
lists("payment_method", "/v1/payment_methods")


@route("GET", "/v1/payment_methods/{payment_method}")
def retrieve(tx: Transaction, params: Doc, payment_method: str) -> Doc:
    """One payment method."""
    return tx.find("payment_method", payment_method)


@route("POST", "/v1/payment_methods")
def create(tx: Transaction, params: Doc) -> Doc:
    """A payment method from a test token or a test number."""
    if params.get("type") != "card":
        if params.get("type") in ("sepa_debit", "us_bank_account"):
            return debit_method(tx, params.get("billing_details"))
        raise invalid("This simulator knows the payment method types card and sepa_debit.", "type")
    given: Any = params.get("card")
    if not given:
        raise invalid("Missing required param: card.", "card", "parameter_missing")
    details, metadata = params.get("billing_details"), plain(params.get("metadata"))
    if "token" in given:
        card = cards.by_alias(given["token"])
        if card is None:
            raise invalid(f"No such token: '{given['token']}'", "card[token]", "resource_missing")
        return card_method(tx, card, details, metadata=metadata)
    number = str(given.get("number", "")).replace(" ", "")
    if not (number.isdigit() and number.isascii() and 12 <= len(number) <= 19 and cards.luhn(number)):
        raise StripeError(
            402, "Your card number is incorrect.", kind="card_error", code="incorrect_number", param="number"
        )
    month, year = given.get("exp_month", 12), given.get("exp_year", 2034)
    return card_method(tx, cards.by_number(number), details, month=month, year=year, metadata=metadata)


@route("POST", "/v1/payment_methods/{payment_method}")
def update(tx: Transaction, params: Doc, payment_method: str) -> Doc:
    """Change billing details, expiry and metadata."""
    doc = tx.find("payment_method", payment_method)
    changes: Doc = {"metadata": merged(doc, params)}
    if "billing_details" in params:
        changes["billing_details"] = billing(
            _merged_details(doc["billing_details"], params["billing_details"])
        )
    if isinstance(params.get("card"), dict):
        dates = {k: v for k, v in params["card"].items() if k in ("exp_month", "exp_year")}
        changes["card"] = doc["card"] | dates
    if "allow_redisplay" in params:
        changes["allow_redisplay"] = params["allow_redisplay"]
    tx.emit("payment_method.updated", doc, tx.update(doc, changes))
    return doc


def _merged_details(held: Doc, given: Doc) -> Doc:
    address = given.get("address")
    whole = held | given
    whole["address"] = {} if address == "" else (held["address"] | (address or {}))
    return whole


@route("POST", "/v1/payment_methods/{payment_method}/attach")
def attach(tx: Transaction, params: Doc, payment_method: str) -> Doc:
    """Give a payment method to a customer."""
    doc = resolved(tx, payment_method)
    if "customer" not in params:
        raise invalid("Missing required param: customer.", "customer", "parameter_missing")
    owner = tx.find("customer", params["customer"], "customer")
    if doc["customer"]:
        raise invalid("The payment method you provided has already been attached to a customer.")
    card = cards.by_number(doc["_number"]) if doc["type"] == "card" else None
    if card is not None and card.attach_fails:
        raise StripeError(
            402, card.message, kind="card_error", code=card.code, decline_code=card.decline_code
        )
    give(tx, doc, owner)
    return doc


@route("POST", "/v1/payment_methods/{payment_method}/detach")
def detach(tx: Transaction, params: Doc, payment_method: str) -> Doc:
    """Take a payment method from its customer, for good."""
    doc = tx.find("payment_method", payment_method)
    if not doc["customer"]:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible."
        )
    owner = tx.get("customer", doc["customer"])
    if (
        owner
        and not owner.get("deleted")
        and owner["invoice_settings"]["default_payment_method"] == doc["id"]
    ):
        tx.update(owner, invoice_settings=owner["invoice_settings"] | {"default_payment_method": None})
    tx.emit("payment_method.detached", doc, tx.update(doc, customer=None))
    return doc
