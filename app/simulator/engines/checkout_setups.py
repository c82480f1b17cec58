"""Checkout in setup mode: a payment method is kept for later, nothing is paid."""

from __future__ import annotations

from app.simulator.engines import checkout, setups
from app.simulator.errors import StripeError
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction


def _reckon(tx: Transaction, session: Doc) -> Doc:
    return {"_items": [], "_breakdown": {"discounts": [], "taxes": []}, "_due": 0}


def _opened(tx: Transaction, session: Doc) -> None:
    intent = setups.open_intent(
        tx,
        session["_setup_intent_data"]
        | {
            "customer": session["customer"], "_session": session["id"],
            "payment_method_types": session["payment_method_types"],
        },
    )  # fmt: skip
    tx.update(session, setup_intent=intent["id"])


def _pay(tx: Transaction, session: Doc, method: Doc | None) -> StripeError | None:
    owner = checkout.customer_of(tx, session)
    intent = tx.find("setup_intent", session["setup_intent"])
    tx.update(intent, customer=owner["id"] if owner else None)
    error = setups.attempt(tx, intent, checkout.want_method(method))
    if error is None:
        checkout.after_attempt(tx, session, intent)
    return error


def _after(tx: Transaction, session: Doc, intent: Doc) -> None:
    checkout.complete(tx, session, "no_payment_required")


checkout.MODES["setup"] = checkout.Mode(_pay, _after, _reckon, _opened)
