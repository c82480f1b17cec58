"""The fields every invoice has: what a draft starts from, and the parts that depend on customer and terms."""

from __future__ import annotations

from collections.abc import Iterable

from app.simulator.errors import invalid
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction, shown

# A draft waits an hour: the attempt is announced for its end, the finalization for a second later.
DRAFT_FOR = 3600
LONGEST = 3650


def blank(owner: Doc) -> Doc:
    """What every draft of this customer starts from."""
    return {
        "account_country": "US", "account_name": "Simulator", "amount_due": 0, "amount_overpaid": 0, "amount_paid": 0,
        "amount_remaining": 0, "amount_shipping": 0, "attempt_count": 0, "attempted": False,
        "automatic_tax": automatic_tax(False, owner), "customer": owner["id"], "customer_tax_ids": [],
        "ending_balance": None, "issuer": {"type": "self"}, "payment_settings": payment_settings({}),
        "post_payment_credit_notes_amount": 0, "pre_payment_credit_notes_amount": 0,
        "starting_balance": owner["balance"], "status": "draft", "footer": owner["invoice_settings"]["footer"],
        "custom_fields": owner["invoice_settings"]["custom_fields"],
        "status_transitions": dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
    } | addressed(owner)  # fmt: skip


def addressed(owner: Doc) -> Doc:
    """What an invoice says of its customer, fixed when it is finalized."""
    same = ("address", "email", "name", "phone", "shipping", "tax_exempt")
    return {f"customer_{k}": owner[k] for k in same}


def payment_settings(given: Doc) -> Doc:
    """Payment settings with every field present."""
    return {"default_mandate": None, "payment_method_options": None, "payment_method_types": None} | given


def automatic_tax(enabled: bool, owner: Doc) -> Doc:
    """The stub of Stripe Tax: it collects nothing, but wants to know where the customer is."""
    located = bool((owner.get("address") or {}).get("country"))
    return {
        "disabled_reason": None, "enabled": enabled, "liability": {"type": "self"} if enabled else None,
        "provider": "stripe" if enabled else None,
        "status": ("complete" if located else "requires_location_inputs") if enabled else None,
    }  # fmt: skip


def due_in(start: int, days: int | None) -> int | None:
    """When an invoice is due that gives `days` from `start`; None when it gives none."""
    if days is None:
        return None
    if not 0 <= days <= LONGEST:
        raise invalid(f"Invalid days_until_due: must be between 0 and {LONGEST}.", "days_until_due")
    return start + days * 86400


def advances(invoice: Doc, automatically: bool) -> Doc:
    """Whether and when a draft becomes open by itself, and is then charged."""
    at = invoice["created"] if automatically else None
    charged = invoice["collection_method"] == "charge_automatically"
    return {
        "auto_advance": automatically, "automatically_finalizes_at": None if at is None else at + DRAFT_FOR + 1,
        "next_payment_attempt": at + DRAFT_FOR if at is not None and charged else None,
    }  # fmt: skip


def parent(subscription: Doc | None) -> Doc | None:
    """What a subscription's invoice says of where it comes from."""
    if subscription is None:
        return None
    details = {"metadata": dict(subscription["metadata"]), "subscription": subscription["id"]}
    return {"quote_details": None, "subscription_details": details, "type": "subscription_details"}


def rates(tx: Transaction, given: Iterable[Doc | str]) -> list[Doc]:
    """Tax rates as invoices show them, from documents or ids."""
    found = (tx.find("tax_rate", r, "default_tax_rates") if isinstance(r, str) else r for r in given)
    return [shown(r) for r in found]
