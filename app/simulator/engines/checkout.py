"""The life of a Checkout Session: what it comes to, paying it, completing it, letting it expire.

Each mode registers what is its own in MODES; what is common to all of them, and payment mode, live here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.simulator.engines import payments, promotions, setups, totals
from app.simulator.engines.customers import attach, new_customer
from app.simulator.engines.methods import NO_ADDRESS
from app.simulator.errors import StripeError, invalid
from app.simulator.registry import Doc, timed
from app.simulator.transaction import Transaction

RECOVERABLE = 30 * 86400


@dataclass(frozen=True)
class Mode:
    """What is a mode's own: how a session of it is paid (the method is None when none is needed), how it goes on when
    its intent has got anywhere, what it comes to, and what is to be done when it is made."""

    pay: Callable[[Transaction, Doc, Doc | None], StripeError | None]
    after: Callable[[Transaction, Doc, Doc], None]
    reckon: Callable[[Transaction, Doc], Doc]
    opened: Callable[[Transaction, Doc], None] = lambda tx, session: None


MODES: dict[str, Mode] = {}


# ------------------------------------------------------------------------------------------- totals


def reckon(tx: Transaction, session: Doc) -> Doc:
    """The fields that say what the session comes to, from its lines and discounts."""
    return MODES[session["mode"]].reckon(tx, session)


def _reckon_basket(tx: Transaction, session: Doc) -> Doc:
    currency = session["currency"]
    lines = [
        totals.Line(item["price"], item["quantity"], [tx.find("tax_rate", r) for r in item["_rates"]])
        for item in session["_items"]
    ]
    coupons = [tx.find("coupon", d["coupon"]) for d in session["discounts"] or []]
    totals.total(lines, coupons, currency)
    items = [_reckoned(item, line) for item, line in zip(session["_items"], lines, strict=True)]
    subtotal, discount, tax = (sum(getattr(x, k) for x in lines) for k in ("subtotal", "discount", "tax"))
    return {
        "_items": items, "_breakdown": _breakdown(tx, session, lines, discount), "amount_subtotal": subtotal,
        "amount_total": sum(x.total for x in lines),
        "total_details": {"amount_discount": discount, "amount_shipping": 0, "amount_tax": tax},
        "_due": sum(x.total for x in lines),
    }  # fmt: skip


def _reckoned(item: Doc, line: totals.Line) -> Doc:
    return item | {
        "amount_subtotal": line.subtotal, "amount_discount": line.discount, "amount_tax": line.tax,
        "amount_total": line.total, "taxes": _tax_lines(line.taxes),
    }  # fmt: skip


def _tax_lines(taxes: list[tuple[Doc, int, int]]) -> list[Doc]:
    return [
        {"amount": amount, "rate": rate, "taxability_reason": None, "taxable_amount": base}
        for rate, amount, base in taxes
    ]


def _breakdown(tx: Transaction, session: Doc, lines: list[totals.Line], discount: int) -> Doc:
    merged: dict[str, tuple[Doc, int, int]] = {}
    for rate, amount, base in (t for line in lines for t in line.taxes):
        held = merged.get(rate["id"], (rate, 0, 0))
        merged[rate["id"]] = (rate, held[1] + amount, held[2] + base)
    given = [
        {"amount": discount, "discount": discount_of(tx, session, d)}
        for d in (session["discounts"] or [])
        if discount
    ]
    return {"discounts": given, "taxes": _tax_lines(list(merged.values()))}


def discount_of(tx: Transaction, session: Doc, given: Doc) -> Doc:
    """The discount of an open session, as its breakdown shows it."""
    return {
        "id": "di_" + session["id"][-24:], "object": "discount", "checkout_session": session["id"],
        "customer": session["customer"], "customer_account": None, "end": None, "invoice": None, "invoice_item": None,
        "promotion_code": given["promotion_code"], "source": {"coupon": given["coupon"], "type": "coupon"},
        "start": session["created"] or tx.now, "subscription": None, "subscription_item": None,
    }  # fmt: skip


# ------------------------------------------------------------------------------------------- paying


def pay(tx: Transaction, session: Doc, method: Doc | None, details: Doc) -> StripeError | None:
    """Pay an open session with `method` as `details` (email, name, phone, address) say; a decline is returned."""
    if session["status"] != "open":
        raise invalid(
            f"This Checkout Session is {session['status']}, so it cannot be paid.",
            code="checkout_session_closed",
        )
    if session["expires_at"] <= tx.now:
        expire(tx, session)
        raise StripeError(
            400, "This Checkout Session has expired.", code="checkout_session_closed", keep=True
        )
    held = session["customer_details"] or {}
    address = {k: (details.get("address") or {}).get(k) or None for k in NO_ADDRESS}
    person: Doc = {
        "address": address, "business_name": None, "email": details.get("email") or held.get("email"),
        "individual_name": None, "name": details.get("name"), "phone": details.get("phone"), "tax_exempt": "none",
        "tax_ids": [],
    }  # fmt: skip
    tx.update(session, _person=person)
    return MODES[session["mode"]].pay(tx, session, method)


def needs_method(session: Doc) -> bool:
    """Whether the page asks for a way to pay: something is due, or it is kept for later."""
    if session["mode"] == "setup" or session["_due"]:
        return True
    return bool(session["mode"] == "subscription" and session["payment_method_collection"] == "always")


def intent_of(tx: Transaction, session: Doc) -> Doc | None:
    """The intent the session is gone through with: to pay or to set up; None before there is one."""
    name = session["payment_intent"] or session["setup_intent"] or session.get("_intent")
    return intent_named(tx, name) if name else None


def intent_named(tx: Transaction, identifier: str) -> Doc | None:
    """The payment intent or setup intent of an id."""
    return tx.get("setup_intent" if identifier.startswith("seti_") else "payment_intent", identifier)


def want_method(method: Doc | None) -> Doc:
    """The method, if there is one."""
    if method is None:
        raise invalid(
            "A payment method is needed to pay this session.", "payment_method", "parameter_missing"
        )
    return method


def customer_of(tx: Transaction, session: Doc) -> Doc | None:
    """The customer who pays: given, or made now when the session wants one."""
    if session["customer"]:
        owner = tx.get("customer", session["customer"])
        _refresh(tx, session, owner)
        return owner
    if session["customer_creation"] != "always":
        return None
    person = session["_person"]
    made = new_customer(tx, {k: person[k] for k in ("email", "name", "phone", "address")})
    tx.update(session, customer=made["id"])
    return made


def _refresh(tx: Transaction, session: Doc, owner: Doc | None) -> None:
    """Take over what was typed, as far as the session's `customer_update` allows."""
    wish = session.get("_customer_update") or {}
    typed = {k: session["_person"][k] for k in ("address", "name") if wish.get(k) == "auto"}
    changes = {k: v for k, v in typed.items() if v and (k == "name" or v["country"])}
    if owner is not None and not owner.get("deleted") and changes:
        previous = tx.update(owner, changes)
        if previous:
            tx.emit("customer.updated", owner, previous)


