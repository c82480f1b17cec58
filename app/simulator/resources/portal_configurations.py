"""What customers may do in the billing portal: /v1/billing_portal/configurations."""

from __future__ import annotations

from typing import Any

from app.simulator.errors import invalid
from app.simulator.fields import merged, plain, unset
from app.simulator.listing import lists, retrieves
from app.simulator.registry import Doc, Resource, route
from app.simulator.resources.prices import usable
from app.simulator.transaction import Transaction

configuration = Resource("billing_portal.configuration", "bpc_", label="configuration", index=("is_default",))
retrieves("billing_portal.configuration", "/v1/billing_portal/configurations/{configuration}")
lists("billing_portal.configuration", "/v1/billing_portal/configurations")

MOST_PRODUCTS = 10
REASONS = (
    "too_expensive", "missing_features", "switched_service", "unused", "customer_service", "too_complex", "low_quality",
    "other",
)  # fmt: skip
_OFF: Doc = {
    "customer_update": {"allowed_updates": [], "enabled": False},
    "invoice_history": {"enabled": False},
    "payment_method_update": {"enabled": False, "payment_method_configuration": None},
    "subscription_cancel": {
        "cancellation_reason": {"enabled": False, "feedback_options": None, "options": []}, "enabled": False,
        "mode": "at_period_end", "proration_behavior": "none",
    },
    "subscription_pause": {
        "duration": {"interval_options": [{"interval": "month", "interval_count": 1}], "type": "interval_options"},
        "enabled": False,
    },
    "subscription_update": {
        "billing_cycle_anchor": None, "default_allowed_updates": [], "enabled": False, "proration_behavior": "none",
        "schedule_at_period_end": {"conditions": []}, "trial_update_behavior": "end_trial",
    },
}  # fmt: skip
# What a merchant has who never went through the Dashboard's portal settings.
_ORDINARY: Doc = {
    "customer_update": {"allowed_updates": ["email", "name", "address", "phone"], "enabled": True},
    "invoice_history": {"enabled": True},
    "payment_method_update": {"enabled": True},
    "subscription_cancel": {"enabled": True, "cancellation_reason": {"enabled": True, "options": list(REASONS)}},
}  # fmt: skip


@configuration.include("features.subscription_update.products")
def _products(tx: Transaction, doc: Doc) -> Any:
    return tx.find("billing_portal.configuration", doc["id"])["_products"]


@route("POST", "/v1/billing_portal/configurations")
def create(tx: Transaction, params: Doc) -> Doc:
    """A configuration beside the default one."""
    if "features" not in params:
        raise invalid("Missing required param: features.", "features", "parameter_missing")
    doc = _new(tx, params, is_default=False)
    tx.emit("billing_portal.configuration.created", doc)
    return doc


def _new(tx: Transaction, params: Doc, *, is_default: bool) -> Doc:
    identifier = tx.new_id("bpc_")
    profile = {"headline": None, "privacy_policy_url": None, "terms_of_service_url": None}
    fields: Doc = {
        "active": True, "business_profile": profile | _unset(params.get("business_profile")), "is_default": is_default,
        "default_return_url": unset(params.get("default_return_url", "")), "metadata": plain(params.get("metadata")),
        "name": unset(params.get("name", "")), "updated": tx.now, "login_page": _login(tx, params, identifier),
    }  # fmt: skip
    fields |= _featured(tx, _OFF, [], params["features"])
    return tx.create("billing_portal.configuration", fields, id=identifier)


def default(tx: Transaction) -> Doc:
    """The configuration of sessions that name none, made when it is first needed."""
    held = tx.first("billing_portal.configuration", {"is_default": True})
    return held or _new(tx, {"features": _ORDINARY}, is_default=True)


@route("POST", "/v1/billing_portal/configurations/{configuration}")
def update(tx: Transaction, params: Doc, configuration: str) -> Doc:
    """Change a configuration; the default one stays active."""
    doc = tx.find("billing_portal.configuration", configuration, "configuration", status=404)
    if doc["is_default"] and params.get("active") is False:
        raise invalid("You cannot deactivate the default configuration.", "active")
    changes: Doc = {k: unset(params[k]) for k in ("active", "default_return_url", "name") if k in params}
    changes |= {"metadata": merged(doc, params), "updated": tx.now}
    if "business_profile" in params:
        changes["business_profile"] = doc["business_profile"] | _unset(params["business_profile"])
    if "login_page" in params:
        changes["login_page"] = _login(tx, params, configuration)
    if "features" in params:
        changes |= _featured(tx, doc["features"], doc["_products"], params["features"])
    previous = tx.update(doc, changes)
    tx.emit("billing_portal.configuration.updated", doc, previous)
    return doc


def _unset(given: Any) -> Doc:
    return {k: unset(v) for k, v in (given or {}).items()}


def _login(tx: Transaction, params: Doc, identifier: str) -> Doc:
    enabled = bool((params.get("login_page") or {}).get("enabled"))
    return {"enabled": enabled, "url": f"{tx.base_url}/p/login/{identifier}" if enabled else None}


def _featured(tx: Transaction, held: Doc, products: list[Doc], given: Doc) -> Doc:
    """The features with `given` laid over those there are, and the products that can be changed to."""
    features = {name: _laid(value, given.get(name) or {}) for name, value in held.items()}
    change = dict(features["subscription_update"])
    wanted = change.pop("products", products)
    found = [_product(tx, x, i) for i, x in enumerate(wanted or [])]
    if change["enabled"] and not (found and change["default_allowed_updates"]):
        lacking = "default_allowed_updates" if found else "products"
        where = f"features[subscription_update][{lacking}]"
        raise invalid(f"You must provide `{where}` to enable subscription updates.", where)
    if len(found) > MOST_PRODUCTS:
        raise invalid(
            f"You can provide at most {MOST_PRODUCTS} products.", "features[subscription_update][products]"
        )
    return {"features": features | {"subscription_update": change}, "_products": found}


def _laid(held: Doc, given: Doc) -> Doc:
    out = dict(held)
    for key, value in given.items():
        nested = isinstance(value, dict) and isinstance(held.get(key), dict)
        empty: Any = [] if isinstance(held.get(key), list) or key == "products" else None
        out[key] = _laid(held[key], value) if nested else empty if value == "" else value
    for option in out.get("interval_options") or []:
        option.setdefault("interval_count", 1)
    return out


def _product(tx: Transaction, given: Doc, index: int) -> Doc:
    where = f"features[subscription_update][products][{index}]"
    tx.find("product", given["product"], f"{where}[product]")
    for i, name in enumerate(given["prices"]):
        price = usable(tx, name, f"{where}[prices][{i}]")
        if price["product"] != given["product"] or not price["recurring"]:
            raise invalid(
                f"The price {name} is not a recurring price of the product {given['product']}.",
                f"{where}[prices][{i}]",
            )
    wish = given.get("adjustable_quantity") or {}
    quantity = {
        "enabled": bool(wish.get("enabled")),
        "maximum": wish.get("maximum"),
        "minimum": wish.get("minimum", 1),
    }
    return {"adjustable_quantity": quantity, "prices": list(given["prices"]), "product": given["product"]}
