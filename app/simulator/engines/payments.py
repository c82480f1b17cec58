"""The life of a PaymentIntent: attempts, challenges, declines, captures, cancellation. Charges come from here only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.simulator import cards
from app.simulator.engines import funds
from app.simulator.errors import DOCS, StripeError
from app.simulator.registry import Doc, timed
from app.simulator.transaction import Transaction, shown

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
AUTHENTICATION = "payment_intent_authentication_failure"
AUTHENTICATION_SENTENCE = "We are unable to authenticate your payment method. Please choose a different payment method and try again."
DELAY_OF_DEBIT = 3 * 86400

# What follows a successful charge, by the card's `after`: engines of disputes and fraud add themselves here.
AFTERMATH: dict[str, Callable[[Transaction, Doc], None]] = {}
# Who wants to know that an intent has reached a final state: Checkout and invoices add themselves here.
SETTLED: list[Callable[[Transaction, Doc], None]] = []
# Who wants to know that an attempt was declined: invoices count it.
DECLINED: list[Callable[[Transaction, Doc], None]] = []


def open_intent(tx: Transaction, amount: int, currency: str, fields: Doc | None = None) -> Doc:
    """A new intent that waits for a payment method, with its event."""
    identifier = tx.new_id("pi_")
    intent = tx.create(
        "payment_intent",
        {
            "amount": amount, "currency": currency, "amount_capturable": 0, "amount_received": 0,
            "amount_details": {"tip": {}}, "automatic_payment_methods": None, "capture_method": "automatic_async",
            "client_secret": f"{identifier}_secret_{tx.new_id('')}", "confirmation_method": "automatic",
            "metadata": {}, "payment_method_options": {"card": _CARD_OPTIONS}, "payment_method_types": ["card"],
            "status": "requires_payment_method",
        }
        | (fields or {}),
        id=identifier,
    )  # fmt: skip
    tx.emit("payment_intent.created", intent)
    return intent


_CARD_OPTIONS: Doc = {
    "installments": None, "mandate_options": None, "network": None, "request_three_d_secure": "automatic"
}  # fmt: skip


def attempt(tx: Transaction, intent: Doc, method: Doc, *, off_session: bool = False) -> StripeError | None:
    """Try to pay with `method`. The intent's status says what came of it; a decline is also returned."""
    tx.update(intent, payment_method=method["id"], last_payment_error=None, next_action=None)
    if method["type"] != "card":
        return _debit(tx, intent, method)
    card = cards.by_number(method["_number"])
    needs = card.secure == "always" or (card.secure == "unless_set_up" and not method.get("_set_up"))
    if needs:
        if off_session:
            return _decline(tx, intent, method, card, "authentication_required", "authentication_required",
                            "Your card was declined. This transaction requires authentication.")  # fmt: skip
        return _challenge(tx, intent)
    return _charge(tx, intent, method, card)


def resolve_challenge(tx: Transaction, intent: Doc, *, approved: bool) -> StripeError | None:
    """The customer has answered the 3-D Secure challenge."""
    method = tx.find("payment_method", intent["payment_method"])
    tx.update(intent, next_action=None)
    if approved:
        return _charge(tx, intent, method, cards.by_number(method["_number"]))
    error = error_document(AUTHENTICATION, None, AUTHENTICATION_SENTENCE, kind="invalid_request_error")
    error["payment_method"] = shown(method)
    _fail(tx, intent, error)
    return StripeError(
        402, AUTHENTICATION_SENTENCE, code=AUTHENTICATION, keep=True, payment_intent=shown(intent)
    )


def _challenge(tx: Transaction, intent: Doc) -> StripeError | None:
    url = f"{tx.base_url}/c/3ds/{intent['id']}"
    action = {
        "type": "redirect_to_url",
        "redirect_to_url": {"return_url": intent.get("_return_url"), "url": url},
    }
    if not intent.get("_return_url"):
        action = {
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url},
        }
    tx.update(intent, status="requires_action", next_action=action)
    tx.emit("payment_intent.requires_action", intent)
    return None