def _pay_once(tx: Transaction, session: Doc, method: Doc | None) -> StripeError | None:
    owner = customer_of(tx, session)
    if not session["amount_total"]:
        complete(tx, session, "no_payment_required")
        return None
    method = want_method(method)
    intent = _intent(tx, session, owner)
    error = payments.attempt(tx, intent, method)
    if error is None:
        after_attempt(tx, session, intent)
    return error


def _intent(tx: Transaction, session: Doc, owner: Doc | None) -> Doc:
    held = tx.get("payment_intent", session["payment_intent"])
    fields = {"amount": session["amount_total"], "customer": owner["id"] if owner else None}
    if held is not None:
        tx.update(held, fields)
        return held
    wishes = session["_payment_intent_data"]
    intent = payments.open_intent(
        tx, session["amount_total"], session["currency"],
        wishes | {"customer": fields["customer"], "_session": session["id"], "payment_method_types": session["payment_method_types"]},
    )  # fmt: skip
    tx.update(session, payment_intent=intent["id"])
    return intent


def after_attempt(tx: Transaction, session: Doc, intent: Doc) -> None:
    """Close the session when its intent has got anywhere; a challenge leaves it open."""
    if intent["status"] in ("succeeded", "processing", "requires_capture"):
        MODES[session["mode"]].after(tx, session, intent)


