"""Coupons: /v1/coupons."""

from __future__ import annotations

from app.simulator.errors import invalid
from app.simulator.fields import merged, number, plain, unset
from app.simulator.listing import lists, retrieves
from app.simulator.registry import Doc, Resource, route
from app.simulator.resources.prices import currency_of
from app.simulator.transaction import Transaction

coupon = Resource("coupon", "", absent=frozenset({"applies_to", "currency_options"}))
coupon.include("applies_to")(lambda tx, doc: doc.get("_applies_to"))
coupon.include("currency_options")(lambda tx, doc: doc.get("_currency_options"))
retrieves("coupon", "/v1/coupons/{coupon}")
lists("coupon", "/v1/coupons")


@route("POST", "/v1/coupons")
def create(tx: Transaction, params: Doc) -> Doc:
    """A coupon worth a percentage or an amount."""
    percent_off, amount_off = params.get("percent_off"), unset(params.get("amount_off", ""))
    percent_off = None if percent_off in ("", None) else percent_off
    if (percent_off is None) == (amount_off is None):
        raise invalid("You must pass either percent_off or amount_off, and not both.", "percent_off")
    if percent_off is not None and not 0 < percent_off <= 100:
        raise invalid("Invalid percent_off: must be greater than 0 and at most 100", "percent_off")
    if amount_off is not None and "currency" not in params:
        raise invalid("You must pass currency when passing amount_off", "currency")
    duration = params.get("duration", "once")
    if (duration == "repeating") != (params.get("duration_in_months") is not None):
        raise invalid(
            "duration_in_months is required with duration repeating, and only with it.", "duration_in_months"
        )
    fields: Doc = {
        "amount_off": amount_off, "currency": currency_of(params["currency"]) if amount_off is not None else None,
        "duration": duration, "duration_in_months": params.get("duration_in_months"),
        "max_redemptions": params.get("max_redemptions"), "metadata": plain(params.get("metadata")),
        "name": params.get("name"), "percent_off": number(percent_off) if percent_off is not None else None,
        "redeem_by": params.get("redeem_by"), "times_redeemed": 0, "valid": True,
    }  # fmt: skip
    if params.get("applies_to"):
        fields["_applies_to"] = {"products": params["applies_to"].get("products", [])}
    if params.get("currency_options"):
        fields["_currency_options"] = params["currency_options"]
    doc = tx.create("coupon", fields, id=params.get("id") or tx.new_id("", 8))
    tx.emit("coupon.created", doc)
    return doc


@route("POST", "/v1/coupons/{coupon}")
def update(tx: Transaction, params: Doc, coupon: str) -> Doc:
    """Change name and metadata."""
    doc = tx.find("coupon", coupon)
    changes: Doc = {"metadata": merged(doc, params)}
    if "name" in params:
        changes["name"] = params["name"]
    if params.get("currency_options"):
        changes["_currency_options"] = (doc.get("_currency_options") or {}) | params["currency_options"]
    tx.emit("coupon.updated", doc, tx.update(doc, changes))
    return doc


@route("DELETE", "/v1/coupons/{coupon}")
def delete(tx: Transaction, params: Doc, coupon: str) -> Doc:
    """Delete a coupon; discounts already given stay."""
    doc = tx.find("coupon", coupon)
    tx.emit("coupon.deleted", doc)
    return tx.delete(doc)
