"""The pages of Checkout: paying a session, its promotion code, its recovery; the 3-D Secure challenge; receipts."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.simulator import portal
from app.simulator.countries import COUNTRIES
from app.simulator.engines import checkout, clocks, payments, promotions, setups
from app.simulator.errors import StripeError
from app.simulator.page_answers import end, page, store, to, wait_for
from app.simulator.page_forms import Entry, check_email, check_payment, declined, details, method_of, typed
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction

pages = Blueprint("pages", __name__)


@pages.get("/c/pay/<identifier>")
def pay_page(identifier: str) -> Response:
    """The page of an open session; where a closed one ends."""
    tx = store().read()
    session = tx.get("checkout.session", identifier)
    if session is None:
        return end("unknown", None, 404)
    if session["status"] != "open":
        return _closed(session)
    failed = None
    if request.args.get("challenge") == "failed":
        intent = checkout.intent_of(tx, session) or {}
        failed = intent.get("last_payment_error") or intent.get("last_setup_error")
    return _form(tx, session, Entry(_first_values(session)), failed["message"] if failed else None)


@pages.post("/c/pay/<identifier>")
def pay(identifier: str) -> Response:
    """Pay, once: a second submission of a paid session goes where the first one went."""
    entry = typed()
    try:
        return _pay(identifier, entry)
    except StripeError as refused:
        tx = store().read()
        return _form(tx, tx.find("checkout.session", identifier), entry, refused.message, 402)


def _pay(identifier: str, entry: Entry) -> Response:
    with store().write() as tx:
        tx.base_url = request.host_url.rstrip("/")
        clocks.enter(tx, {}, {"session": identifier})
        session = tx.get("checkout.session", identifier)
        if session is None:
            return end("unknown", None, 404)
        if session["status"] == "open" and session["expires_at"] <= tx.now:
            checkout.expire(tx, session)
        if session["status"] == "open":
            _check(entry, session)
            if entry.errors:
                return _form(tx, session, entry, None, 422)
            method = method_of(tx, entry) if checkout.needs_method(session) else None
            error = checkout.pay(tx, session, method, details(entry))
            if error is not None:
                declined(entry, error.code, error.message)
                return _form(tx, session, entry, error.message, 402)
        intent = checkout.intent_of(tx, session)
        waiting = list(tx.deliveries)
    if session["status"] == "open" and intent and intent["status"] == "requires_action":
        return to(f"/c/3ds/{intent['id']}")
    return _leave(session, waiting)


@pages.post("/c/pay/<identifier>/promotion")
def promotion(identifier: str) -> Response:
    """Take a promotion code, or take it off again."""
    with store().write() as tx:
        clocks.enter(tx, {}, {"session": identifier})
        session = tx.get("checkout.session", identifier)
        if session is None or session["status"] != "open" or not session["allow_promotion_codes"]:
            return to(f"/c/pay/{identifier}")
        entry = Entry({**_first_values(session), "promotionCode": request.form.get("promotionCode", "")})
        try:
            given = (
                []
                if "remove" in request.form
                else [promotions.typed(tx, session, entry.values["promotionCode"])]
            )
        except StripeError as error:
            entry.errors["promotionCode"] = error.message
            return _form(tx, session, entry, None, 422)
        tx.update(session, discounts=given)
        tx.update(session, checkout.reckon(tx, session))
    return to(f"/c/pay/{identifier}")


@pages.get("/c/recover/<identifier>")
def recover(identifier: str) -> Response:
    """A new session in place of an expired one that allowed it."""
    with store().write() as tx:
        tx.base_url = request.host_url.rstrip("/")
        clocks.enter(tx, {}, {"session": identifier})
        old = tx.get("checkout.session", identifier)
        recovery = ((old or {}).get("after_expiration") or {}).get("recovery") or {}
        if old is None or not recovery.get("url") or recovery["expires_at"] <= tx.now:
            return end("unknown", None, 404)
        made = checkout.again(tx, old)
    return to(str(made["url"]))


@pages.get("/c/3ds/<identifier>")
def challenge(identifier: str) -> Response:
    """The bank asks whether it is really the cardholder."""
    tx = store().read()
    intent = checkout.intent_named(tx, identifier)
    if intent is None or intent["status"] != "requires_action":
        return _after_challenge(intent, [])
    session = tx.get("checkout.session", intent.get("_session"))
    leads_to = _addresses(session) if session else (intent.get("_return_url"),)
    return page("challenge", leads_to=leads_to, intent=intent)


@pages.post("/c/3ds/<identifier>")
def answer_challenge(identifier: str) -> Response:
    """Approve or fail the challenge."""
    with store().write() as tx:
        tx.base_url = request.host_url.rstrip("/")
        intent = checkout.intent_named(tx, identifier)
        if intent is not None and intent["status"] == "requires_action":
            clocks.enter(tx, {}, {"intent": identifier})
            engine = payments if intent["object"] == "payment_intent" else setups
            engine.resolve_challenge(tx, intent, approved=request.form.get("answer") == "approve")
            session = tx.get("checkout.session", intent.get("_session"))
            if session is not None and session["status"] == "open":
                checkout.after_attempt(tx, session, intent)
            portal.after_challenge(tx, intent)
        waiting = list(tx.deliveries)
    return _after_challenge(intent, waiting)


@pages.get("/receipts/<identifier>")
def receipt(identifier: str) -> Response:
    """What `receipt_url` shows."""
    charge = store().read().get("charge", identifier)
    if charge is None or not charge["paid"]:
        return end("unknown", None, 404)
    return page("receipt", charge=charge)


# ------------------------------------------------------------------------------------------- answers


def _after_challenge(intent: Doc | None, waiting: list[int]) -> Response:
    if intent is None:
        return end("unknown", None, 404)
    session = store().read().get("checkout.session", intent.get("_session"))
    if session is not None:
        if session["status"] == "open":
            return to(f"/c/pay/{session['id']}?challenge=failed")
        return _leave(session, waiting)
    if intent.get("_return_url"):
        joint = "&" if "?" in intent["_return_url"] else "?"
        return to(f"{intent['_return_url']}{joint}{intent['object']}={intent['id']}")
    return end("answered")


def _leave(session: Doc, waiting: list[int]) -> Response:
    """Back to the shop, once it has heard of the payment or ten seconds have passed."""
    if session["status"] != "complete":
        return to(f"/c/pay/{session['id']}")
    wait_for(waiting)
    return to(success_url(session))


def success_url(session: Doc) -> str:
    """Where a paid session leads, with its id filled in."""
    url = str(session["success_url"] or f"/c/pay/{session['id']}")
    for mark in ("{CHECKOUT_SESSION_ID}", "%7BCHECKOUT_SESSION_ID%7D"):
        url = url.replace(mark, session["id"])
    return url


def _closed(session: Doc) -> Response:
    kind, back = session["status"], session["cancel_url"]
    if kind == "complete":
        kind, back = ("set_up" if session["mode"] == "setup" else kind), success_url(session)
    return end(kind, back)


def _form(tx: Transaction, session: Doc, entry: Entry, refusal: str | None, status: int = 200) -> Response:
    coupon = next((tx.get("coupon", d["coupon"]) for d in session["discounts"] or []), None)
    code = next((tx.get("promotion_code", d["promotion_code"]) for d in session["discounts"] or []), None)
    return page(
        "checkout", status, _addresses(session), session=session, items=session["_items"], entry=entry.kept,
        errors=entry.errors, declined=refusal, coupon=coupon, code=code, taxes=session["_breakdown"]["taxes"],
        countries=COUNTRIES, locked=bool((session["customer_details"] or {}).get("email")), due=session["_due"],
        terms=(session["consent_collection"] or {}).get("terms_of_service") == "required",
        needs_method=checkout.needs_method(session), trial_end=_trial_end(tx, session),
    )  # fmt: skip


def _trial_end(tx: Transaction, session: Doc) -> int | None:
    """When the free time of a subscription would end, were it begun now."""
    terms = session.get("_terms") or {}
    days = terms.get("trial_period_days")
    end_of_trial: int | None = terms.get("trial_end")
    return tx.now + days * 86400 if days else end_of_trial


def _addresses(session: Doc) -> tuple[str | None, ...]:
    return session["success_url"], session["cancel_url"]


def _first_values(session: Doc) -> dict[str, str]:
    person = session["customer_details"] or {}
    return {"email": person.get("email") or "", "billingCountry": "US", "method": "card"}


def _check(entry: Entry, session: Doc) -> None:
    values, wrong = entry.values, entry.errors
    held = (session["customer_details"] or {}).get("email")
    if held:
        values["email"] = held
    check_email(values, wrong)
    if (
        session["phone_number_collection"]["enabled"]
        and sum(c.isdigit() for c in values.get("phone", "")) < 6
    ):
        wrong["phone"] = "Enter a phone number."
    if checkout.needs_method(session):
        check_payment(entry)
    if (session["consent_collection"] or {}).get("terms_of_service") == "required" and not values.get(
        "terms"
    ):
        wrong["terms"] = "Agree to the terms of service to pay."