def _paid_once(tx: Transaction, session: Doc, intent: Doc) -> None:
    status = intent["status"]
    method = tx.get("payment_method", intent["payment_method"])
    if intent["setup_future_usage"] and intent["customer"] and method and not method["customer"]:
        attach(tx, method, tx.find("customer", intent["customer"]))
    tx.update(session, _delayed=status == "processing")
    complete(tx, session, "paid" if status == "succeeded" else "unpaid")


MODES["payment"] = Mode(_pay_once, _paid_once, _reckon_basket)


def complete(tx: Transaction, session: Doc, payment_status: str, fields: Doc | None = None) -> None:
    """Close a session that has been gone through, and tell of it."""
    consent = None
    if (session["consent_collection"] or {}).get("terms_of_service") == "required":
        consent = {"promotions": None, "terms_of_service": "accepted"}
    tax = session["automatic_tax"]
    tx.update(
        session,
        (fields or {})
        | {
            "status": "complete", "payment_status": payment_status, "url": None, "consent": consent,
            "customer_details": session["_person"],
            "automatic_tax": tax | {"status": "complete"} if tax["enabled"] else tax,
        },
    )  # fmt: skip
    if session["mode"] == "payment":
        promotions.redeem(tx, session)
    tx.unschedule("checkout.session.expire", session["id"])
    tx.emit("checkout.session.completed", session)


def _told(tx: Transaction, intent: Doc) -> None:
    """A payment that took days has come to its end."""
    session = tx.get("checkout.session", intent.get("_session"))
    if session is None or not session.get("_delayed") or session["status"] != "complete":
        return
    paid = intent["status"] == "succeeded"
    tx.update(session, _delayed=False, payment_status="paid" if paid else "unpaid")
    tx.emit(f"checkout.session.async_payment_{'succeeded' if paid else 'failed'}", session)


payments.SETTLED.append(_told)


# ---------------------------------------------------------------------------------------- expiring


@timed("checkout.session.expire")
def _expiry_due(tx: Transaction, identifier: str) -> None:
    session = tx.get("checkout.session", identifier)
    if session is not None and session["status"] == "open":
        expire(tx, session)


def expire(tx: Transaction, session: Doc) -> None:
    """Close an open session unpaid; its intent, if it has one, is canceled with it."""
    if session["status"] != "open":
        raise invalid("Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a "
                      f"status of \"{session['status']}\".")  # fmt: skip
    tx.unschedule("checkout.session.expire", session["id"])
    after = session["after_expiration"]
    if after and after["recovery"]["enabled"]:
        recovery = {"url": f"{tx.base_url}/c/recover/{session['id']}", "expires_at": tx.now + RECOVERABLE}
        after = {"recovery": after["recovery"] | recovery}
    tx.update(session, status="expired", url=None, after_expiration=after)
    _give_up(tx, intent_of(tx, session))
    tx.emit("checkout.session.expired", session)


def _give_up(tx: Transaction, intent: Doc | None) -> None:
    if intent is None or intent["status"] not in payments.OPEN:
        return
    if intent["object"] == "setup_intent":
        setups.cancel(tx, intent, "abandoned")
    else:
        payments.cancel(tx, intent, "automatic")


def again(tx: Transaction, old: Doc) -> Doc:
    """A fresh session for the same basket, made from the recovery link of an expired one."""
    identifier = tx.new_id("cs_test_")
    recovery = old["after_expiration"]["recovery"]
    fields = {k: v for k, v in old.items() if k not in ("id", "object")}
    fields |= {
        "after_expiration": {"recovery": recovery | {"url": None, "expires_at": None}}, "created": tx.now,
        "allow_promotion_codes": recovery["allow_promotion_codes"] or None, "expires_at": tx.now + 86400,
        "payment_intent": None, "setup_intent": None, "_intent": None, "recovered_from": old["id"], "status": "open",
        "url": f"{tx.base_url}/c/pay/{identifier}",
    }  # fmt: skip
    made = tx.create("checkout.session", fields, id=identifier)
    tx.schedule(made["expires_at"], "checkout.session.expire", identifier)
    MODES[made["mode"]].opened(tx, made)
    return made
