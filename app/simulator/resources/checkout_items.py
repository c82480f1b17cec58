"""The line items of a Checkout Session, as a request gives them."""

from __future__ import annotations

from app.simulator.errors import invalid
from app.simulator.fields import plain
from app.simulator.registry import Doc
from app.simulator.resources.prices import currency_of, new_price, usable
from app.simulator.transaction import Transaction, shown


def item(tx: Transaction, given: Doc, where: str, mode: str, params: Doc) -> Doc:
    """A line as a session keeps it, not yet reckoned."""
    if "price" in given:
        price = usable(tx, given["price"], f"{where}[price]")
    elif "price_data" in given:
        price = _inline(tx, given["price_data"], where)
    else:
        raise invalid(f"Missing required param: {where}[price].", f"{where}[price]", "parameter_missing")
    if mode == "payment" and price["recurring"]:
        raise invalid(
            "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only "
            "one-time prices.",
            "line_items",
        )
    quantity = given.get("quantity", 1 if (price["recurring"] or {}).get("usage_type") == "metered" else None)
    if quantity is None:
        raise invalid(
            f"Missing required param: {where}[quantity].", f"{where}[quantity]", "parameter_missing"
        )
    if quantity < 1:
        raise invalid(
            "This value must be greater than or equal to 1.",
            f"{where}[quantity]",
            "parameter_invalid_integer",
        )
    wanted = params.get("currency")
    product = tx.find("product", price["product"])
    rates = given.get("tax_rates") or []
    for i, rate in enumerate(rates):
        tx.find("tax_rate", rate, f"{where}[tax_rates][{i}]")
    return {
        "id": tx.new_id("li_"), "object": "item", "adjustable_quantity": _adjustable(given), "amount_discount": 0,
        "amount_subtotal": 0, "amount_tax": 0, "amount_total": 0, "currency": wanted or price["currency"],
        "description": product["name"], "discounts": [], "metadata": plain(given.get("metadata")),
        "price": in_currency(price, wanted), "quantity": quantity, "taxes": [], "_rates": list(rates),
    }  # fmt: skip


def in_currency(price: Doc, currency: str | None) -> Doc:
    """The price as it is in one of its other currencies."""
    if currency is None or currency == price["currency"]:
        return shown(price)
    option = (price.get("_currency_options") or {}).get(currency)
    if option is None:
        raise invalid(f"The price {price['id']} is not available in {currency}.", "currency")
    return (
        shown(price) | {"currency": currency} | {k: option[k] for k in ("unit_amount", "unit_amount_decimal")}
    )


def _adjustable(given: Doc) -> Doc | None:
    wish = given.get("adjustable_quantity")
    if not wish:
        return None
    return {"enabled": wish["enabled"], "maximum": wish.get("maximum", 99), "minimum": wish.get("minimum", 0)}


def _inline(tx: Transaction, data: Doc, where: str) -> Doc:
    if "product_data" in data:
        wish = data["product_data"]
        product = tx.create(
            "product",
            {
                "active": False, "description": wish.get("description"), "images": wish.get("images", []),
                "marketing_features": [], "metadata": plain(wish.get("metadata")), "name": wish["name"],
                "tax_code": wish.get("tax_code"), "type": "service", "updated": tx.now,
            },
        )  # fmt: skip
        data = data | {"product": product["id"]}
    elif "product" not in data:
        raise invalid(
            f"Missing required param: {where}[price_data][product].",
            f"{where}[price_data][product]",
            "parameter_missing",
        )
    return new_price(tx, data, inline=True)


def one_currency(items: list[Doc], params: Doc) -> str | None:
    """The currency all lines share."""
    currencies = {item["currency"] for item in items}
    if len(currencies) > 1:
        raise invalid("All prices on a Checkout Session must be in the same currency.", "line_items")
    return (
        currencies.pop()
        if currencies
        else (currency_of(params["currency"]) if "currency" in params else None)
    )
