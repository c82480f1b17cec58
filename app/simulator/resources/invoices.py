"""Invoices: /v1/invoices."""

from __future__ import annotations

from typing import Any

from app.simulator.engines import collecting, discounts, invoice_items, invoicing
from app.simulator.engines.customers import address
from app.simulator.engines.invoicing import NOT_OPEN
from app.simulator.engines.methods import resolved
from app.simulator.errors import StripeError, invalid, unrecognized
from app.simulator.fields import merged, plain, unset
from app.simulator.listing import list_of, page, retrieves
from app.simulator.registry import Doc, Resource, route
from app.simulator.resources.prices import currency_of
from app.simulator.transaction import Transaction, shown

invoice = Resource(
    "invoice",
    "in_",
    index=("_subscription", "customer", "status"),
    absent=frozenset({"amount_paid_off_stripe", "confirmation_secret", "payments", "status_details", "threshold_reason"}),
)  # fmt: skip
retrieves("invoice", "/v1/invoices/{invoice}")
# Taken over from the request as they are.
_PLAIN = ("account_tax_ids", "custom_fields", "description", "effective_at", "footer", "number", "statement_descriptor",
          "automatically_finalizes_at", "default_source", "due_date")  # fmt: skip
# What may still be changed once an invoice is finalized.
_ALWAYS = {"metadata", "auto_advance", "default_payment_method", "payment_settings", "_legacy"}
# Not simulated: better refused than silently left out of the sum.
_UNKNOWN = ("application_fee_amount", "from_invoice", "on_behalf_of", "shipping_cost", "transfer_data")
NO_DUE = "If invoice collection method is 'send_invoice', you must specify 'due_date' or 'days_until_due'."
ONLY_SENT = (
    "You can only specify 'due_date' or 'days_until_due' if invoice collection method is 'send_invoice'."
)
NO_METHOD = "There is no `default_payment_method` set on this Customer or Invoice."
BY_CHARGE = "You can only manually send an invoice if its collection method is 'send_invoice'."
NOT_SENT = (
    "This invoice cannot be sent right now. Please contact us via https://support.stripe.com/contact with details, so "
    "we can help."
)
ACTION = (
    "This payment requires additional user action before it can be completed successfully. Payment can be completed "
    "using the PaymentIntent associated with the invoice. For more details see: "
    "https://stripe.com/docs/billing/subscriptions/overview#requires-action"
)


@invoice.include("payments")
def _payments(tx: Transaction, doc: Doc) -> Doc:
    found = list(tx.scan("invoice_payment", {"invoice": doc["id"]}))
    return list_of(found, f"/v1/invoice_payments?invoice={doc['id']}")


@invoice.include("confirmation_secret")
def _secret(tx: Transaction, doc: Doc) -> Doc | None:
    intent = collecting.intent_of(tx, doc)
    return {"client_secret": intent["client_secret"], "type": "payment_intent"} if intent else None


@route("GET", "/v1/invoices")
def listing(tx: Transaction, params: Doc) -> Doc:
    """Invoices newest first."""
    if "subscription" in params:
        params["_subscription"] = params.pop("subscription")
    return page(tx, "invoice", params, "/v1/invoices")


@route("GET", "/v1/invoices/search")
def search(tx: Transaction, params: Doc) -> Doc:
    """Not simulated, and not the name of an invoice."""
    raise unrecognized("GET", "/v1/invoices/search")


@route("POST", "/v1/invoices")
def create(tx: Transaction, params: Doc) -> Doc:
    """A draft, with the customer's pending items when `pending_invoice_items_behavior` is include."""
    if not params.get("customer"):
        raise invalid("Missing required param: customer.", "customer", "parameter_missing")
    customer = tx.find("customer", params["customer"], "customer")
    if params.get("subscription"):
        tx.find("subscription", params["subscription"], "subscription")
    _check_known(params)
    method = params.get("collection_method", "charge_automatically")
    _check_due(method, params)
    waiting = _swept(tx, params, customer)
    currency = currency_of(
        params.get("currency") or (waiting[0]["currency"] if waiting else customer["currency"] or "usd")
    )
    lines = invoice_items.as_lines(tx, [w for w in waiting if w["currency"] == currency])
    asked = params.get("discounts")
    return invoicing.draft(
        tx, customer=customer, currency=currency, lines=lines, billing_reason="manual",
        subscription=params.get("subscription"), collection_method=method, inherit=asked is None,
        automatic_advance=params.get("auto_advance", False), default_payment_method=_method(tx, params),
        discounts=discounts.grant(
            tx, asked, currency=currency, customer=customer["id"], subtotal=sum(x["amount"] for x in lines)
        ),
        default_tax_rates=params.get("default_tax_rates") or (), metadata=plain(params.get("metadata")),
        days_until_due=params.get("days_until_due"), fields=_fields(params, customer),
    )  # fmt: skip


