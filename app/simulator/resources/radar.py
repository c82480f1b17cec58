"""Early fraud warnings and reviews: /v1/radar/early_fraud_warnings, /v1/reviews."""

from __future__ import annotations

from app.simulator.engines import radar
from app.simulator.errors import invalid
from app.simulator.listing import lists, retrieves
from app.simulator.registry import Doc, Resource, route
from app.simulator.transaction import Transaction

Resource(
    "radar.early_fraud_warning", "issfr_", label="early fraud warning", index=("charge", "payment_intent")
)
Resource("review", "prv_", index=("charge",))
retrieves("radar.early_fraud_warning", "/v1/radar/early_fraud_warnings/{early_fraud_warning}")
lists("radar.early_fraud_warning", "/v1/radar/early_fraud_warnings")
retrieves("review", "/v1/reviews/{review}")
lists("review", "/v1/reviews")


@route("POST", "/v1/reviews/{review}/approve")
def approve(tx: Transaction, params: Doc, review: str) -> Doc:
    """Approve the payment; a closed review cannot be approved again."""
    doc = tx.find("review", review)
    if not doc["open"]:
        raise invalid("This review has already been closed.")
    radar.close(tx, doc, "approved")
    return doc
