"""Prices: /v1/prices. All but activity, names and metadata of a price is fixed once it exists."""

from __future__ import annotations

import re
from decimal import Decimal

from app.simulator.engines import periods
from app.simulator.errors import invalid, missing
from app.simulator.fields import merged, plain, unset
from app.simulator.listing import lists, retrieves
from app.simulator.registry import Doc, Resource, route
from app.simulator.transaction import Transaction

price = Resource(
    "price",
    "price_",
    index=("product", "lookup_key", "active"),
    absent=frozenset({"currency_options", "tiers"}),
)
price.include("tiers")(lambda tx, doc: doc.get("_tiers"))
price.include("currency_options")(lambda tx, doc: doc.get("_currency_options"))
retrieves("price", "/v1/prices/{price}")
lists(
    "price",
    "/v1/prices",
    lookup_keys=lambda doc, wanted: doc["lookup_key"] in wanted,
    recurring=lambda doc, wanted: (
        doc["recurring"] and all(doc["recurring"].get(k) == v for k, v in wanted.items())
    ),
)


@route("POST", "/v1/prices")
def create(tx: Transaction, params: Doc) -> Doc:
    """A price of a product, which `product_data` may create with it."""
    if "product_data" in params:
        data = params["product_data"]
        made = tx.create(
            "product",
            {"active": True, "images": [], "marketing_features": [], "type": "service", "updated": tx.now,
             "name": data["name"], "metadata": plain(data.get("metadata")),
             "statement_descriptor": data.get("statement_descriptor"), "tax_code": data.get("tax_code"),
             "unit_label": data.get("unit_label")},
            id=data.get("id"),
        )  # fmt: skip
        tx.emit("product.created", made)
        params = params | {"product": made["id"]}
    elif "product" not in params:
        raise invalid("Missing required param: product.", "product", "parameter_missing")
    doc = new_price(tx, params)
    tx.emit("price.created", doc)
    return doc


def new_price(tx: Transaction, params: Doc, *, inline: bool = False) -> Doc:
    """Store a price; `inline` ones, made by a basket, are inactive as Stripe's are."""
    tx.find("product", params["product"], "product")
    amount, decimal = _amounts(params)
    recurring = params.get("recurring")
    tiers = params.get("tiers")
    key = params.get("lookup_key")
    if key:
        _take_key(tx, key, bool(params.get("transfer_lookup_key")))
    fields: Doc = {
        "active": params.get("active", not inline), "billing_scheme": params.get("billing_scheme", "per_unit"),
        "currency": currency_of(params["currency"]), "product": params["product"], "lookup_key": key,
        "custom_unit_amount": _custom(params.get("custom_unit_amount")),
        "metadata": plain(params.get("metadata")), "nickname": params.get("nickname"), "recurring": _recurring(recurring),
        "tax_behavior": params.get("tax_behavior", "unspecified"), "tiers_mode": params.get("tiers_mode"),
        "transform_quantity": params.get("transform_quantity"), "type": "recurring" if recurring else "one_time",
        "unit_amount": amount, "unit_amount_decimal": decimal,
    }  # fmt: skip
    if tiers:
        fields["_tiers"] = [_tier(t) for t in tiers]
    if params.get("currency_options"):
        fields["_currency_options"] = {c: _option(o) for c, o in params["currency_options"].items()}
    return tx.create("price", fields)


def currency_of(value: str) -> str:
    """A currency code in lower case; raises 400 for what is none."""
    code = value.lower()
    if not re.fullmatch(r"[a-z]{3}", code):
        raise invalid(
            f"Invalid currency: {value}. Stripe currently supports these currencies: usd, eur, gbp, jpy, …",
            "currency",
        )
    return code


