"""Invoices: /v1/invoices."""

from __future__ import annotations

from app.simulator.registry import Resource

invoice = Resource(
    "invoice",
    "in_",
    index=("customer", "_subscription", "status"),
    absent=frozenset({"amount_paid_off_stripe", "confirmation_secret", "payments", "status_details", "threshold_reason"}),
)  # fmt: skip
invoice_payment = Resource("invoice_payment", "inpay_", index=("invoice", "_payment_intent", "status"))
discount = Resource("discount", "di_", index=("customer",))
customer_balance_transaction = Resource("customer_balance_transaction", "cbtxn_", index=("customer",))