def _swept(tx: Transaction, params: Doc, customer: Doc) -> list[Doc]:
    if params.get("pending_invoice_items_behavior") != "include":
        return []
    return invoice_items.pending(tx, customer["id"], subscription=params.get("subscription"))


def _check_due(method: str, params: Doc) -> None:
    told = "due_date" in params or "days_until_due" in params
    if method == "send_invoice" and not told:
        raise invalid(NO_DUE)
    if method != "send_invoice" and told:
        raise invalid(ONLY_SENT)


def _check_known(params: Doc) -> None:
    for name in _UNKNOWN:
        if params.get(name):
            raise invalid(f"The simulator knows no {name} of invoices.", name)


def _method(tx: Transaction, params: Doc) -> str | None:
    name = params.get("default_payment_method")
    return resolved(tx, name, "default_payment_method")["id"] if name else None


def _fields(params: Doc, customer: Doc) -> Doc:
    fields = {k: unset(params[k]) for k in _PLAIN if k in params}
    if "automatic_tax" in params:
        fields["automatic_tax"] = invoicing.automatic_tax(params["automatic_tax"]["enabled"], customer)
    if "payment_settings" in params:
        fields["payment_settings"] = invoicing.payment_settings(_settings(params["payment_settings"]))
    if "rendering" in params:
        fields["rendering"] = _rendering(params["rendering"])
    if params.get("shipping_details"):
        given = params["shipping_details"]
        fields["shipping_details"] = {
            "address": address(given.get("address")), "name": given.get("name"), "phone": given.get("phone") or None,
        }  # fmt: skip
    return fields


def _settings(given: Doc) -> Doc:
    return {k: unset(v) for k, v in given.items() if k in ("default_mandate", "payment_method_types")}


def _rendering(given: Any) -> Doc | None:
    if not given:
        return None
    pdf = {"page_size": (given.get("pdf") or {}).get("page_size", "auto")}
    return {
        "amount_tax_display": unset(given.get("amount_tax_display", "")), "pdf": pdf,
        "template": given.get("template"), "template_version": unset(given.get("template_version", "")),
    }  # fmt: skip


@route("POST", "/v1/invoices/{invoice}")
def update(tx: Transaction, params: Doc, invoice: str) -> Doc:
    """Change a draft; of a finalized one little more than metadata."""
    doc = tx.find("invoice", invoice)
    _check_known(params)
    fixed = [k for k in params if k not in _ALWAYS]
    if doc["status"] != "draft" and fixed:
        raise invalid("Finalized invoices can't be updated in this way", fixed[0])
    before = dict(doc)
    customer = tx.find("customer", doc["customer"])
    changes = _fields(params, customer) | {"metadata": merged(doc, params)}
    changes |= _terms(tx, doc, params)
    tx.update(doc, changes)
    if doc["status"] == "draft":
        _rescheduled(tx, doc, params)
        invoicing.recount(tx, doc)
    previous = {k: before[k] for k, v in doc.items() if k[0] != "_" and before.get(k) != v}
    tx.emit("invoice.updated", doc, previous)
    return doc


def _terms(tx: Transaction, doc: Doc, params: Doc) -> Doc:
    changes: Doc = {}
    if "collection_method" in params:
        changes["collection_method"] = params["collection_method"]
    if "days_until_due" in params:
        days = params["days_until_due"]
        changes |= {"_days_until_due": days, "due_date": invoicing.due_in(doc["created"], days)}
    if "default_payment_method" in params:
        changes["default_payment_method"] = _method(tx, params)
    if "default_tax_rates" in params:
        rates = [tx.find("tax_rate", r, "default_tax_rates") for r in params["default_tax_rates"] or []]
        changes["default_tax_rates"] = [shown(r) for r in rates]
    if "discounts" in params:
        changes["discounts"] = discounts.grant(
            tx, params["discounts"], currency=doc["currency"], customer=doc["customer"], subtotal=doc["subtotal"],
            invoice=doc["id"],
        )  # fmt: skip
    return changes


def _rescheduled(tx: Transaction, doc: Doc, params: Doc) -> None:
    if not params.keys() & {"auto_advance", "collection_method", "automatically_finalizes_at"}:
        return
    changes = invoicing.advances(doc, bool(params.get("auto_advance", doc["auto_advance"])))
    if params.get("automatically_finalizes_at") and changes["auto_advance"]:
        changes["automatically_finalizes_at"] = params["automatically_finalizes_at"]
    tx.update(doc, changes)
    invoicing.reschedule(tx, doc)


