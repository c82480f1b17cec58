"""The life of a SetupIntent: a payment method is kept for later without moving money.

For the API and for Checkout in setup mode alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.simulator import cards
from app.simulator.engines.customers import attach
from app.simulator.engines.payments import AUTHENTICATION_SENTENCE, error_document
from app.simulator.errors import StripeError
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction, shown

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
AUTHENTICATION = "setup_intent_authentication_failure"
# Who wants to know that an intent has succeeded: (tx, intent, payment method).
SUCCEEDED: list[Callable[[Transaction, Doc, Doc], None]] = []
_CARD_OPTIONS: Doc = {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}


def open_intent(tx: Transaction, fields: Doc | None = None) -> Doc:
    """A new intent that waits for a payment method, with its event."""
    identifier = tx.new_id("seti_")
    intent = tx.create(
        "setup_intent",
        {
            "client_secret": f"{identifier}_secret_{tx.new_id('', 31)}", "metadata": {},
            "payment_method_options": {"card": _CARD_OPTIONS}, "payment_method_types": ["card"],
            "status": "requires_payment_method", "usage": "off_session",
        }
        | (fields or {}),
        id=identifier,
    )  # fmt: skip
    tx.emit("setup_intent.created", intent)
    return intent


def attempt(tx: Transaction, intent: Doc, method: Doc) -> StripeError | None:
    """Try to set `method` up. The intent's status says what came of it; a decline is also returned."""
    tx.update(intent, payment_method=method["id"], last_setup_error=None, next_action=None)
    if method["type"] != "card":
        _succeed(tx, intent, method)
        return None
    card = cards.by_number(method["_number"])
    if card.secure != "never":
        _challenge(tx, intent, method)
        return None
    return _finish(tx, intent, method, card)


def resolve_challenge(tx: Transaction, intent: Doc, *, approved: bool) -> StripeError | None:
    """The customer has answered the 3-D Secure challenge."""
    method = tx.find("payment_method", intent["payment_method"])
    tx.update(intent, next_action=None)
    if approved:
        return _finish(tx, intent, method, cards.by_number(method["_number"]))
    error = error_document(AUTHENTICATION, None, AUTHENTICATION_SENTENCE, kind="invalid_request_error")
    return _fail(tx, intent, method, error)


def _challenge(tx: Transaction, intent: Doc, method: Doc) -> None:
    url, back = f"{tx.base_url}/c/3ds/{intent['id']}", intent.get("_return_url")
    action: Doc = {
        "type": "use_stripe_sdk",
        "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url},
    }
    if back:
        action = {"type": "redirect_to_url", "redirect_to_url": {"return_url": back, "url": url}}
    made = _attempt_row(tx, intent, method, "requires_action")
    tx.update(intent, status="requires_action", next_action=action, latest_attempt=made["id"])
    tx.emit("setup_intent.requires_action", intent)


def _finish(tx: Transaction, intent: Doc, method: Doc, card: cards.Card) -> StripeError | None:
    if card.attach_fails and card.code:
        error = error_document(card.code, card.decline_code, card.message)
        return _fail(tx, intent, method, error)
    _succeed(tx, intent, method)
    return None


def _succeed(tx: Transaction, intent: Doc, method: Doc) -> None:
    tx.update(method, _set_up=True)
    owner = tx.get("customer", intent["customer"])
    if owner is not None and not owner.get("deleted") and not method["customer"]:
        attach(tx, method, owner)
    changes: Doc = {"status": "succeeded", "latest_attempt": _attempted(tx, intent, method, "succeeded")}
    if method["type"] != "card":
        changes["mandate"] = _mandate(tx, method)["id"]
    tx.update(intent, changes)
    tx.emit("setup_intent.succeeded", intent)
    for told in SUCCEEDED:
        told(tx, intent, method)


def _fail(tx: Transaction, intent: Doc, method: Doc, error: Doc) -> StripeError:
    error = error | {"payment_method": shown(method)}
    made = _attempted(tx, intent, method, "failed", error)
    tx.update(
        intent,
        status="requires_payment_method",
        payment_method=None,
        last_setup_error=error,
        latest_attempt=made,
    )
    tx.emit("setup_intent.setup_failed", intent)
    return StripeError(
        402, error["message"], kind=error["type"], code=error["code"], decline_code=error.get("decline_code"),
        advice_code=error.get("advice_code"), setup_intent=shown(intent), payment_method=shown(method), keep=True,
    )  # fmt: skip


def _attempted(tx: Transaction, intent: Doc, method: Doc, status: str, error: Doc | None = None) -> str:
    """The id of this attempt in its final state: the one that waited for a challenge, or a new one."""
    held = tx.get("setup_attempt", intent["latest_attempt"])
    if held is not None and held["status"] == "requires_action":
        tx.update(held, status=status, setup_error=error)
        return str(held["id"])
    return str(_attempt_row(tx, intent, method, status, error)["id"])


def _attempt_row(tx: Transaction, intent: Doc, method: Doc, status: str, error: Doc | None = None) -> Doc:
    kind, details = method["type"], method.get("card") or {}
    told = (
        "brand",
        "checks",
        "country",
        "exp_month",
        "exp_year",
        "fingerprint",
        "funding",
        "last4",
        "wallet",
    )
    inner: Doc = {k: details.get(k) for k in told} | {"network": details.get("brand"), "three_d_secure": None}
    return tx.create(
        "setup_attempt",
        {
            "customer": intent["customer"], "payment_method": method["id"], "setup_intent": intent["id"],
            "payment_method_details": {"type": kind, kind: inner if kind == "card" else {}}, "status": status,
            "setup_error": error, "usage": intent["usage"],
        },
    )  # fmt: skip


def _mandate(tx: Transaction, method: Doc) -> Doc:
    kind = method["type"]
    reference = tx.new_id("", 16).upper()
    return tx.create(
        "mandate",
        {
            "customer_acceptance": {
                "accepted_at": tx.now, "online": {"ip_address": "127.0.0.1", "user_agent": "Simulator"}, "type": "online",
            },
            "multi_use": {}, "payment_method": method["id"], "status": "active", "type": "multi_use",
            "payment_method_details": {
                "type": kind, kind: {"reference": reference, "url": f"{tx.base_url}/mandates/{reference}"},
            },
        },
    )  # fmt: skip


def cancel(tx: Transaction, intent: Doc, reason: str | None) -> None:
    """Give up an intent that has not succeeded."""
    if intent["status"] not in OPEN:
        allowed = ", ".join(OPEN)
        raise unexpected(
            intent,
            f"You cannot cancel this SetupIntent because it has a status of {intent['status']}. Only a SetupIntent "
            f"with one of the following statuses may be canceled: {allowed}.",
        )
    tx.update(intent, status="canceled", cancellation_reason=reason, next_action=None)
    tx.emit("setup_intent.canceled", intent)


def expect_open(intent: Doc, doing: str) -> None:
    """Refuse to `doing` (confirm, update) an intent that has come to its end."""
    if intent["status"] in OPEN:
        return
    ended: Any = "already succeeded" if intent["status"] == "succeeded" else "been canceled"
    raise unexpected(intent, f"You cannot {doing} this SetupIntent because it has {ended}.")


def unexpected(intent: Doc, message: str) -> StripeError:
    """What the intent's state does not allow, with the whole intent."""
    return StripeError(400, message, code="setup_intent_unexpected_state", setup_intent=shown(intent))