def _charge(tx: Transaction, intent: Doc, method: Doc, card: cards.Card) -> StripeError | None:
    if card.code:
        return _decline(tx, intent, method, card, card.code, card.decline_code, card.message)
    held = intent["capture_method"] == "manual"
    charge = _charge_row(tx, intent, method, "succeeded", captured=not held, outcome=_outcome(card))
    if held:
        tx.update(
            intent, status="requires_capture", amount_capturable=intent["amount"], latest_charge=charge["id"]
        )
        tx.emit("charge.succeeded", charge)
        tx.emit("payment_intent.amount_capturable_updated", intent)
        tx.schedule(tx.now + 7 * 86400, "payment_intent.uncaptured", intent["id"])
        return None
    tx.update(intent, latest_charge=charge["id"])
    tx.emit("charge.succeeded", charge)
    _settle_later(tx, charge, card)
    after = AFTERMATH.get(card.after or "")
    if after:
        after(tx, charge)
    _succeed(tx, intent, charge["amount"])
    return None


def _settle_later(tx: Transaction, charge: Doc, card: cards.Card | None = None) -> None:
    """Fees are known a moment after the charge: `charge.updated` tells of them."""
    tx.update(charge, _at_once=bool(card and card.after == "available_at_once"))
    tx.schedule(tx.wall + 1, "charge.balance", charge["id"], clock="")


@timed("charge.balance")
def book_charge(tx: Transaction, identifier: str) -> None:
    """Write the balance_transaction of a captured charge, once, and tell of it."""
    charge = tx.get("charge", identifier)
    if charge is None or charge["balance_transaction"] or not charge["captured"]:
        return
    amount, currency = charge["amount_captured"], charge["currency"]
    kind = "charge" if charge["payment_method_details"]["type"] == "card" else "payment"
    row = funds.book(
        tx, kind, amount, currency, charge, fee=funds.fee_of(amount, currency),
        description=charge["description"], at_once=bool(charge.get("_at_once")),
    )  # fmt: skip
    previous = tx.update(charge, balance_transaction=row["id"])
    tx.emit("charge.updated", charge, previous)


def _succeed(tx: Transaction, intent: Doc, amount: int) -> None:
    method = tx.get("payment_method", intent["payment_method"])
    if method is not None and intent["setup_future_usage"]:
        tx.update(method, _set_up=True)
    tx.update(intent, status="succeeded", amount_received=amount, amount_capturable=0, processing=None)
    tx.emit("payment_intent.succeeded", intent)
    for told in SETTLED:
        told(tx, intent)


def _decline(
    tx: Transaction,
    intent: Doc,
    method: Doc,
    card: cards.Card,
    code: str,
    decline_code: str | None,
    message: str,
) -> StripeError:
    charge = _charge_row(
        tx, intent, method, "failed", captured=False, outcome=_outcome(card, decline_code or code),
        failure=(code, message),
    )  # fmt: skip
    error = error_document(code, decline_code, message, charge=charge["id"]) | {
        "payment_method": shown(method)
    }
    tx.update(intent, latest_charge=charge["id"])
    tx.emit("charge.failed", charge)
    _fail(tx, intent, error)
    return StripeError(
        402, message, kind="card_error", code=code, decline_code=decline_code, charge=charge["id"],
        advice_code=error.get("advice_code"), payment_intent=shown(intent), payment_method=shown(method), keep=True,
    )  # fmt: skip


def _fail(tx: Transaction, intent: Doc, error: Doc) -> None:
    tx.update(
        intent,
        status="requires_payment_method",
        last_payment_error=error,
        payment_method=None,
        processing=None,
    )
    tx.emit("payment_intent.payment_failed", intent)
    for told in DECLINED:
        told(tx, intent)


def error_document(
    code: str, decline_code: str | None, message: str, *, charge: str | None = None, kind: str = "card_error"
) -> Doc:
    """What `last_payment_error` and `last_setup_error` hold."""
    error: Doc = {"code": code, "doc_url": DOCS + code.replace("_", "-"), "message": message, "type": kind}
    if charge:
        error["charge"] = charge
    if decline_code:
        error["decline_code"] = decline_code
        error["advice_code"] = (
            "do_not_try_again" if decline_code in ("lost_card", "stolen_card") else "try_again_later"
        )
    return error


