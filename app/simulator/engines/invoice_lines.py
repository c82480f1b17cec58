"""What an invoice comes to: its lines in Stripe's shape, discounts spread over them, tax inside or on top."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from app.money import Money, included, percent
from app.simulator.engines import totals
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction, shown

SHOWN = 10


def line(tx: Transaction, given: Doc, currency: str) -> Doc:
    """A line as invoices keep it. `given`: amount, quantity, description, price (object or None), period (start, end),
    proration, subscription and subscription_item (ids), invoice_item (id), discountable, discounts (ids),
    tax_rates (ids), proration_details, metadata; only amount is needed."""
    price = given.get("price")
    start, end = given.get("period") or (tx.now, tx.now)
    quantity = given.get("quantity", 1)
    return {
        "id": given.get("id") or tx.new_id("il_"), "object": "line_item", "amount": given["amount"],
        "currency": currency, "description": given.get("description") or described(tx, price, quantity),
        "discount_amounts": [], "discountable": given.get("discountable", not given.get("proration")),
        "discounts": list(given.get("discounts") or ()), "invoice": None, "livemode": False,
        "metadata": dict(given.get("metadata") or {}), "parent": _parent(given), "period": {"end": end, "start": start},
        "pretax_credit_amounts": [], "pricing": pricing(price, given.get("unit_amount_decimal")), "quantity": quantity,
        "quantity_decimal": str(quantity), "subscription": given.get("subscription"), "subtotal": given["amount"],
        "taxes": [], "_rates": list(given.get("tax_rates") or ()), "_product": (price or {}).get("product"),
    }  # fmt: skip


def described(tx: Transaction, price: Doc | None, quantity: int | None) -> str | None:
    """The text of a line that was given none: the product, and for subscriptions how many at which price."""
    if price is None:
        return None
    product = tx.get("product", price["product"]) or {}
    return price["nickname"] or product.get("name")


def pricing(price: Doc | None, unit: str | None = None) -> Doc | None:
    """How an item is priced: by a price object, or by a bare unit amount."""
    if price is None:
        return None if unit is None else {"type": "price_details", "unit_amount_decimal": unit}
    details = {"price": price["id"], "product": price["product"]}
    return {
        "price_details": details,
        "type": "price_details",
        "unit_amount_decimal": price["unit_amount_decimal"],
    }


def _parent(given: Doc) -> Doc | None:
    proration, item = bool(given.get("proration")), given.get("invoice_item")
    base: Doc = {
        "invoice_item": item, "proration": proration, "subscription": given.get("subscription"),
        "proration_details": given.get("proration_details") or {"credited_items": None},
    }  # fmt: skip
    if given.get("subscription_item"):
        details = base | {"subscription_item": given["subscription_item"]}
        return {
            "invoice_item_details": None, "subscription_item_details": details, "type": "subscription_item_details"
        }  # fmt: skip
    if item is None:
        return None
    return {"invoice_item_details": base, "subscription_item_details": None, "type": "invoice_item_details"}


# ------------------------------------------------------------------------------------------- totals


def reckon(tx: Transaction, invoice: Doc, lines: list[Doc]) -> Doc:
    """The fields of an invoice that follow from its lines, discounts, rates and the customer's exemption."""
    currency = invoice["currency"]
    done = [x | {"invoice": invoice["id"], "discount_amounts": [], "taxes": []} for x in lines]
    for each in done:
        for identifier in each["discounts"]:
            _discount(tx, [each], identifier, currency)
    for identifier in invoice["discounts"]:
        _discount(tx, done, identifier, currency)
    for each in done:
        each["pretax_credit_amounts"] = [d | {"type": "discount"} for d in each["discount_amounts"]]
        each["taxes"] = _taxes(tx, invoice, each)
    return {"_lines": done, "lines": listed(invoice["id"], done)} | sums(done)


def listed(invoice: str, lines: list[Doc]) -> Doc:
    """The first lines as an invoice shows them."""
    return {
        "object": "list", "data": [shown(x) for x in lines[:SHOWN]], "has_more": len(lines) > SHOWN,
        "total_count": len(lines), "url": f"/v1/invoices/{invoice}/lines",
    }  # fmt: skip


