"""Refunds: /v1/refunds."""

from __future__ import annotations

from app.simulator.engines import refunds as engine
from app.simulator.errors import invalid
from app.simulator.fields import merged, plain
from app.simulator.listing import lists, retrieves
from app.simulator.registry import Doc, Resource, route
from app.simulator.transaction import Transaction

refund = Resource(
    "refund",
    "re_",
    index=("charge", "payment_intent"),
    absent=frozenset(
        {"description", "failure_balance_transaction", "failure_reason", "instructions_email", "next_action",
         "presentment_details"}
    ),
)  # fmt: skip
retrieves("refund", "/v1/refunds/{refund}")
lists("refund", "/v1/refunds")


@route("POST", "/v1/refunds")
def create(tx: Transaction, params: Doc) -> Doc:
    """Give money back, the whole rest unless an amount is named."""
    if "charge" in params:
        charge = tx.find("charge", params["charge"], "charge")
    elif "payment_intent" in params:
        intent = tx.find("payment_intent", params["payment_intent"], "payment_intent")
        if intent["latest_charge"] is None or intent["status"] not in ("succeeded", "requires_capture"):
            raise invalid(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                "payment_intent",
            )
        charge = tx.find("charge", intent["latest_charge"])
    else:
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or charge."
        )
    return engine.request(
        tx, charge, params.get("amount"), params.get("reason"), plain(params.get("metadata"))
    )


@route("POST", "/v1/refunds/{refund}")
def update(tx: Transaction, params: Doc, refund: str) -> Doc:
    """Change metadata."""
    doc = tx.find("refund", refund)
    previous = tx.update(doc, metadata=merged(doc, params))
    tx.emit("refund.updated", doc, previous)
    tx.emit("charge.refund.updated", doc, previous)
    return doc


@route("POST", "/v1/refunds/{refund}/cancel")
def cancel(tx: Transaction, params: Doc, refund: str) -> Doc:
    """Call back a refund that waits for the customer; card refunds never do."""
    doc = tx.find("refund", refund)
    if doc["status"] != "requires_action":
        raise invalid("You can only cancel refunds in the requires_action state.")
    return engine.fail(tx, doc, "canceled", "merchant_request")