@route("DELETE", "/v1/invoices/{invoice}")
def delete(tx: Transaction, params: Doc, invoice: str) -> Doc:
    """Delete a draft; its items stay with it, as Stripe's do."""
    doc = tx.find("invoice", invoice, "invoice", status=404)
    if doc["status"] != "draft":
        raise invalid("You can only delete draft invoices.")
    if doc["_subscription"]:
        raise invalid("You can't delete invoices created by subscriptions.")
    tx.unschedule("invoice.finalize", doc["id"])
    tx.emit("invoice.deleted", doc)
    return tx.delete(doc)


# ------------------------------------------------------------------------------------- transitions


@route("POST", "/v1/invoices/{invoice}/finalize")
def finalize(tx: Transaction, params: Doc, invoice: str) -> Doc:
    """Make a draft open. Nothing is charged in this call; with auto_advance it is an hour later."""
    doc = tx.find("invoice", invoice)
    if "auto_advance" in params:
        tx.update(doc, auto_advance=params["auto_advance"])
    invoicing.finalize(tx, doc)
    if doc["status"] == "open" and doc["auto_advance"]:
        invoicing.collect_later(tx, doc)
    return doc


@route("POST", "/v1/invoices/{invoice}/pay")
def pay(tx: Transaction, params: Doc, invoice: str) -> Doc:
    """Collect an invoice now, a draft after finalizing it; a decline is a 402, and what it wrote stays."""
    doc = tx.find("invoice", invoice)
    if doc["status"] == "draft":
        invoicing.finalize(tx, doc)
        if doc["status"] == "paid":
            return doc
    if doc["status"] == "paid":
        raise invalid("Invoice is already paid")
    if doc["status"] == "void":
        raise invalid("This invoice can no longer be paid")
    if params.get("paid_out_of_band"):
        return invoicing.pay_out_of_band(tx, doc)
    name = params.get("payment_method") or params.get("source")
    method = resolved(tx, name) if name else collecting.method_for(tx, doc)
    if method is None:
        raise invalid(NO_METHOD)
    outcome, error = invoicing.charge(tx, doc, method, off_session=params.get("off_session", True))
    if outcome == "requires_action":
        intent = collecting.intent_of(tx, doc)
        raise StripeError(
            402, ACTION, code="invoice_payment_intent_requires_action", keep=True,
            payment_intent=shown(intent) if intent else None,
        )  # fmt: skip
    if error is not None:
        raise error
    return doc


@route("POST", "/v1/invoices/{invoice}/attach_payment")
def attach_payment(tx: Transaction, params: Doc, invoice: str) -> Doc:
    """Let a payment made elsewhere count for an open invoice."""
    doc = tx.find("invoice", invoice)
    if doc["status"] != "open":
        raise invalid(NOT_OPEN)
    if "payment_intent" not in params:
        raise invalid("Missing required param: payment_intent.", "payment_intent", "parameter_missing")
    intent = tx.find("payment_intent", params["payment_intent"], "payment_intent")
    if intent["currency"] != doc["currency"] or intent.get("_invoice") or intent["status"] == "canceled":
        raise invalid(
            f"The PaymentIntent {intent['id']} cannot be attached: it is canceled, of another currency, or belongs to "
            "an invoice already.", "payment_intent",
        )  # fmt: skip
    collecting.attach(tx, doc, intent)
    return doc


@route("POST", "/v1/invoices/{invoice}/send")
def send(tx: Transaction, params: Doc, invoice: str) -> Doc:
    """Mail an invoice to its customer, a draft after finalizing it."""
    doc = tx.find("invoice", invoice, "invoice", status=404)
    if doc["collection_method"] != "send_invoice":
        raise invalid(BY_CHARGE)
    if doc["status"] == "draft":
        invoicing.finalize(tx, doc)
    elif doc["status"] != "open":
        raise invalid(NOT_SENT)
    return invoicing.send(tx, doc)


@route("POST", "/v1/invoices/{invoice}/void")
def void(tx: Transaction, params: Doc, invoice: str) -> Doc:
    """Take a finalized invoice back."""
    return invoicing.void(tx, tx.find("invoice", invoice))


@route("POST", "/v1/invoices/{invoice}/mark_uncollectible")
def mark_uncollectible(tx: Transaction, params: Doc, invoice: str) -> Doc:
    """Write an invoice off."""
    return invoicing.mark_uncollectible(tx, tx.find("invoice", invoice))
