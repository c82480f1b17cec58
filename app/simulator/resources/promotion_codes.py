"""Promotion codes: /v1/promotion_codes."""

from __future__ import annotations

from app.simulator.errors import invalid
from app.simulator.fields import merged, plain
from app.simulator.listing import lists, retrieves
from app.simulator.registry import Doc, Resource, route
from app.simulator.transaction import Transaction

promotion_code = Resource(
    "promotion_code", "promo_", label="promotion code", index=("code", "customer", "active")
)
retrieves("promotion_code", "/v1/promotion_codes/{promotion_code}")
lists(
    "promotion_code",
    "/v1/promotion_codes",
    code=lambda doc, wanted: doc["code"].lower() == wanted.lower(),
    coupon=lambda doc, wanted: doc["promotion"]["coupon"] == wanted,
)


@route("POST", "/v1/promotion_codes")
def create(tx: Transaction, params: Doc) -> Doc:
    """A code that customers can type, for a coupon."""
    promotion = params["promotion"]
    if "coupon" not in promotion:
        raise invalid("Missing required param: promotion[coupon].", "promotion[coupon]", "parameter_missing")
    tx.find("coupon", promotion["coupon"], "promotion[coupon]")
    code = params.get("code") or tx.new_id("", 8).upper()
    if any(d["code"].lower() == code.lower() for d in tx.scan("promotion_code", {"active": True})):
        raise invalid(f"An active promotion code with `code: {code}` already exists.", "code")
    if params.get("customer"):
        tx.find("customer", params["customer"], "customer")
    given = params.get("restrictions", {})
    doc = tx.create(
        "promotion_code",
        {
            "active": params.get("active", True), "code": code, "customer": params.get("customer"),
            "expires_at": params.get("expires_at"), "max_redemptions": params.get("max_redemptions"),
            "metadata": plain(params.get("metadata")),
            "promotion": {"coupon": promotion["coupon"], "type": "coupon"},
            "restrictions": {
                "first_time_transaction": given.get("first_time_transaction", False),
                "minimum_amount": given.get("minimum_amount"),
                "minimum_amount_currency": given.get("minimum_amount_currency"),
            },
            "times_redeemed": 0,
        },
    )  # fmt: skip
    tx.emit("promotion_code.created", doc)
    return doc


@route("POST", "/v1/promotion_codes/{promotion_code}")
def update(tx: Transaction, params: Doc, promotion_code: str) -> Doc:
    """Switch a code on or off, or change its metadata."""
    doc = tx.find("promotion_code", promotion_code)
    changes: Doc = {"metadata": merged(doc, params)}
    if "active" in params:
        changes["active"] = params["active"]
    tx.emit("promotion_code.updated", doc, tx.update(doc, changes))
    return doc
