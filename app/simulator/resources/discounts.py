"""Discounts: no path of their own but the two that take one away."""

from __future__ import annotations

from app.simulator.engines import discounts as engine
from app.simulator.errors import missing
from app.simulator.registry import Doc, Resource, route
from app.simulator.transaction import Transaction

discount = Resource("discount", "di_", index=("customer", "subscription"))


@route("DELETE", "/v1/customers/{customer}/discount")
def of_customer(tx: Transaction, params: Doc, customer: str) -> Doc:
    """Take a customer's discount away."""
    held = tx.find("customer", customer)["discount"]
    if not held:
        raise missing("discount", customer, "customer")
    return _dropped(tx, held["id"])


@route("DELETE", "/v1/subscriptions/{subscription_exposed_id}/discount")
def of_subscription(tx: Transaction, params: Doc, subscription_exposed_id: str) -> Doc:
    """Take a subscription's discount away."""
    held = tx.find("subscription", subscription_exposed_id)["discounts"]
    if not held:
        raise missing("discount", subscription_exposed_id, "subscription_exposed_id")
    return _dropped(tx, held[0])


def _dropped(tx: Transaction, identifier: str) -> Doc:
    doc = tx.find("discount", identifier)
    engine.drop(tx, doc)
    return doc | {"deleted": True}