def _outcome(card: cards.Card, reason: str | None = None) -> Doc:
    score = {"normal": 12, "elevated": 68, "highest": 92}[card.risk]
    base: Doc = {
        "advice_code": None, "network_advice_code": None, "network_decline_code": None, "reason": None,
        "network_status": "approved_by_network", "risk_level": card.risk, "risk_score": score,
        "seller_message": "Payment complete.", "type": "authorized",
    }  # fmt: skip
    if reason is None and card.risk == "elevated":
        return base | {
            "reason": "elevated_risk_level", "type": "manual_review",
            "seller_message": "Stripe evaluated this payment as having elevated risk, and placed it in your manual "
            "review queue.",
        }  # fmt: skip
    if reason is None:
        return base
    if card.blocked:
        return base | {
            "network_status": "not_sent_to_network", "reason": "highest_risk_level", "type": "blocked",
            "seller_message": "Stripe blocked this payment as too risky.",
        }  # fmt: skip
    return base | {
        "network_status": "declined_by_network", "reason": reason, "type": "issuer_declined",
        "seller_message": "The bank did not return any further details with this decline.",
    }  # fmt: skip


def _charge_row(
    tx: Transaction,
    intent: Doc,
    method: Doc,
    status: str,
    *,
    captured: bool,
    outcome: Doc | None,
    failure: tuple[str, str] | None = None,
) -> Doc:
    identifier = tx.new_id("ch_" if method["type"] == "card" else "py_")
    return tx.create(
        "charge",
        {
            "amount": intent["amount"], "amount_captured": intent["amount"] if captured else 0, "amount_refunded": 0,
            "billing_details": method["billing_details"], "captured": captured, "currency": intent["currency"],
            "calculated_statement_descriptor": (intent["statement_descriptor"] or "SIMULATOR").upper(),
            "customer": intent["customer"], "description": intent["description"], "disputed": False,
            "failure_code": failure[0] if failure else None, "failure_message": failure[1] if failure else None,
            "fraud_details": {}, "metadata": intent["metadata"], "outcome": outcome, "paid": status == "succeeded",
            "payment_intent": intent["id"], "payment_method": method["id"],
            "payment_method_details": _details(method, intent["amount"]), "receipt_email": intent["receipt_email"],
            "receipt_url": f"{tx.base_url}/receipts/{identifier}" if status == "succeeded" else None,
            "refunded": False, "shipping": intent["shipping"], "statement_descriptor": intent["statement_descriptor"],
            "statement_descriptor_suffix": intent["statement_descriptor_suffix"], "status": status,
            "transfer_group": intent["transfer_group"],
        },
        id=identifier,
    )  # fmt: skip


def _details(method: Doc, amount: int) -> Doc:
    if method["type"] != "card":
        return {"type": method["type"], method["type"]: _DEBIT_DETAILS}
    card = method["card"]
    return {
        "type": "card",
        "card": {
            "amount_authorized": amount, "authorization_code": None, "brand": card["brand"], "checks": card["checks"],
            "country": card["country"], "exp_month": card["exp_month"], "exp_year": card["exp_year"],
            "extended_authorization": {"status": "disabled"}, "fingerprint": card["fingerprint"],
            "funding": card["funding"], "incremental_authorization": {"status": "unavailable"}, "installments": None,
            "last4": card["last4"], "mandate": None, "multicapture": {"status": "unavailable"},
            "network": card["brand"] if card["brand"] != "unknown" else None, "network_token": {"used": False},
            "network_transaction_id": None, "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
            "regulated_status": "unregulated", "three_d_secure": None, "transaction_link_id": None, "wallet": None,
        },
    }  # fmt: skip


_DEBIT_DETAILS: Doc = {
    "bank_code": "37040044", "branch_code": None, "country": "DE", "fingerprint": "SimulatedDebit00",
    "last4": "3000", "mandate": None,
}  # fmt: skip


# ---------------------------------------------------------------------------------- methods that take days


def _debit(tx: Transaction, intent: Doc, method: Doc) -> StripeError | None:
    charge = _charge_row(
        tx, intent, method, "pending", captured=True, outcome=_outcome(cards.BY_NUMBER["4242424242424242"])
    )
    tx.update(intent, status="processing", latest_charge=charge["id"], processing=None)
    tx.emit("payment_intent.processing", intent)
    tx.emit("charge.pending", charge)
    tx.schedule(tx.now + DELAY_OF_DEBIT, "payment_intent.debit", intent["id"])
    return None


