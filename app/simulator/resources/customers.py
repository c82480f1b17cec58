"""Customers: /v1/customers, and the payment methods attached to one."""

from __future__ import annotations

import re

from app.simulator.engines import customer_balance, discounts, sources, subscriptions
from app.simulator.engines.customers import address, attach, new_customer
from app.simulator.engines.methods import resolved
from app.simulator.errors import invalid, missing
from app.simulator.fields import merged, plain, unset
from app.simulator.listing import lists, page, retrieves
from app.simulator.registry import Doc, Resource, route
from app.simulator.transaction import Transaction

customer = Resource(
    "customer",
    "cus_",
    index=("email", "test_clock"),
    absent=frozenset(
        {"business_name", "cash_balance", "customer_account", "individual_name", "invoice_credit_balance", "sources",
         "subscriptions", "tax", "tax_ids"}
    ),
)  # fmt: skip
retrieves("customer", "/v1/customers/{customer}", tombstones=True)
lists("customer", "/v1/customers", email=lambda doc, wanted: doc["email"] == wanted)
_FIELDS = ("description", "email", "name", "phone", "preferred_locales", "tax_exempt")


@route("POST", "/v1/customers")
def create(tx: Transaction, params: Doc) -> Doc:
    """A customer."""
    _check_email(params)
    fields = _fields(params)
    if "test_clock" in params:
        fields["test_clock"] = tx.find("test_helpers.test_clock", params["test_clock"], "test_clock")["id"]
    method = resolved(tx, params["payment_method"]) if "payment_method" in params else None
    if "invoice_settings" in params:
        settings = _settings({}, params["invoice_settings"])
        if method is not None and settings["default_payment_method"] == params["payment_method"]:
            settings["default_payment_method"] = method["id"]
        fields["invoice_settings"] = settings
    doc = new_customer(tx, fields | {"metadata": plain(params.get("metadata"))})
    if method is not None:
        attach(tx, method, doc)
    if "source" in params:
        sources.add(tx, doc, params["source"])
    _money(tx, doc, params)
    return doc


@route("POST", "/v1/customers/{customer}")
def update(tx: Transaction, params: Doc, customer: str) -> Doc:
    """Change a customer."""
    doc = tx.find("customer", customer)
    _check_email(params)
    changes = _fields(params) | {"metadata": merged(doc, params)}
    if "invoice_settings" in params:
        changes["invoice_settings"] = _settings(doc["invoice_settings"], params["invoice_settings"])
    if "default_source" in params:
        changes["default_source"] = sources.made_default(tx, doc, params["default_source"])
    if "source" in params:
        sources.replace(tx, doc, params["source"])
    tx.emit("customer.updated", doc, tx.update(doc, changes))
    _money(tx, doc, params)
    return doc


def _money(tx: Transaction, doc: Doc, params: Doc) -> None:
    """What a customer is given: a balance, and with old versions of the API a discount."""
    moved = params.get("balance", doc["balance"]) - doc["balance"]
    if moved:
        customer_balance.change(tx, doc, moved, doc["currency"] or "usd", "adjustment")
    if "_legacy" in params:
        discounts.of_customer(tx, doc, params["_legacy"])


@route("DELETE", "/v1/customers/{customer}")
def delete(tx: Transaction, params: Doc, customer: str) -> Doc:
    """Delete a customer; a second time there is none."""
    doc = tx.get("customer", customer)
    if doc is None or doc.get("deleted") is True:
        raise missing("customer", customer)
    _leave(tx, doc)
    tx.emit("customer.deleted", doc)
    return tx.delete(doc)


def _leave(tx: Transaction, doc: Doc) -> None:
    """Who is deleted is billed no more: subscriptions end, invoices are not collected by themselves."""
    for subscription in list(tx.scan("subscription", {"customer": doc["id"]})):
        if subscription["status"] not in ("canceled", "incomplete_expired"):
            subscriptions.end(tx, subscription, "cancellation_requested")
    for invoice in list(tx.scan("invoice", {"customer": doc["id"]})):
        if invoice["status"] in ("draft", "open"):
            for kind in ("invoice.finalize", "invoice.retry"):
                tx.unschedule(kind, invoice["id"])
            tx.update(invoice, auto_advance=False, next_payment_attempt=None)


def _fields(params: Doc) -> Doc:
    fields = {k: unset(params[k]) for k in _FIELDS if k in params}
    if "address" in params:
        fields["address"] = address(params["address"])
    if "shipping" in params:
        given = params["shipping"]
        fields["shipping"] = None if given == "" else {
            "address": address(given.get("address")), "name": given.get("name"), "phone": given.get("phone"),
        }  # fmt: skip
    return fields


def _settings(held: Doc, given: Doc) -> Doc:
    base = {"custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None}
    return base | held | {k: unset(v) for k, v in given.items()}


def _check_email(params: Doc) -> None:
    email = params.get("email")
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise invalid(f"Invalid email address: {email}", "email", "email_invalid")


@route("GET", "/v1/customers/{customer}/payment_methods")
def payment_methods(tx: Transaction, params: Doc, customer: str) -> Doc:
    """The payment methods of a customer."""
    tx.find("customer", customer)
    url = f"/v1/customers/{customer}/payment_methods"
    return page(tx, "payment_method", params, url, where={"customer": customer})


@route("GET", "/v1/customers/{customer}/payment_methods/{payment_method}")
def payment_method(tx: Transaction, params: Doc, customer: str, payment_method: str) -> Doc:
    """One payment method of a customer."""
    tx.find("customer", customer)
    method = tx.get("payment_method", payment_method)
    if method is None or method["customer"] != customer:
        raise missing("PaymentMethod", payment_method, "payment_method")
    return method
