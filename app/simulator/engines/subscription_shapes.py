"""The shapes of a subscription that do not depend on what it is for: what all start from, why one ended or rests."""

from __future__ import annotations

from app.simulator.registry import Doc
from app.simulator.transaction import Transaction


def blank(tx: Transaction) -> Doc:
    """What every subscription starts from."""
    return {
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_mode": {
            "flexible": {"proration_discounts": "included"}, "type": "flexible", "updated_at": tx.now,
        },
        "billing_schedules": [], "cancel_at_period_end": False, "collection_method": "charge_automatically",
        "cancellation_details": cancellation(), "default_tax_rates": [], "discounts": [],
        "invoice_settings": {
            "account_tax_ids": None, "custom_fields": None, "description": None, "footer": None,
            "issuer": {"type": "self"},
        },
        "managed_payments": {"enabled": False}, "metadata": {},
        "payment_settings": {
            "payment_method_options": None, "payment_method_types": None, "save_default_payment_method": "off",
        },
        "trial_settings": {"end_behavior": {"billing_cycle_anchor": None, "missing_payment_method": "create_invoice"}},
    }  # fmt: skip


def cancellation(reason: str | None = None) -> Doc:
    """Details of a cancellation that nobody has commented."""
    return {"comment": None, "feedback": None, "feedback_option": None, "reason": reason}


def paused_for(tx: Transaction, reason: str) -> Doc:
    """The status_details of a subscription that is paused now."""
    return {"paused": {"subscription": {"type": reason}, "transitioned_at": tx.now, "type": "subscription"}}
