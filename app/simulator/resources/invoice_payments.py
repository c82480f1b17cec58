"""Invoice payments: /v1/invoice_payments."""

from __future__ import annotations

from app.simulator.errors import invalid
from app.simulator.listing import page, retrieves
from app.simulator.registry import Doc, Resource, route
from app.simulator.transaction import Transaction

invoice_payment = Resource(
    "invoice_payment", "inpay_", label="invoice payment", index=("_payment_intent", "invoice", "status")
)
retrieves("invoice_payment", "/v1/invoice_payments/{invoice_payment}")


@route("GET", "/v1/invoice_payments")
def listing(tx: Transaction, params: Doc) -> Doc:
    """Payments of invoices: those of an invoice, or of a payment intent."""
    wanted = params.pop("payment", None)
    where: Doc = {}
    if wanted is not None:
        if wanted.get(wanted["type"]) is None:
            raise invalid(
                f"Missing required param: payment[{wanted['type']}].",
                f"payment[{wanted['type']}]",
                "parameter_missing",
            )
        where = {"_payment_intent": wanted[wanted["type"]]}
    return page(tx, "invoice_payment", params, "/v1/invoice_payments", where=where)
