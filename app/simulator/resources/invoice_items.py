"""Invoice items: /v1/invoiceitems."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from app.simulator.engines import discounts, invoice_items, invoicing, totals
from app.simulator.errors import StripeError, invalid, missing
from app.simulator.fields import merged, plain, unset
from app.simulator.listing import page
from app.simulator.registry import Doc, Resource, route
from app.simulator.resources.prices import currency_of, new_price, usable
from app.simulator.transaction import Transaction
from app.simulator.versions import Form, translation

invoiceitem = Resource(
    "invoiceitem", "ii_", label="Invoice Item", index=("customer", "invoice"),
    absent=frozenset({"frozen_fields", "invoicing_rules", "proration_details"}),
)  # fmt: skip
LARGEST = 10**12 - 1
RECURRING = (
    "The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`."
)


@route("GET", "/v1/invoiceitems/{invoiceitem}")
def retrieve(tx: Transaction, params: Doc, invoiceitem: str) -> Doc:
    """One item."""
    doc = tx.get("invoiceitem", invoiceitem)
    if doc is None or doc.get("deleted"):
        raise StripeError(
            404, f"No such Invoice Item: '{invoiceitem}'(livemode=false)", code="resource_missing", param="id"
        )
    return doc


@route("GET", "/v1/invoiceitems")
def listing(tx: Transaction, params: Doc) -> Doc:
    """Items newest first, the pending ones on request."""
    waiting = params.pop("pending", None)
    created = params.pop("created", None)
    if created is not None:
        params["date"] = created
    return page(
        tx, "invoiceitem", params, "/v1/invoiceitems",
        keep=None if waiting is None else lambda d: (d["invoice"] is None) == waiting,
    )  # fmt: skip


@route("POST", "/v1/invoiceitems")
def create(tx: Transaction, params: Doc) -> Doc:
    """A charge or credit for the next invoice, or for a draft there is already."""
    invoice = tx.find("invoice", params["invoice"], "invoice") if "invoice" in params else None
    owner = params.get("customer") or (invoice["customer"] if invoice else None)
    if owner is None:
        raise invalid("Missing required param: customer.", "customer", "parameter_missing")
    customer = tx.find("customer", owner, "customer")
    if invoice is not None:
        editable(invoice)
    currency = currency_of(
        params.get("currency") or (invoice and invoice["currency"]) or customer["currency"] or "usd"
    )
    given = priced(tx, params, currency) | details(tx, params, currency, customer["id"])
    if params.get("subscription"):
        given["subscription"] = tx.find("subscription", params["subscription"], "subscription")["id"]
    item = invoice_items.pend(
        tx, customer, given.pop("currency"), given, invoice=invoice["id"] if invoice else None
    )
    if invoice is not None:
        invoicing.add(tx, invoice, invoice_items.as_lines(tx, [item]))
    return item


def editable(invoice: Doc) -> None:
    """Refuse what only a draft allows."""
    if invoice["status"] != "draft":
        raise invalid(
            "Invalid invoice: This invoice is no longer editable", "invoice", "invoice_not_editable"
        )


def priced(tx: Transaction, params: Doc, currency: str, param: str = "") -> Doc:
    """What an item or line costs: by a price, by price data, or by an amount, for which a price is made."""
    quantity = params.get("quantity", 1)
    if quantity < 0:
        where = f"{param}[quantity]" if param else "quantity"
        raise invalid("This value must be greater than or equal to 0.", where, "parameter_invalid_integer")
    if "amount" in params and "quantity" in params:
        where = f"{param}[amount]" if param else "amount"
        raise invalid("You may only specify one of these parameters: amount, quantity.", where)
    unit = params.get("amount", params.get("unit_amount_decimal"))
    if unit is not None:
        price = _one_off(tx, params, currency, abs(Decimal(bounded(unit))))
    else:
        price = _named(tx, params, param)
    if price["type"] == "recurring":
        raise invalid(RECURRING, f"{param}pricing[price]")
    if price["unit_amount_decimal"] is None:
        raise invalid(
            "The simulator bills no tiers and no custom amounts on invoice items.", "pricing[price]"
        )
    sign = -1 if unit is not None and unit < 0 else 1
    bounded(Decimal(price["unit_amount_decimal"]) * bounded(quantity))
    return {
        "amount": sign * totals.unit_total(price, quantity), "price": price, "quantity": quantity,
        "currency": price["currency"],
    }  # fmt: skip


def bounded(amount: Any) -> Any:
    """Refuse numbers no invoice can hold."""
    if abs(amount) > LARGEST:
        raise invalid("Amount must be no more than $9,999,999,999.99", "amount", "amount_too_large")
    return amount


def _named(tx: Transaction, params: Doc, param: str) -> Doc:
    if "price_data" in params:
        data = params["price_data"]
        bounded(data.get("unit_amount", data.get("unit_amount_decimal", 0)))
        return new_price(tx, data | _product(tx, data, params), inline=True)
    if (params.get("pricing") or {}).get("price"):
        return usable(tx, params["pricing"]["price"], f"{param}pricing[price]")
    raise invalid("Missing required param: amount.", "amount", "parameter_missing")


def _one_off(tx: Transaction, params: Doc, currency: str, unit: Decimal) -> Doc:
    product = _product(tx, {}, params)["product"]
    return new_price(tx, {"currency": currency, "product": product, "unit_amount_decimal": unit}, inline=True)


def _product(tx: Transaction, data: Doc, params: Doc) -> Doc:
    """The product of a one-off price: the one named, or one made for the occasion."""
    if data.get("product"):
        return {"product": tx.find("product", data["product"], "price_data[product]")["id"]}
    wish = data.get("product_data") or {"name": params.get("description") or "Invoice item"}
    made = tx.create(
        "product",
        {
            "active": False, "description": wish.get("description"), "images": wish.get("images", []),
            "marketing_features": [], "metadata": plain(wish.get("metadata")), "name": wish["name"],
            "tax_code": wish.get("tax_code"), "type": "service", "updated": tx.now,
        },
    )  # fmt: skip
    return {"product": made["id"]}


def details(tx: Transaction, params: Doc, currency: str, customer: str) -> Doc:
    """The rest of an item or line, by what was given of it."""
    out: Doc = {k: unset(params[k]) for k in ("description", "discountable") if k in params}
    if "metadata" in params:
        out["metadata"] = plain(params["metadata"] or None)
    if "period" in params:
        out["period"] = (params["period"]["start"], params["period"]["end"])
    if "discounts" in params:
        out["discounts"] = discounts.grant(tx, params["discounts"], currency=currency, customer=customer)
    if "tax_rates" in params:
        out["tax_rates"] = [tx.find("tax_rate", r, "tax_rates")["id"] for r in params["tax_rates"] or []]
    return out


@route("POST", "/v1/invoiceitems/{invoiceitem}")
def update(tx: Transaction, params: Doc, invoiceitem: str) -> Doc:
    """Change an item that is not on a finalized invoice."""
    doc = _changeable(tx, invoiceitem, "This invoice item has been deleted.")
    changes = details(tx, params | {"metadata": merged(doc, params)}, doc["currency"], doc["customer"])
    if params.keys() & {"amount", "quantity", "unit_amount_decimal", "price_data", "pricing"}:
        changes |= _repriced(tx, doc, params)
    if "period" in changes:
        changes["period"] = {"start": changes["period"][0], "end": changes["period"][1]}
    if "tax_rates" in changes:
        changes["tax_rates"] = [tx.find("tax_rate", r) for r in changes["tax_rates"]]
    tx.update(doc, changes)
    invoice = tx.get("invoice", doc["invoice"])
    if invoice is not None and not invoice.get("deleted"):
        invoicing.replace(tx, invoice, invoice_items.as_lines(tx, [doc]))
    return doc


def _repriced(tx: Transaction, doc: Doc, params: Doc) -> Doc:
    if params.keys() & {"amount", "unit_amount_decimal", "price_data", "pricing"}:
        found = priced(tx, params, doc["currency"])
    else:
        price = tx.get("price", doc["_given"]["_price"])
        bounded(
            params["quantity"] * (doc["amount"] if price is None else Decimal(price["unit_amount_decimal"]))
        )
        unit = totals.unit_total(price, params["quantity"]) if price else doc["amount"] * params["quantity"]
        found = {"price": price, "amount": unit, "quantity": params["quantity"]}
    price = found["price"]
    return {
        "amount": found["amount"], "net_amount": found["amount"], "quantity": found["quantity"],
        "quantity_decimal": str(found["quantity"]), "pricing": invoicing.pricing(price),
        "_given": doc["_given"] | {"_price": price["id"] if price else None},
    }  # fmt: skip


@route("DELETE", "/v1/invoiceitems/{invoiceitem}")
def delete(tx: Transaction, params: Doc, invoiceitem: str) -> Doc:
    """Delete an item that waits or is on a draft."""
    doc = _changeable(
        tx,
        invoiceitem,
        "Can't delete an invoice item that is attached to an invoice that is no longer editable",
    )
    invoice = tx.get("invoice", doc["invoice"])
    if invoice is not None:
        invoicing.remove(tx, invoice, doc["id"])
    tx.emit("invoiceitem.deleted", doc)
    return tx.delete(doc)


def _changeable(tx: Transaction, identifier: str, refusal: str) -> Doc:
    doc = tx.get("invoiceitem", identifier)
    if doc is None or doc.get("deleted"):
        raise missing("Invoice Item", identifier, "invoiceitem")
    invoice = tx.get("invoice", doc["invoice"])
    if invoice is not None and invoice.get("status") != "draft":
        raise invalid(refusal)
    return doc


@translation("POST", "/v1/invoiceitems", "/v1/invoiceitems/{invoiceitem}")
def _price(form: Form) -> Form:
    """Before prices moved to `pricing`, and unit amounts were whole."""
    price, unit = form.pop("price", None), form.pop("unit_amount", None)
    if price is not None:
        form["pricing"] = {"price": price}
    if unit is not None:
        form["unit_amount_decimal"] = unit
    return form