def _amounts(params: Doc) -> tuple[int | None, str | None]:
    amount, decimal = params.get("unit_amount"), params.get("unit_amount_decimal")
    if amount is not None and decimal is not None:
        raise invalid("You may only specify one of these parameters: unit_amount, unit_amount_decimal.")
    if params.get("billing_scheme") == "tiered" or params.get("custom_unit_amount"):
        return None, None
    if amount is None and decimal is None:
        raise invalid(
            "Prices require an `unit_amount` or `unit_amount_decimal` parameter to be set.", "unit_amount"
        )
    exact = Decimal(amount or 0) if decimal is None else decimal
    if exact < 0:
        raise invalid(
            "This value must be greater than or equal to 0.", "unit_amount", "parameter_invalid_integer"
        )
    whole = exact == exact.to_integral_value()
    text = format(exact.normalize(), "f")
    return (int(exact) if whole else None), text


def _recurring(given: Doc | None) -> Doc | None:
    if not given:
        return None
    if periods.too_long(given):
        raise invalid(
            "Invalid recurring interval: the period must be between one day and three years.",
            "recurring[interval_count]",
        )
    return {
        "interval": given["interval"], "interval_count": given.get("interval_count", 1), "meter": given.get("meter"),
        "trial_period_days": given.get("trial_period_days"), "usage_type": given.get("usage_type", "licensed"),
    }  # fmt: skip


def _tier(given: Doc) -> Doc:
    def decimal(key: str) -> str | None:
        value = given.get(f"{key}_decimal", given.get(key))
        return None if value is None else str(value)

    return {
        "flat_amount": given.get("flat_amount"), "flat_amount_decimal": decimal("flat_amount"),
        "unit_amount": given.get("unit_amount"), "unit_amount_decimal": decimal("unit_amount"),
        "up_to": None if given["up_to"] == "inf" else given["up_to"],
    }  # fmt: skip


def _option(given: Doc) -> Doc:
    amount, decimal = _amounts(given)
    return {
        "custom_unit_amount": _custom(given.get("custom_unit_amount")), "tax_behavior": given.get("tax_behavior", "unspecified"),
        "unit_amount": amount, "unit_amount_decimal": decimal,
    }  # fmt: skip


def _custom(given: Doc | None) -> Doc | None:
    """An amount that the customer names."""
    if not given or not given.get("enabled"):
        return None
    return {k: given.get(k) for k in ("maximum", "minimum", "preset")}


def _take_key(tx: Transaction, key: str, transfer: bool, to: str | None = None) -> None:
    holder = tx.first("price", {"lookup_key": key, "active": True})
    if holder is None or holder["id"] == to:
        return
    if not transfer:
        raise invalid(
            f"A price (`{holder['id']}`) already uses that lookup key.",
            "lookup_key",
            "resource_already_exists",
        )
    previous = tx.update(holder, lookup_key=None)
    tx.emit("price.updated", holder, previous)


@route("POST", "/v1/prices/{price}")
def update(tx: Transaction, params: Doc, price: str) -> Doc:
    """Change what may change."""
    doc = tx.find("price", price, status=404)
    if params.get("lookup_key"):
        _take_key(tx, params["lookup_key"], bool(params.get("transfer_lookup_key")), doc["id"])
    changes = {
        k: unset(params[k]) for k in ("active", "nickname", "lookup_key", "tax_behavior") if k in params
    }
    if params.get("active") is False and tx.first("product", {"default_price": price}):
        raise invalid(
            "This price cannot be archived because it is the default price of its product.", "active"
        )
    previous = tx.update(doc, changes | {"metadata": merged(doc, params)})
    tx.emit("price.updated", doc, previous)
    return doc


def usable(tx: Transaction, identifier: str, param: str) -> Doc:
    """A price that may be sold; refuses unknown and archived ones in Stripe's words."""
    doc = tx.get("price", identifier)
    if doc is None:
        raise missing("price", identifier, param, 400)
    if not doc["active"]:
        raise invalid("The price specified is inactive. This field only accepts active prices.", param)
    return doc
