"""Charges: /v1/charges. Payments make them; here they are read, noted on and captured."""

from __future__ import annotations

from app.simulator.engines import payments
from app.simulator.errors import invalid
from app.simulator.fields import merged, unset
from app.simulator.listing import list_of, lists, page, retrieves
from app.simulator.registry import Doc, Resource, route
from app.simulator.transaction import Transaction

charge = Resource(
    "charge",
    "ch_",
    index=("payment_intent", "customer", "transfer_group"),
    absent=frozenset(
        {"authorization_code", "level3", "presentment_details", "radar_options", "transfer", "refunds"}
    ),
)
retrieves("charge", "/v1/charges/{charge}")
lists("charge", "/v1/charges")


@charge.include("refunds")
def _refunds(tx: Transaction, doc: Doc) -> Doc:
    found = list(tx.scan("refund", {"charge": doc["id"]}))
    return list_of(found[:10], f"/v1/charges/{doc['id']}/refunds", len(found) > 10)


@route(
    "GET",
    "/v1/charges/{charge}/refunds",
    {"limit": int, "starting_after": str, "ending_before": str, "expand": list[str]},
)
def refunds(tx: Transaction, params: Doc, charge: str) -> Doc:
    """The refunds of a charge."""
    tx.find("charge", charge)
    return page(tx, "refund", params, f"/v1/charges/{charge}/refunds", where={"charge": charge})


@route("POST", "/v1/charges/{charge}")
def update(tx: Transaction, params: Doc, charge: str) -> Doc:
    """Note on a charge."""
    doc = tx.find("charge", charge)
    changes: Doc = {
        k: unset(params[k])
        for k in ("description", "receipt_email", "shipping", "transfer_group")
        if k in params
    }
    if "fraud_details" in params:
        changes["fraud_details"] = (
            {k: v for k, v in params["fraud_details"].items() if v} if params["fraud_details"] else {}
        )
    previous = tx.update(doc, changes | {"metadata": merged(doc, params)})
    tx.emit("charge.updated", doc, previous)
    return doc


@route("POST", "/v1/charges/{charge}/capture")
def capture(tx: Transaction, params: Doc, charge: str) -> Doc:
    """Take the money an authorization holds."""
    doc = tx.find("charge", charge)
    if doc["captured"]:
        raise invalid(f"Charge {charge} has already been captured.", code="charge_already_captured")
    payments.capture(tx, tx.find("payment_intent", doc["payment_intent"]), params.get("amount"))
    return doc
