"""Previews: POST /v1/invoices/create_preview. The invoice is really made, looked at, and taken back."""

from __future__ import annotations

from decimal import Decimal

from app.simulator.engines import discounts, invoice_items, invoicing
from app.simulator.engines.customers import address, new_customer
from app.simulator.errors import StripeError, invalid
from app.simulator.registry import Doc, route
from app.simulator.resources.invoice_items import details, priced
from app.simulator.resources.prices import currency_of
from app.simulator.transaction import Transaction

_SUBSCRIBED = ("subscription", "subscription_details", "schedule", "schedule_details")
_RUNNING = ("active", "past_due", "trialing", "unpaid")


@route("POST", "/v1/invoices/create_preview")
def create_preview(tx: Transaction, params: Doc) -> Doc:
    """What a customer will be billed next: their subscription with its changes, or what is pending."""
    if "customer" in params:
        tx.find("customer", params["customer"], "customer")
    elif "customer_details" not in params and "subscription" not in params and "schedule" not in params:
        raise invalid(
            "Missing required param: customer, subscription, or schedule.", "customer", "parameter_missing"
        )
    now = tx.now
    found = invoicing.as_preview(invoicing.rehearsed(tx, lambda: _played(tx, params)))
    tx.now = now
    anonymous = {"customer": None} if not params.keys() & {"customer", "subscription", "schedule"} else {}
    return found | {"billing_reason": "upcoming"} | anonymous


def _played(tx: Transaction, params: Doc) -> Doc:
    customer = _customer(tx, params)
    currency = currency_of(params.get("currency") or customer["currency"] or "usd")
    for i, given in enumerate(params.get("invoice_items", [])):
        _pend(tx, customer, given, currency, f"invoice_items[{i}]")
    wanted = _subscribed(tx, params, customer)
    if wanted is not None:
        for play in invoicing.SUBSCRIBED:
            return play(tx, wanted, customer)
    waiting = invoice_items.pending(tx, customer["id"])
    if not waiting:
        raise StripeError(
            404,
            f"No upcoming invoices for customer: {customer['id']}",
            code="invoice_upcoming_none",
            param="customer",
        )
    currency = waiting[0]["currency"]
    lines = invoice_items.as_lines(tx, [w for w in waiting if w["currency"] == currency])
    asked = params.get("discounts")
    tax = params.get("automatic_tax")
    return invoicing.draft(
        tx, customer=customer, currency=currency, lines=lines, billing_reason="upcoming", inherit=asked is None,
        automatic_advance=False,
        discounts=discounts.grant(
            tx, asked, currency=currency, customer=customer["id"], subtotal=sum(x["amount"] for x in lines)
        ),
        fields={"automatic_tax": invoicing.automatic_tax(tax["enabled"], customer)} if tax else None,
    )  # fmt: skip


def _customer(tx: Transaction, params: Doc) -> Doc:
    """Who is billed: the one named, the subscription's, or one made up for the occasion; as `customer_details` says."""
    given = params.get("customer_details") or {}
    fields: Doc = {}
    if "address" in given:
        fields["address"] = address(given["address"])
    if given.get("tax_exempt"):
        fields["tax_exempt"] = given["tax_exempt"]
    name = params.get("customer")
    for kind in ("subscription", "schedule"):
        if name is None and kind in params:
            object_name = "subscription_schedule" if kind == "schedule" else kind
            name = tx.find(object_name, params[kind], kind)["customer"]
    if name is None:
        return new_customer(tx, fields)
    customer = tx.find("customer", name)
    tx.update(customer, fields)
    return customer


def _pend(tx: Transaction, customer: Doc, given: Doc, currency: str, where: str) -> None:
    if given.get("invoiceitem"):
        item = tx.find("invoiceitem", given["invoiceitem"], f"{where}[invoiceitem]")
        tx.update(
            item, {k: given[k] for k in ("amount", "description", "discountable", "quantity") if k in given}
        )
        return
    currency = currency_of(given.get("currency") or currency)
    line = given | ({"pricing": {"price": given["price"]}} if "price" in given else {})
    if "unit_amount" in line:
        line["unit_amount_decimal"] = Decimal(line["unit_amount"])
    fresh = priced(tx, line, currency, where) | details(tx, line, currency, customer["id"])
    invoice_items.pend(tx, customer, fresh.pop("currency"), fresh)


def _subscribed(tx: Transaction, params: Doc, customer: Doc) -> Doc | None:
    """The parameters when a subscription is to be billed; the customer's own when none is named."""
    if not invoicing.SUBSCRIBED:
        return None
    if params.keys() & set(_SUBSCRIBED):
        return params
    own = next(
        tx.scan("subscription", {"customer": customer["id"]}, keep=lambda d: d["status"] in _RUNNING), None
    )
    return params | {"subscription": own["id"]} if own else None
