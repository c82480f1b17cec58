"""The life of a dispute: money withdrawn, evidence, a decision; and the inquiry that may come before.

Page: https://docs.stripe.com/disputes/how-disputes-work and https://docs.stripe.com/testing#disputes
"""

from __future__ import annotations

from collections.abc import Callable

from app.simulator.engines import funds, payments, refunds
from app.simulator.errors import invalid
from app.simulator.registry import Doc, timed
from app.simulator.transaction import Transaction, shown

# Who wants to know that a charge has been disputed: reviews and fraud warnings add themselves here.
DISPUTED: list[Callable[[Transaction, Doc], None]] = []
DAYS_TO_ANSWER = 9
DAYS_OF_INQUIRY = 120
DAY = 86400
FEES = {
    "usd": 1500,
    "eur": 2000,
    "gbp": 2000,
    "cad": 1500,
    "aud": 2500,
    "chf": 2000,
    "sek": 15000,
    "dkk": 15000,
}
OPEN = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")
_TEXT = (
    "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
    "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
    "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation", "duplicate_charge_explanation",
    "duplicate_charge_id", "product_description", "receipt", "refund_policy", "refund_policy_disclosure",
    "refund_refusal_explanation", "service_date", "service_documentation", "shipping_address", "shipping_carrier",
    "shipping_date", "shipping_documentation", "shipping_tracking_number", "uncategorized_file", "uncategorized_text",
)  # fmt: skip
NO_EVIDENCE: Doc = dict.fromkeys(_TEXT) | {"enhanced_evidence": {}}
REASON_CODES = {
    "fraudulent": "10.4",
    "product_not_received": "13.1",
    "general": "10.4",
    "duplicate": "12.6.1",
}
MOST_CHARACTERS = 150_000


def open_dispute(
    tx: Transaction, charge: Doc, reason: str, *, amount: int | None = None, inquiry: bool = False
) -> Doc:
    """The cardholder's bank disputes a charge (all that has not been refunded, unless told), or inquires of it."""
    left = charge["amount"] - charge["amount_refunded"] - _disputed(tx, charge)
    disputed = left if amount is None else amount
    if not charge["paid"] or not charge["captured"] or not 0 < disputed <= left:
        raise invalid("Only a paid charge can be disputed, for no more than what is left of it.")
    due = tx.now + DAYS_TO_ANSWER * DAY
    dispute = tx.create(
        "dispute",
        {
            "amount": disputed, "balance_transactions": [], "charge": charge["id"], "currency": charge["currency"],
            "enhanced_eligibility_types": [], "evidence": NO_EVIDENCE, "is_charge_refundable": inquiry,
            "evidence_details": {
                "due_by": due, "enhanced_eligibility": {}, "has_evidence": False, "past_due": False,
                "submission_count": 0, "submission_method": "not_submitted",
            },
            "metadata": {}, "payment_intent": charge["payment_intent"], "reason": reason,
            "payment_method_details": _details(charge, reason, "inquiry" if inquiry else "chargeback"),
            "status": "warning_needs_response" if inquiry else "needs_response",
        },
    )  # fmt: skip
    tx.update(charge, disputed=True, _refundable=inquiry)
    tx.emit("charge.dispute.created", dispute)
    tx.schedule(due, "dispute.deadline", dispute["id"])
    if not inquiry:
        _withdraw(tx, dispute)
    for told in DISPUTED:
        told(tx, charge)
    return dispute


def _disputed(tx: Transaction, charge: Doc) -> int:
    """What open and lost disputes hold of a charge."""
    found = tx.scan("dispute", {"charge": charge["id"]})
    return sum(d["amount"] for d in found if d["status"] not in ("won", "warning_closed"))


def _details(charge: Doc, reason: str, case: str) -> Doc | None:
    card = charge["payment_method_details"].get("card")
    if card is None:
        return None
    code = REASON_CODES.get(reason, "10.4")
    inner = {
        "brand": card["brand"],
        "case_type": case,
        "network": card["brand"],
        "network_reason_code": code,
    }
    return {"type": "card", "card": inner}


# ------------------------------------------------------------------------------------------- money


