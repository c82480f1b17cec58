"""Pending invoice items: charges and credits that wait for the next invoice of a customer."""

from __future__ import annotations

from collections.abc import Iterable

from app.simulator.engines import invoice_lines
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction


def pend(tx: Transaction, customer: Doc, currency: str, given: Doc, *, invoice: str | None = None) -> Doc:
    """A new item, with its event. `given` is what invoice_lines.line takes."""
    line = invoice_lines.line(tx, given | {"id": "none", "invoice_item": "none"}, currency)
    item = tx.create(
        "invoiceitem",
        {k: line[k] for k in ("amount", "currency", "description", "discountable", "metadata", "period", "pricing")}
        | {
            "customer": customer["id"], "date": tx.now, "discounts": line["discounts"], "invoice": invoice,
            "net_amount": line["amount"], "parent": _parent(given), "proration": bool(given.get("proration")),
            "quantity": line["quantity"], "quantity_decimal": line["quantity_decimal"],
            "tax_rates": [tx.find("tax_rate", r) for r in line["_rates"]], "test_clock": customer.get("test_clock"),
            "_subscription": given.get("subscription"), "_given": _kept(given),
        },
    )  # fmt: skip
    _remember_currency(tx, customer, currency)
    tx.emit("invoiceitem.created", item)
    return item


def _kept(given: Doc) -> Doc:
    """What an item has to remember to become a line: the price by id."""
    price = given.get("price")
    return {k: v for k, v in given.items() if k != "price"} | {"_price": price["id"] if price else None}


def _parent(given: Doc) -> Doc | None:
    if not given.get("subscription"):
        return None
    details = {"subscription": given["subscription"]}
    if given.get("subscription_item"):
        details["subscription_item"] = given["subscription_item"]
    return {"subscription_details": details, "type": "subscription_details"}


def _remember_currency(tx: Transaction, customer: Doc, currency: str) -> None:
    if customer["currency"] is None:
        tx.emit("customer.updated", customer, tx.update(customer, currency=currency))


def pending(
    tx: Transaction, customer: str, currency: str | None = None, subscription: str | None = None
) -> list[Doc]:
    """Items that wait, newest first; of one currency, and for a subscription's invoice only its own and free ones."""
    return [
        item
        for item in tx.scan("invoiceitem", {"customer": customer}, keep=lambda d: d["invoice"] is None)
        if currency in (None, item["currency"])
        and (subscription is None or item["_subscription"] in (None, subscription))
    ]


def as_lines(tx: Transaction, items: Iterable[Doc]) -> list[Doc]:
    """The items as an invoice is given them."""
    return [
        item["_given"]
        | {
            "price": tx.get("price", item["_given"]["_price"]), "invoice_item": item["id"], "amount": item["amount"],
            "description": item["description"], "metadata": item["metadata"], "quantity": item["quantity"],
            "discountable": item["discountable"], "discounts": item["discounts"],
            "period": (item["period"]["start"], item["period"]["end"]),
            "tax_rates": [r["id"] for r in item["tax_rates"]],
        }
        for item in items
    ]  # fmt: skip


def claim(tx: Transaction, lines: Iterable[Doc], invoice: str) -> None:
    """The items behind these lines are on an invoice now."""
    for line in lines:
        item = tx.get("invoiceitem", line.get("invoice_item"))
        if item is not None and not item.get("deleted"):
            tx.update(item, invoice=invoice)
