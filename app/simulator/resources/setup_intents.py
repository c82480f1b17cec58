"""Setup intents: /v1/setup_intents, the attempts of one, and the mandates they leave."""

from __future__ import annotations

from app.simulator.engines import setups
from app.simulator.engines.methods import from_data, resolved
from app.simulator.errors import invalid
from app.simulator.fields import merged, plain, unset
from app.simulator.listing import lists, retrieves
from app.simulator.registry import Doc, Resource, route
from app.simulator.transaction import Transaction

setup_intent = Resource(
    "setup_intent",
    "seti_",
    index=("customer", "payment_method"),
    absent=frozenset({"allowed_payment_method_types", "attach_to_self", "managed_payments"}),
)
Resource("setup_attempt", "setatt_", index=("setup_intent",), absent=frozenset({"attach_to_self"}))
Resource("mandate", "mandate_", absent=frozenset({"on_behalf_of", "single_use"}))
lists("setup_intent", "/v1/setup_intents")
lists("setup_attempt", "/v1/setup_attempts")
retrieves("mandate", "/v1/mandates/{mandate}")


@route("POST", "/v1/setup_intents")
def create(tx: Transaction, params: Doc) -> Doc:
    """An intent, confirmed at once when asked."""
    automatic, types = params.get("automatic_payment_methods"), params.get("allowed_payment_method_types")
    if "return_url" in params and not params.get("confirm"):
        raise invalid("You cannot provide a `return_url` without setting `confirm` to true.", "return_url")
    fields = _noted(tx, params) | {
        "automatic_payment_methods": None if types and not automatic else {
            "allow_redirects": (automatic or {}).get("allow_redirects", "always"),
            "enabled": (automatic or {}).get("enabled", True),
        },
        "excluded_payment_method_types": params.get("excluded_payment_method_types"),
        "metadata": plain(params.get("metadata")), "payment_method_types": types or ["card"],
        "usage": params.get("usage", "off_session"),
    }  # fmt: skip
    method = _method(tx, params)
    if method is not None:
        fields |= {"payment_method": method["id"], "status": "requires_confirmation"}
    intent = setups.open_intent(tx, fields)
    return _confirm(tx, intent, method, params) if params.get("confirm") else intent


def _noted(tx: Transaction, params: Doc) -> Doc:
    fields: Doc = {k: unset(params[k]) for k in ("description", "flow_directions") if k in params}
    if "customer" in params:
        fields["customer"] = tx.find("customer", params["customer"], "customer")["id"]
    return fields


def _method(tx: Transaction, params: Doc) -> Doc | None:
    if "payment_method" in params:
        return resolved(tx, params["payment_method"])
    return from_data(tx, params.get("payment_method_data"))


def _confirm(tx: Transaction, intent: Doc, method: Doc | None, params: Doc) -> Doc:
    setups.expect_open(intent, "confirm")
    if method is None and intent["payment_method"]:
        method = tx.find("payment_method", intent["payment_method"])
    if method is None:
        raise setups.unexpected(
            intent,
            "You cannot confirm this SetupIntent because it's missing a payment method. Update the SetupIntent with a "
            "payment method and then confirm it again.",
        )
    if method["customer"] and method["customer"] != intent["customer"]:
        raise invalid(
            "The provided PaymentMethod cannot be attached. To reuse a PaymentMethod, you must attach it to a Customer "
            "first."
            if not intent["customer"]
            else f"The payment method {method['id']} does not belong to the Customer {intent['customer']}.",
            "payment_method",
        )
    if "return_url" in params:
        tx.update(intent, _return_url=params["return_url"])
    error = setups.attempt(tx, intent, method)
    if error is not None:
        raise error
    return intent


@route("GET", "/v1/setup_intents/{intent}")
def retrieve(tx: Transaction, params: Doc, intent: str) -> Doc:
    """One intent."""
    return tx.find("setup_intent", intent, "intent", status=404)


@route("POST", "/v1/setup_intents/{intent}")
def update(tx: Transaction, params: Doc, intent: str) -> Doc:
    """Change an intent that has not ended; metadata and description any time."""
    doc = tx.find("setup_intent", intent, "intent", status=404)
    if {"customer", "payment_method", "payment_method_data"} & params.keys():
        setups.expect_open(doc, "update")
    changes = _noted(tx, params) | {"metadata": merged(doc, params)}
    method = _method(tx, params)
    if method is not None:
        changes |= {"payment_method": method["id"], "status": "requires_confirmation"}
    tx.update(doc, changes)
    return doc


@route("POST", "/v1/setup_intents/{intent}/confirm")
def confirm(tx: Transaction, params: Doc, intent: str) -> Doc:
    """Try to set the payment method up."""
    doc = tx.find("setup_intent", intent, "intent", status=404)
    return _confirm(tx, doc, _method(tx, params), params)


@route("POST", "/v1/setup_intents/{intent}/cancel")
def cancel(tx: Transaction, params: Doc, intent: str) -> Doc:
    """Give up; an intent of a Checkout Session is given up by expiring the session."""
    doc = tx.find("setup_intent", intent, "intent", status=404)
    if doc.get("_session"):
        raise invalid(
            "You cannot cancel the SetupIntent for a Checkout Session. Expire the Checkout Session instead."
        )
    setups.cancel(tx, doc, params.get("cancellation_reason"))
    return doc