def _withdraw(tx: Transaction, dispute: Doc) -> None:
    fee = FEES.get(dispute["currency"], 0)
    _move(tx, dispute, -dispute["amount"], fee, "dispute", f"Chargeback withdrawal for {dispute['charge']}")
    _tell(tx, dispute, "charge.dispute.funds_withdrawn")


def _reinstate(tx: Transaction, dispute: Doc) -> None:
    fee = FEES.get(dispute["currency"], 0)
    _move(
        tx,
        dispute,
        dispute["amount"],
        -fee,
        "dispute_reversal",
        f"Chargeback reversal for {dispute['charge']}",
    )
    _tell(tx, dispute, "charge.dispute.funds_reinstated")


def _move(tx: Transaction, dispute: Doc, amount: int, fee: int, category: str, description: str) -> None:
    row = funds.book(
        tx, "adjustment", amount, dispute["currency"], dispute, fee=fee, fee_for="Dispute fee",
        description=description, category=category, at_once=True,
    )  # fmt: skip
    tx.update(dispute, balance_transactions=[*dispute["balance_transactions"], shown(row)])


def _tell(tx: Transaction, dispute: Doc, kind: str) -> None:
    """Events of money moved say what the list of movements was before."""
    tx.emit(kind, dispute, {"balance_transactions": dispute["balance_transactions"][:-1]})


# ---------------------------------------------------------------------------------------- evidence


def answer(tx: Transaction, dispute: Doc, given: Doc | None, submit: bool | None, notes: Doc) -> None:
    """Stage evidence, or submit what is staged; `notes` are changes that need no open dispute."""
    changes = dict(notes)
    submitting = given is not None if submit is None else submit
    if given is not None or submitting:
        _expect_answerable(dispute)
        evidence = dispute["evidence"] | {k: v for k, v in (given or {}).items() if k in _TEXT}
        if sum(len(v) for v in evidence.values() if isinstance(v, str)) > MOST_CHARACTERS:
            raise invalid(
                f"The combined character count of all evidence fields is limited to {MOST_CHARACTERS:,}.",
                "evidence",
            )
        staged = any(v for v in evidence.values())
        details = dispute["evidence_details"] | {"has_evidence": staged}
        if submitting:
            details |= {
                "past_due": tx.now > details["due_by"], "submission_count": details["submission_count"] + 1,
                "submission_method": "manual",
            }  # fmt: skip
            changes["status"] = (
                "warning_under_review" if dispute["status"].startswith("warning") else "under_review"
            )
        changes |= {"evidence": evidence, "evidence_details": details}
    tx.emit("charge.dispute.updated", dispute, tx.update(dispute, changes))
    if submitting:
        tx.unschedule("dispute.deadline", dispute["id"])
        if any(v in _DECISIONS for v in dispute["evidence"].values() if isinstance(v, str)):
            tx.schedule(tx.now + 1, "dispute.decide", dispute["id"])


def _expect_answerable(dispute: Doc) -> None:
    if dispute["status"] not in ("needs_response", "warning_needs_response"):
        closed = dispute["status"] not in OPEN
        raise invalid(
            "This dispute is already closed."
            if closed
            else "Evidence for this dispute has already been submitted."
        )


@timed("dispute.decide")
def _decide(tx: Transaction, identifier: str) -> None:
    """The magic words of the testing page decide soon after they were submitted."""
    dispute = tx.find("dispute", identifier)
    for text in dispute["evidence"].values():
        decision = _DECISIONS.get(text) if isinstance(text, str) else None
        if decision is None or dispute["status"] not in OPEN:
            continue
        if decision is not escalate or dispute["status"].startswith("warning"):
            decision(tx, dispute)


# --------------------------------------------------------------------------------------- decisions


def win(tx: Transaction, dispute: Doc) -> None:
    """The bank decides for the merchant; an inquiry just ends."""
    _expect_open(dispute)
    if dispute["status"].startswith("warning"):
        _close(tx, dispute, "warning_closed")
        return
    charge = tx.find("charge", dispute["charge"])
    _reinstate(tx, dispute)
    _close(tx, dispute, "won")
    tx.update(charge, _refundable=not _held(tx, charge))


def lose(tx: Transaction, dispute: Doc) -> None:
    """The bank decides for the cardholder, or the merchant gives in; an inquiry just ends."""
    _expect_open(dispute)
    _close(tx, dispute, "warning_closed" if dispute["status"].startswith("warning") else "lost")