@timed("payment_intent.debit")
def _debit_due(tx: Transaction, identifier: str) -> None:
    intent = tx.get("payment_intent", identifier)
    if intent is not None and intent["status"] == "processing":
        method = tx.find("payment_method", intent["payment_method"])
        resolve_debit(tx, intent, succeeded=not method.get("_fails"))


def resolve_debit(tx: Transaction, intent: Doc, *, succeeded: bool) -> None:
    """The bank has answered, days later."""
    tx.unschedule("payment_intent.debit", intent["id"])
    charge = tx.find("charge", intent["latest_charge"])
    method = tx.find("payment_method", intent["payment_method"])
    if succeeded:
        tx.update(charge, status="succeeded", paid=True, receipt_url=f"{tx.base_url}/receipts/{charge['id']}")
        tx.emit("charge.succeeded", charge)
        _settle_later(tx, charge)
        _succeed(tx, intent, intent["amount"])
        return
    message = "The customer's bank account could not be debited."
    tx.update(
        charge,
        status="failed",
        captured=False,
        amount_captured=0,
        failure_code="insufficient_funds",
        failure_message=message,
    )
    tx.emit("charge.failed", charge)
    _fail(
        tx,
        intent,
        error_document("payment_method_provider_decline", None, message, charge=charge["id"])
        | {"payment_method": shown(method)},
    )
    for told in SETTLED:
        told(tx, intent)


# ---------------------------------------------------------------------------------- capture, cancel


def capture(tx: Transaction, intent: Doc, amount: int | None) -> None:
    """Take the money that an authorization holds; what is not taken is released."""
    expect(intent, ("requires_capture",), "captured")
    taken = intent["amount_capturable"] if amount is None else amount
    if not 0 < taken <= intent["amount_capturable"]:
        raise StripeError(400, "The amount_to_capture must be positive and at most the amount that can be captured.",
                          param="amount_to_capture", code="amount_too_large")  # fmt: skip
    charge = tx.find("charge", intent["latest_charge"])
    tx.update(charge, captured=True, amount_captured=taken, amount_refunded=charge["amount"] - taken)
    tx.unschedule("payment_intent.uncaptured", intent["id"])
    method = tx.get("payment_method", intent["payment_method"])
    tx.emit("charge.captured", charge)
    _settle_later(tx, charge, cards.by_number(method["_number"]) if method else None)
    _succeed(tx, intent, taken)


def cancel(tx: Transaction, intent: Doc, reason: str | None) -> None:
    """Give up an intent that has not been paid; a held amount is released."""
    expect(intent, (*OPEN, "requires_capture"), "canceled")
    if intent["status"] == "requires_capture":
        charge = tx.find("charge", intent["latest_charge"])
        previous = tx.update(charge, refunded=True, amount_refunded=charge["amount"])
        tx.emit("charge.refunded", charge, previous)
    tx.unschedule("payment_intent.uncaptured", intent["id"])
    tx.update(
        intent,
        status="canceled",
        canceled_at=tx.now,
        cancellation_reason=reason,
        amount_capturable=0,
        next_action=None,
    )
    tx.emit("payment_intent.canceled", intent)


@timed("payment_intent.uncaptured")
def _uncaptured(tx: Transaction, identifier: str) -> None:
    intent = tx.get("payment_intent", identifier)
    if intent is not None and intent["status"] == "requires_capture":
        cancel(tx, intent, "automatic")
        charge = tx.find("charge", intent["latest_charge"])
        tx.emit("charge.expired", charge)


def expect(intent: Doc, statuses: tuple[str, ...], done: str) -> None:
    """Refuse what the intent's status does not allow, in Stripe's words and with the whole intent."""
    if intent["status"] in statuses:
        return
    allowed: Any = ", ".join(statuses[:-1]) + (" or " if len(statuses) > 1 else "") + statuses[-1]
    raise StripeError(
        400,
        f"This PaymentIntent's status is {intent['status']}, but it must be {allowed} to be {done}."
        if done != "canceled"
        else f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent "
        f"with one of the following statuses may be canceled: {', '.join(statuses)}.",
        code="payment_intent_unexpected_state",
        payment_intent=shown(intent),
    )
