"""The items of a subscription: what each costs, what its line says, and keeping them in the subscription."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from typing import Any

from app.money import Money, format_money
from app.simulator.engines import totals
from app.simulator.errors import invalid
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction, shown

MOST = 20


def new(tx: Transaction, subscription: str, spec: Doc, period: tuple[int, int]) -> Doc:
    """A new item as the subscription holds it. `spec`: price (document), quantity, metadata, tax_rates, discounts."""
    identifier = tx.new_id("si_")
    doc = tx.create(
        "subscription_item",
        {
            "subscription": subscription, "metadata": spec.get("metadata") or {}, "discounts": spec.get("discounts") or [],
            "tax_rates": spec.get("tax_rates") or [], "current_period_start": period[0], "current_period_end": period[1],
        }
        | priced(spec["price"], spec.get("quantity")),
        id=identifier,
    )  # fmt: skip
    for discount in doc["discounts"]:
        tx.update(tx.find("discount", discount), subscription=subscription, subscription_item=identifier)
    return shown(doc)


def priced(price: Doc, quantity: int | None) -> Doc:
    """The fields of an item that follow from its price and quantity."""
    metered = price["recurring"]["usage_type"] == "metered"
    held: Doc = {"price": shown(price), "plan": plan(price)}
    return held if metered else held | {"quantity": 1 if quantity is None else quantity}


def plan(price: Doc) -> Doc:
    """A recurring price in the shape plans had before prices."""
    same = (
        "active",
        "billing_scheme",
        "created",
        "currency",
        "livemode",
        "metadata",
        "nickname",
        "product",
        "tiers_mode",
    )
    recurring = price["recurring"]
    return {
        "id": price["id"], "object": "plan", "amount": price["unit_amount"], "amount_decimal": price["unit_amount_decimal"],
        "interval": recurring["interval"], "interval_count": recurring["interval_count"], "meter": recurring["meter"],
        "transform_usage": price["transform_quantity"], "trial_period_days": recurring["trial_period_days"],
        "usage_type": recurring["usage_type"],
    } | {k: price[k] for k in same}  # fmt: skip


def held(items: list[Doc], subscription: str) -> Doc:
    """The items as the list a subscription shows."""
    url = f"/v1/subscription_items?subscription={subscription}"
    return {"object": "list", "data": items, "has_more": False, "total_count": len(items), "url": url}


def recurring(items: list[Doc]) -> Doc:
    """The interval all items share."""
    found: Doc = items[0]["price"]["recurring"]
    return found


def interval(items: list[Doc]) -> tuple[str, int]:
    """The interval and its count."""
    found = recurring(items)
    return found["interval"], found["interval_count"]


def check(items: list[Doc], currency: str | None) -> str:
    """Refuse items that cannot live in one subscription; returns the currency they share."""
    if len(items) > MOST:
        raise invalid(f"A subscription can have up to {MOST} items.", "items")
    seen: set[str] = set()
    for i, item in enumerate(items):
        price = item["price"]
        if price["recurring"] is None:
            raise invalid(
                "The price specified is set to `type=one_time` but this field only accepts prices with "
                "`type=recurring`.", f"items[{i}][price]",
            )  # fmt: skip
        if price["id"] in seen:
            raise invalid(
                f"Cannot add multiple subscription items with the same plan: `{price['id']}`",
                f"items[{i}][price]",
            )
        seen.add(price["id"])
        currency = currency or price["currency"]
        if currency != price["currency"] and currency not in (price.get("_currency_options") or {}):
            raise invalid(
                f"The price specified only supports `{price['currency']}`. This doesn't match the expected currency: "
                f"`{currency}`.", f"items[{i}][price]",
            )  # fmt: skip
        if interval([item]) != interval(items):
            raise invalid(
                "Currently, all prices on a subscription must have the same `recurring.interval` and "
                "`recurring.interval_count`. If you meant to update an existing subscription item instead of creating "
                "a new one, make sure to include the subscription item ID in your request.", f"items[{i}][price]",
            )  # fmt: skip
    return str(currency)


def sold_in(items: list[Doc], currency: str | None) -> str | None:
    """The currency, if all items can be had in it."""
    prices = [item["price"] for item in items]
    return (
        currency
        if all(currency in (p["currency"], *(p.get("_currency_options") or {})) for p in prices)
        else None
    )


# --------------------------------------------------------------------------------------------- money


def cost(tx: Transaction, item: Doc, currency: str) -> int:
    """What one whole period of an item costs before discounts and tax."""
    price = tx.get("price", item["price"]["id"]) or item["price"]
    quantity = item.get("quantity")
    if quantity is None:
        return 0
    if currency != price["currency"]:
        price = price | ((price.get("_currency_options") or {}).get(currency) or {})
    if price["billing_scheme"] == "tiered":
        return _tiered(price, quantity)
    return totals.unit_total(price, _bundled(price["transform_quantity"], quantity))


def _bundled(transform: Doc | None, quantity: int) -> int:
    if not transform:
        return quantity
    way = ROUND_UP if transform["round"] == "up" else ROUND_DOWN
    return int((Decimal(quantity) / transform["divide_by"]).quantize(Decimal(1), way))


def _tiered(price: Doc, quantity: int) -> int:
    tiers: list[Doc] = price.get("_tiers") or []
    exact, below = Decimal(0), 0
    for tier in tiers:
        top = tier["up_to"] if tier["up_to"] is not None else max(quantity, below)
        within = min(quantity, top) - below
        if price["tiers_mode"] == "volume":
            if quantity <= top:
                return _rounded(_tier(tier, quantity))
        elif within > 0 or (quantity == 0 and below == 0):
            exact += _tier(tier, max(within, 0))
        below = top
    return _rounded(exact)


def _tier(tier: Doc, quantity: int) -> Decimal:
    return Decimal(tier["unit_amount_decimal"] or 0) * quantity + Decimal(tier["flat_amount_decimal"] or 0)


def _rounded(exact: Decimal) -> int:
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))


# --------------------------------------------------------------------------------------------- lines


def named(tx: Transaction, item: Doc) -> str:
    """The name of what an item sells."""
    product = tx.get("product", item["price"]["product"]) or {}
    return str(product.get("name") or item["price"]["nickname"] or item["price"]["id"])


def described(tx: Transaction, item: Doc, currency: str) -> str:
    """What the line of a whole period says: `2 × Pro (at $20.00 / month)`."""
    name, price, count = named(tx, item), item["price"], item["price"]["recurring"]["interval_count"]
    every = price["recurring"]["interval"]
    every = every if count == 1 else f"every {count} {every}s"
    if price["unit_amount"] is None or currency != price["currency"]:
        return f"{item.get('quantity', 0)} × {name}"
    rate = format_money(Money(price["unit_amount"], currency))
    return f"{item.get('quantity', 0)} × {name} (at {rate} / {every})"


def line(
    tx: Transaction, subscription: Doc, item: Doc, amount: int, period: tuple[int, int], **more: Any
) -> Doc:
    """A line of an invoice for this item."""
    return {
        "amount": amount, "quantity": item.get("quantity"), "price": item["price"], "period": period,
        "subscription": subscription["id"], "subscription_item": item["id"], "discounts": item["discounts"],
        "tax_rates": [rate["id"] for rate in item["tax_rates"]],
        "description": described(tx, item, subscription["currency"]),
    } | more  # fmt: skip
