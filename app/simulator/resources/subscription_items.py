"""Subscription items: /v1/subscription_items. They live in their subscription; here is only the way in."""

from __future__ import annotations

from app.simulator.engines import discounts, subscription_changes
from app.simulator.errors import invalid, missing
from app.simulator.fields import merged, plain
from app.simulator.listing import sliced
from app.simulator.registry import Doc, Resource, route
from app.simulator.resources.prices import new_price, usable
from app.simulator.transaction import Transaction

subscription_item = Resource(
    "subscription_item", "si_", label="subscription_item", index=("subscription",),
    absent=frozenset({"current_trial", "quantity"}),
)  # fmt: skip
MOST = 999_999_999
_BILLING = ("payment_behavior", "proration_behavior", "proration_date", "off_session")


def spec(tx: Transaction, given: Doc, param: str, *, customer: str, held: Doc | None = None) -> Doc:
    """One item of a request as the engines take it: prices and tax rates as documents, discounts by id.
    `held` is the item it changes."""
    out: Doc = {k: given[k] for k in ("id", "deleted") if k in given}
    if given.get("deleted"):
        return out
    price = _price(tx, given, param)
    if price is not None:
        out["price"] = price
    if "quantity" in given:
        out["quantity"] = counted(given["quantity"], param)
    if "metadata" in given:
        out["metadata"] = merged(held, given) if held else plain(given["metadata"] or None)
    if "tax_rates" in given:
        out["tax_rates"] = rates(tx, given["tax_rates"], f"{param}[tax_rates]")
    if "discounts" in given:
        currency = (price or (held or {}).get("price") or {}).get("currency", "usd")
        out["discounts"] = discounts.grant(tx, given["discounts"], currency=currency, customer=customer)
    return out


def counted(quantity: int, param: str) -> int:
    """A quantity, if it can be one."""
    if not 0 <= quantity <= MOST:
        bound = "greater than or equal to 0" if quantity < 0 else f"less than or equal to {MOST}"
        where = f"{param}[quantity]" if param else "quantity"
        raise invalid(f"This value must be {bound}.", where, "parameter_invalid_integer")
    return quantity


def rates(tx: Transaction, given: list[str] | str, param: str) -> list[Doc]:
    """Tax rates by id."""
    return [tx.find("tax_rate", rate, param) for rate in given or []]


def _price(tx: Transaction, given: Doc, param: str) -> Doc | None:
    if "price_data" in given:
        tx.find("product", given["price_data"]["product"], f"{param}[price_data][product]")
        return new_price(tx, given["price_data"], inline=True)
    name = given.get("price") or given.get("plan")
    return usable(tx, name, f"{param}[price]" if param else "price") if name else None


def _owner(tx: Transaction, identifier: str) -> tuple[Doc, Doc]:
    """The subscription that holds an item, and the item."""
    row = tx.get("subscription_item", identifier)
    sub = tx.get("subscription", row["subscription"]) if row and not row.get("deleted") else None
    items = sub["items"]["data"] if sub and not sub.get("deleted") else []
    item = next((x for x in items if x["id"] == identifier), None)
    if sub is None or item is None:
        raise missing("subscription_item", identifier, "id")
    return sub, item


@route("GET", "/v1/subscription_items/{item}")
def retrieve(tx: Transaction, params: Doc, item: str) -> Doc:
    """One item."""
    return _owner(tx, item)[1]


@route("GET", "/v1/subscription_items")
def listed(tx: Transaction, params: Doc) -> Doc:
    """The items of a subscription."""
    sub = tx.find("subscription", params["subscription"], "subscription")
    return sliced(sub["items"]["data"], params, "/v1/subscription_items")


@route("POST", "/v1/subscription_items")
def create(tx: Transaction, params: Doc) -> Doc:
    """Add an item to a subscription."""
    sub = changeable(tx.find("subscription", params["subscription"], "subscription"))
    wanted = spec(tx, {k: v for k, v in params.items() if k != "subscription"}, "", customer=sub["customer"])
    if "price" not in wanted:
        raise invalid("Missing required param: price.", "price", "parameter_missing")
    known = {x["id"] for x in sub["items"]["data"]}
    subscription_changes.change(tx, sub, [wanted], _terms(params), {})
    added = [x for x in sub["items"]["data"] if x["id"] not in known]
    waiting = (sub["pending_update"] or {}).get("subscription_items") or []
    found: Doc = (added or [x for x in waiting if x["id"] not in known])[-1]
    return found


@route("POST", "/v1/subscription_items/{item}")
def update(tx: Transaction, params: Doc, item: str) -> Doc:
    """Change an item."""
    sub, held = _owner(tx, item)
    wanted = spec(tx, params | {"id": item}, "", customer=changeable(sub)["customer"], held=held)
    subscription_changes.change(tx, sub, [wanted], _terms(params), {})
    return _owner(tx, item)[1]


@route("DELETE", "/v1/subscription_items/{item}")
def delete(tx: Transaction, params: Doc, item: str) -> Doc:
    """Take an item out of its subscription."""
    sub, _ = _owner(tx, item)
    subscription_changes.change(tx, changeable(sub), [{"id": item, "deleted": True}], _terms(params), {})
    return {"id": item, "object": "subscription_item", "deleted": True}


def _terms(params: Doc) -> Doc:
    return {k: params[k] for k in _BILLING if k in params}


def changeable(sub: Doc) -> Doc:
    """The subscription, if its items may still be changed."""
    if sub["status"] in ("canceled", "incomplete_expired"):
        raise invalid(
            "A canceled subscription can only update its cancellation_details and metadata.",
            code="invalid_canceled_subscription_fields",
        )
    if sub["status"] == "incomplete":
        raise invalid("You cannot change the items of a subscription in `incomplete` status.", "items")
    return sub