def net_of(each: Doc) -> int:
    """What a line costs after its discounts, tax that is inside included."""
    off: int = sum(d["amount"] for d in each["discount_amounts"])
    return int(each["amount"]) - off


def sums(lines: list[Doc]) -> Doc:
    """What lines with amount, discount_amounts and taxes come to together."""
    discounts: dict[str, int] = {}
    taxes: dict[tuple[str, str, str], Doc] = {}
    for each in lines:
        for d in each["discount_amounts"]:
            discounts[d["discount"]] = discounts.get(d["discount"], 0) + d["amount"]
        for t in each["taxes"]:
            key = (t["tax_rate_details"]["tax_rate"], t["tax_behavior"], t["taxability_reason"])
            held = taxes.get(key, t | {"amount": 0, "taxable_amount": 0})
            taxes[key] = held | {k: held[k] + t[k] for k in ("amount", "taxable_amount")}
    inside, on_top = (
        sum(t["amount"] for t in taxes.values() if t["tax_behavior"] == b) for b in ("inclusive", "exclusive")
    )
    subtotal, net = sum(x["amount"] for x in lines), sum(net_of(x) for x in lines)
    off = [{"amount": amount, "discount": d} for d, amount in discounts.items()]
    return {
        "subtotal": subtotal, "subtotal_excluding_tax": subtotal - inside, "total": net + on_top,
        "total_excluding_tax": net - inside, "total_discount_amounts": off, "total_taxes": list(taxes.values()),
        "total_pretax_credit_amounts": [d | {"type": "discount"} for d in off],
    }  # fmt: skip


def _discount(tx: Transaction, lines: list[Doc], identifier: str, currency: str) -> None:
    discount = tx.get("discount", identifier)
    if discount is None:
        return
    coupon: Doc = discount["_coupon"]
    products = (coupon.get("_applies_to") or {}).get("products")
    chosen = [
        x
        for x in lines
        if x["discountable"] and net_of(x) > 0 and (not products or x["_product"] in products)
    ]
    left = [net_of(x) for x in chosen]
    if coupon["percent_off"] is not None:
        rate = Decimal(str(coupon["percent_off"]))
        shares = [percent(Money(amount, currency), rate).amount for amount in left]
    else:
        shares = totals.spread(min(_amount_off(coupon, currency), sum(left)), left)
    for each, share in zip(chosen, shares, strict=True):
        each["discount_amounts"] = [*each["discount_amounts"], {"amount": share, "discount": identifier}]


def _amount_off(coupon: Doc, currency: str) -> int:
    whole = coupon | {"currency_options": coupon.get("_currency_options")}
    return totals.amount_off(whole, currency) or 0


def _taxes(tx: Transaction, invoice: Doc, each: Doc) -> list[Doc]:
    wanted = each["_rates"] or [r["id"] for r in invoice["default_tax_rates"]]
    rates = [tx.find("tax_rate", r) for r in wanted]
    return taxes_on(net_of(each), invoice["currency"], rates, invoice["customer_tax_exempt"])


def taxes_on(amount: int, currency: str, rates: list[Doc], exempt: str | None) -> list[Doc]:
    """The tax on an amount by several rates, those inside it taken out first; a customer who is exempt pays none."""
    net = Money(amount, currency)
    inside = sum((Decimal(str(r["percentage"])) for r in rates if r["inclusive"]), Decimal(0))
    base = net - included(net, inside) if inside else net
    free = {"exempt": "customer_exempt", "reverse": "reverse_charge"}.get(exempt or "")
    return [_tax(rate, net, base, inside, free) for rate in rates]


def _tax(rate: Doc, net: Money, base: Money, inside: Decimal, free: str | None) -> Doc:
    share: Any = Decimal(str(rate["percentage"]))
    amount = net.share(share, 100 + inside) if rate["inclusive"] else percent(base, share)
    return {
        "amount": 0 if free else amount.amount, "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
        "tax_rate_details": {"tax_rate": rate["id"]}, "taxability_reason": free or "not_available",
        "taxable_amount": 0 if free else base.amount, "type": "tax_rate_details",
    }  # fmt: skip
