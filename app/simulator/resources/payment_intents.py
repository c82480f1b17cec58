"""Payment intents: /v1/payment_intents."""

from __future__ import annotations

from app.money import MAXIMUM_CHARGE, MINIMUM_CHARGE, Money, format_money
from app.simulator.engines import payments
from app.simulator.engines.customers import address, attach
from app.simulator.engines.methods import from_data, resolved
from app.simulator.errors import StripeError, invalid
from app.simulator.fields import merged, plain, unset
from app.simulator.listing import lists
from app.simulator.registry import Doc, Resource, route
from app.simulator.resources.prices import currency_of
from app.simulator.transaction import Transaction

payment_intent = Resource(
    "payment_intent",
    "pi_",
    index=("customer", "status"),
    absent=frozenset(
        {"allowed_payment_method_types", "hooks", "payment_details", "payment_record", "presentment_details"}
    ),
)  # fmt: skip
lists("payment_intent", "/v1/payment_intents")
_NOTES = (
    "description", "receipt_email", "setup_future_usage", "statement_descriptor", "statement_descriptor_suffix",
    "transfer_group",
)  # fmt: skip


def check_amount(amount: int, currency: str) -> None:
    """Refuse what Stripe refuses to charge."""
    least = MINIMUM_CHARGE.get(currency, 50)
    if amount < least:
        shown = format_money(Money(least, currency))
        raise invalid(f"Amount must be at least {shown} {currency}", "amount", "amount_too_small")
    if amount > MAXIMUM_CHARGE:
        shown = format_money(Money(MAXIMUM_CHARGE, currency))
        raise invalid(f"Amount must be no more than {shown} {currency}", "amount", "amount_too_large")


@route("POST", "/v1/payment_intents")
def create(tx: Transaction, params: Doc) -> Doc:
    """An intent, confirmed at once when asked."""
    currency = currency_of(params["currency"])
    check_amount(params["amount"], currency)
    automatic = params.get("automatic_payment_methods")
    types = params.get("allowed_payment_method_types")
    fields = _notes(params) | {
        "automatic_payment_methods": None if types and not automatic else {
            "allow_redirects": (automatic or {}).get("allow_redirects", "always"),
            "enabled": (automatic or {}).get("enabled", True),
        },
        "capture_method": params.get("capture_method", "automatic_async"),
        "confirmation_method": params.get("confirmation_method", "automatic"),
        "excluded_payment_method_types": params.get("excluded_payment_method_types"),
        "metadata": plain(params.get("metadata")), "payment_method_types": types or ["card"],
    }  # fmt: skip
    if "customer" in params:
        fields["customer"] = tx.find("customer", params["customer"], "customer")["id"]
    method = _method(tx, params)
    if method is not None:
        fields |= {"payment_method": method["id"], "status": "requires_confirmation"}
    intent = payments.open_intent(tx, params["amount"], currency, fields)
    if params.get("confirm"):
        return _confirm(tx, intent, method, params)
    return intent


def _method(tx: Transaction, params: Doc) -> Doc | None:
    if "payment_method" in params:
        return resolved(tx, params["payment_method"])
    return from_data(tx, params.get("payment_method_data"))


def _notes(params: Doc) -> Doc:
    fields = {k: unset(params[k]) for k in _NOTES if k in params}
    if params.get("shipping"):
        given = params["shipping"]
        fields["shipping"] = {
            "address": address(given.get("address")), "carrier": given.get("carrier"), "name": given.get("name"),
            "phone": given.get("phone"), "tracking_number": given.get("tracking_number"),
        }  # fmt: skip
    return fields


def _confirm(tx: Transaction, intent: Doc, method: Doc | None, params: Doc) -> Doc:
    payments.expect(
        intent, ("requires_payment_method", "requires_confirmation", "requires_action"), "confirmed"
    )
    if method is None and intent["payment_method"]:
        method = tx.find("payment_method", intent["payment_method"])
    if method is None:
        raise StripeError(
            400,
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
            "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment "
            "method or ConfirmationToken.",
            code="payment_intent_unexpected_state",
        )
    if "return_url" in params:
        tx.update(intent, _return_url=params["return_url"])
    error = payments.attempt(tx, intent, method, off_session=bool(params.get("off_session")))
    if error is not None:
        raise error
    if intent["customer"] and intent["setup_future_usage"] and not method["customer"]:
        attach(tx, method, tx.find("customer", intent["customer"]))
    return intent


@route("GET", "/v1/payment_intents/{intent}")
def retrieve(tx: Transaction, params: Doc, intent: str) -> Doc:
    """One intent."""
    return tx.find("payment_intent", intent, "intent", status=404)


@route("POST", "/v1/payment_intents/{intent}")
def update(tx: Transaction, params: Doc, intent: str) -> Doc:
    """Change an intent that has not been paid; notes and metadata any time."""
    doc = tx.find("payment_intent", intent, "intent", status=404)
    if {"amount", "currency", "payment_method", "customer"} & params.keys():
        payments.expect(doc, payments.OPEN, "updated")
    changes: Doc = _notes(params) | {"metadata": merged(doc, params)}
    if "currency" in params:
        changes["currency"] = currency_of(params["currency"])
    if "amount" in params:
        check_amount(params["amount"], str(changes.get("currency", doc["currency"])))
        changes["amount"] = params["amount"]
    if "customer" in params:
        changes["customer"] = tx.find("customer", params["customer"], "customer")["id"]
    if params.get("payment_method"):
        changes |= {
            "payment_method": resolved(tx, params["payment_method"])["id"],
            "status": "requires_confirmation",
        }
    tx.update(doc, changes)
    return doc


@route("POST", "/v1/payment_intents/{intent}/confirm")
def confirm(tx: Transaction, params: Doc, intent: str) -> Doc:
    """Try to pay."""
    doc = tx.find("payment_intent", intent, "intent", status=404)
    return _confirm(tx, doc, _method(tx, params), params)


@route("POST", "/v1/payment_intents/{intent}/capture")
def capture(tx: Transaction, params: Doc, intent: str) -> Doc:
    """Take the money that is held."""
    doc = tx.find("payment_intent", intent, "intent", status=404)
    payments.capture(tx, doc, params.get("amount_to_capture"))
    return doc


@route("POST", "/v1/payment_intents/{intent}/cancel")
def cancel(tx: Transaction, params: Doc, intent: str) -> Doc:
    """Give up; a session's intent is given up by expiring the session."""
    doc = tx.find("payment_intent", intent, "intent", status=404)
    if doc.get("_session"):
        raise invalid(
            "You cannot cancel the PaymentIntent for a Checkout Session. Expire the Checkout Session instead."
        )
    payments.cancel(tx, doc, params.get("cancellation_reason"))
    return doc
