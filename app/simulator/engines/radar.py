"""What a card network and Radar say after a charge: early fraud warnings, and reviews that a person closes."""

from __future__ import annotations

from app.simulator.engines import disputes, payments, refunds
from app.simulator.errors import invalid
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction


def warn(tx: Transaction, charge: Doc, fraud_type: str = "misc") -> Doc:
    """The network warns that a charge may be fraudulent."""
    warning = tx.create(
        "radar.early_fraud_warning",
        {
            "actionable": not (charge["refunded"] or charge["disputed"]), "charge": charge["id"],
            "fraud_type": fraud_type, "payment_intent": charge["payment_intent"],
        },
    )  # fmt: skip
    tx.emit("radar.early_fraud_warning.created", warning)
    return warning


def review(tx: Transaction, charge: Doc, reason: str = "rule") -> Doc:
    """Put a charge in the review queue: `rule` or `manual`."""
    if charge["review"]:
        raise invalid("This charge already has a review.")
    opened = tx.create(
        "review",
        {
            "charge": charge["id"], "open": True, "opened_reason": reason, "payment_intent": charge["payment_intent"],
            "reason": reason, "billing_zip": charge["billing_details"]["address"]["postal_code"],
        },
    )  # fmt: skip
    tx.update(charge, review=opened["id"])
    intent = tx.get("payment_intent", charge["payment_intent"])
    if intent is not None:
        tx.update(intent, review=opened["id"])
    tx.emit("review.opened", opened)
    return opened


def close(tx: Transaction, opened: Doc, reason: str) -> None:
    """Close a review, told why: approved, refunded, refunded_as_fraud, disputed, payment_never_settled …"""
    tx.update(opened, open=False, closed_reason=reason, reason=reason)
    tx.emit("review.closed", opened)


def _refunded(tx: Transaction, charge: Doc, refund: Doc) -> None:
    if charge["refunded"]:
        fraud = refund["reason"] == "fraudulent"
        _ended(tx, charge, "refunded_as_fraud" if fraud else "refunded")


def _disputed(tx: Transaction, charge: Doc) -> None:
    _ended(tx, charge, "disputed")


def _ended(tx: Transaction, charge: Doc, reason: str) -> None:
    """Nothing is left to decide about this charge."""
    for warning in list(tx.scan("radar.early_fraud_warning", {"charge": charge["id"], "actionable": True})):
        tx.emit("radar.early_fraud_warning.updated", warning, tx.update(warning, actionable=False))
    opened = tx.get("review", charge["review"])
    if opened is not None and opened["open"]:
        close(tx, opened, reason)


def _by_card(tx: Transaction, charge: Doc) -> None:
    warn(tx, charge)


def _elevated(tx: Transaction, charge: Doc) -> None:
    review(tx, charge)


payments.AFTERMATH |= {"early_fraud_warning": _by_card, "review": _elevated}
refunds.REFUNDED.append(_refunded)
disputes.DISPUTED.append(_disputed)