def escalate(tx: Transaction, dispute: Doc) -> None:
    """An inquiry becomes a chargeback: what has not been refunded meanwhile is withdrawn."""
    if not dispute["status"].startswith("warning_") or dispute["status"] == "warning_closed":
        raise invalid("Only an open inquiry can be escalated.")
    charge = tx.find("charge", dispute["charge"])
    left = min(dispute["amount"], charge["amount"] - charge["amount_refunded"])
    if left <= 0:
        _close(tx, dispute, "warning_closed")
        return
    tx.unschedule("dispute.deadline", dispute["id"])
    tx.unschedule("dispute.lapse", dispute["id"])
    due = tx.now + DAYS_TO_ANSWER * DAY
    previous = tx.update(
        dispute,
        amount=left,
        status="needs_response",
        is_charge_refundable=False,
        evidence_details=dispute["evidence_details"] | {"due_by": due},
        payment_method_details=_details(charge, dispute["reason"], "chargeback"),
    )
    tx.update(charge, _refundable=False)
    tx.schedule(due, "dispute.deadline", dispute["id"])
    tx.emit("charge.dispute.updated", dispute, previous)
    _withdraw(tx, dispute)


_DECISIONS: dict[str, Callable[[Transaction, Doc], None]] = {
    "winning_evidence": win, "losing_evidence": lose, "escalate_inquiry_evidence": escalate,
}  # fmt: skip


def _expect_open(dispute: Doc) -> None:
    if dispute["status"] not in OPEN:
        raise invalid("This dispute is already closed.")


def _close(tx: Transaction, dispute: Doc, status: str) -> None:
    for kind in ("dispute.deadline", "dispute.decide", "dispute.lapse"):
        tx.unschedule(kind, dispute["id"])
    tx.emit("charge.dispute.closed", dispute, tx.update(dispute, status=status))


def _held(tx: Transaction, charge: Doc) -> bool:
    """Whether a chargeback still keeps a charge from being refunded."""
    keeping = ("needs_response", "under_review", "lost")
    return any(d["status"] in keeping for d in tx.scan("dispute", {"charge": charge["id"]}))


@timed("dispute.deadline")
def _deadline(tx: Transaction, identifier: str) -> None:
    """Nobody answered in time: a chargeback is lost, an inquiry waits until it lapses."""
    dispute = tx.find("dispute", identifier)
    if dispute["status"] == "needs_response":
        lose(tx, dispute)
    elif dispute["status"] == "warning_needs_response":
        tx.schedule(dispute["created"] + DAYS_OF_INQUIRY * DAY, "dispute.lapse", identifier)


@timed("dispute.lapse")
def _lapse(tx: Transaction, identifier: str) -> None:
    dispute = tx.find("dispute", identifier)
    if dispute["status"] == "warning_needs_response":
        _close(tx, dispute, "warning_closed")


def _refunded(tx: Transaction, charge: Doc, refund: Doc) -> None:
    """A charge refunded in full is no longer refundable under its inquiry."""
    if charge["refunded"] and charge["disputed"]:
        for dispute in list(tx.scan("dispute", {"charge": charge["id"], "is_charge_refundable": True})):
            tx.emit("charge.dispute.updated", dispute, tx.update(dispute, is_charge_refundable=False))


refunds.REFUNDED.append(_refunded)


# ------------------------------------------------------------------------------------- test cards


def _by_card(reason: str, *, inquiry: bool = False) -> Callable[[Transaction, Doc], None]:
    def after(tx: Transaction, charge: Doc) -> None:
        open_dispute(tx, charge, reason, inquiry=inquiry)

    return after


def _several(tx: Transaction, charge: Doc) -> None:
    half = charge["amount"] // 2
    open_dispute(tx, charge, "fraudulent", amount=half)
    open_dispute(tx, charge, "fraudulent")


payments.AFTERMATH |= {
    "dispute_fraudulent": _by_card("fraudulent"),
    "dispute_product_not_received": _by_card("product_not_received"),
    "dispute_inquiry": _by_card("general", inquiry=True),
    "dispute_several": _several,
}
