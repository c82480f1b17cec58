"""/v1/payment_pages: the private path Stripe's own scripts pay a Checkout Session through."""

from __future__ import annotations

from app.simulator.engines import checkout
from app.simulator.engines.methods import resolved
from app.simulator.errors import invalid
from app.simulator.registry import Doc, route
from app.simulator.transaction import Transaction


@route("GET", "/v1/payment_pages/{session}", {"key": str, "eid": str, "expand": list[str]})
def retrieve(tx: Transaction, params: Doc, session: str) -> Doc:
    """The session behind the page."""
    return tx.find("checkout.session", session)


@route(
    "POST",
    "/v1/payment_pages/{session}/confirm",
    {"payment_method": str, "expected_amount": int, "expected_payment_method_type": str, "return_url": str, "key": str,
     "eid": str, "expand": list[str]},
)  # fmt: skip
def confirm(tx: Transaction, params: Doc, session: str) -> Doc:
    """Press the page's button."""
    doc = tx.find("checkout.session", session)
    if "expected_amount" in params and params["expected_amount"] != (doc["amount_total"] or 0):
        raise invalid("The amount has changed since the page was shown.", "expected_amount")
    method = resolved(tx, params["payment_method"]) if "payment_method" in params else None
    error = checkout.pay(tx, doc, method, method["billing_details"] if method else {})
    if error is not None:
        raise error
    return doc
