"""The hosted pages customers see: Checkout, the 3-D Secure challenge, and the ends both can come to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, render_template, request

from app.simulator import cards
from app.simulator.countries import COUNTRIES
from app.simulator.engines import checkout, payments, setups
from app.simulator.engines.methods import card_method, debit_method
from app.simulator.errors import StripeError
from app.simulator.registry import Doc
from app.simulator.store import Store
from app.simulator.transaction import Transaction

pages = Blueprint("pages", __name__)
PATIENCE = 10.0
KEPT = ("email", "billingName", "billingCountry", "billingPostalCode", "phone", "method")
WITH_POSTAL_CODE = frozenset({"US", "GB", "CA"})


def _store() -> Store:
    store: Store = current_app.extensions["store"]
    return store


@dataclass
class Entry:
    """What a person typed, and what is wrong with it."""

    values: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    month: int = 12
    year: int = 2034

    @property
    def number(self) -> str:
        return re.sub(r"[\s-]", "", self.values.get("cardNumber", ""))


# ---------------------------------------------------------------------------------------------- pages


@pages.get("/c/pay/<identifier>")
def pay_page(identifier: str) -> Response:
    """The page of an open session; where a closed one ends."""
    tx = _store().read()
    session = tx.get("checkout.session", identifier)
    if session is None:
        return _end("unknown", None, 404)
    if session["status"] != "open":
        return _end(str(session["status"]), session, 200)
    intent = tx.get("payment_intent", session["payment_intent"])
    failed = (intent or {}).get("last_payment_error") if request.args.get("challenge") == "failed" else None
    return _form(tx, session, Entry(_first_values(session)), failed["message"] if failed else None)


@pages.post("/c/pay/<identifier>")
def pay(identifier: str) -> Response:
    """Pay, once: a second submission of a paid session goes where the first one went."""
    entry = Entry({k: v.strip() for k, v in request.form.items()})
    with _store().write() as tx:
        tx.base_url = request.host_url.rstrip("/")
        session = tx.get("checkout.session", identifier)
        if session is None:
            return _end("unknown", None, 404)
        if session["status"] == "open" and session["expires_at"] <= tx.now:
            checkout.expire(tx, session)
        if session["status"] == "open":
            _check(entry, session)
            if entry.errors:
                return _form(tx, session, entry, None, 422)
            error = checkout.pay(tx, session, _method(tx, entry, session), _details(entry))
            if error is not None:
                return _declined(tx, session, entry, error)
        intent = tx.get("payment_intent", session["payment_intent"])
        waiting = list(tx.deliveries)
    if session["status"] == "open" and intent and intent["status"] == "requires_action":
        return _to(f"/c/3ds/{intent['id']}")
    return _leave(session, waiting)


@pages.post("/c/pay/<identifier>/promotion")
def promotion(identifier: str) -> Response:
    """Take a promotion code, or take it off again."""
    with _store().write() as tx:
        session = tx.get("checkout.session", identifier)
        if session is None or session["status"] != "open" or not session["allow_promotion_codes"]:
            return _to(f"/c/pay/{identifier}")
        entry = Entry({**_first_values(session), "promotionCode": request.form.get("promotionCode", "")})
        try:
            given = (
                []
                if "remove" in request.form
                else [checkout.promotion(tx, session, entry.values["promotionCode"])]
            )
        except StripeError as error:
            entry.errors["promotionCode"] = error.message
            return _form(tx, session, entry, None, 422)
        tx.update(session, discounts=given)
        tx.update(session, checkout.reckon(tx, session))
    return _to(f"/c/pay/{identifier}")


@pages.get("/c/recover/<identifier>")
def recover(identifier: str) -> Response:
    """A new session in place of an expired one that allowed it."""
    with _store().write() as tx:
        tx.base_url = request.host_url.rstrip("/")
        old = tx.get("checkout.session", identifier)
        recovery = ((old or {}).get("after_expiration") or {}).get("recovery") or {}
        if old is None or not recovery.get("url") or recovery["expires_at"] <= tx.now:
            return _end("unknown", None, 404)
        made = checkout.again(tx, old)
    return _to(str(made["url"]))


@pages.get("/c/3ds/<identifier>")
def challenge(identifier: str) -> Response:
    """The bank asks whether it is really the cardholder."""
    tx = _store().read()
    intent = _challenged(tx, identifier)
    if intent is None or intent["status"] != "requires_action":
        return _after_challenge(intent, [])
    body = render_template("simulator/challenge.html", intent=intent, merchant=_merchant())
    return _secured(body, 200, _origins(tx, intent))


@pages.post("/c/3ds/<identifier>")
def answer_challenge(identifier: str) -> Response:
    """Approve or fail the challenge."""
    with _store().write() as tx:
        tx.base_url = request.host_url.rstrip("/")
        intent = _challenged(tx, identifier)
        if intent is not None and intent["status"] == "requires_action":
            engine = payments if intent["object"] == "payment_intent" else setups
            engine.resolve_challenge(tx, intent, approved=request.form.get("answer") == "approve")
            session = tx.get("checkout.session", intent.get("_session"))
            if session is not None and session["status"] == "open":
                checkout.after_attempt(tx, session, intent)
        waiting = list(tx.deliveries)
    return _after_challenge(intent, waiting)


def _challenged(tx: Transaction, identifier: str) -> Doc | None:
    return tx.get("setup_intent" if identifier.startswith("seti_") else "payment_intent", identifier)


@pages.get("/receipts/<identifier>")
def receipt(identifier: str) -> Response:
    """What `receipt_url` shows."""
    charge = _store().read().get("charge", identifier)
    if charge is None or not charge["paid"]:
        return _end("unknown", None, 404)
    return _secured(render_template("simulator/receipt.html", charge=charge, merchant=_merchant()), 200, [])


# ------------------------------------------------------------------------------------------- answers


def _after_challenge(intent: Doc | None, waiting: list[int]) -> Response:
    if intent is None:
        return _end("unknown", None, 404)
    session = _store().read().get("checkout.session", intent.get("_session"))
    if session is not None:
        if session["status"] == "open":
            return _to(f"/c/pay/{session['id']}?challenge=failed")
        return _leave(session, waiting)
    if intent.get("_return_url"):
        joint = "&" if "?" in intent["_return_url"] else "?"
        return _to(f"{intent['_return_url']}{joint}{intent['object']}={intent['id']}")
    return _end("answered", None, 200)


def _leave(session: Doc, waiting: list[int]) -> Response:
    """Back to the shop, once it has heard of the payment or ten seconds have passed."""
    if session["status"] != "complete":
        return _to(f"/c/pay/{session['id']}")
    current_app.extensions["courier"].wait(waiting, PATIENCE)
    return _to(success_url(session))


def success_url(session: Doc) -> str:
    """Where a paid session leads, with its id filled in."""
    url = str(session["success_url"] or f"/c/pay/{session['id']}")
    for mark in ("{CHECKOUT_SESSION_ID}", "%7BCHECKOUT_SESSION_ID%7D"):
        url = url.replace(mark, session["id"])
    return url


def _end(kind: str, session: Doc | None, status: int) -> Response:
    back = success_url(session) if session and kind == "complete" else (session or {}).get("cancel_url")
    return _secured(
        render_template("simulator/end.html", kind=kind, back=back, merchant=_merchant()), status, []
    )


def _declined(tx: Transaction, session: Doc, entry: Entry, error: StripeError) -> Response:
    wrong = {"incorrect_cvc": "cardCvc", "expired_card": "cardExpiry", "incorrect_number": "cardNumber"}
    place = wrong.get(error.code or "", "cardNumber")
    entry.errors[place] = error.message
    return _form(tx, session, entry, error.message, 402)


def _form(tx: Transaction, session: Doc, entry: Entry, declined: str | None, status: int = 200) -> Response:
    coupon = next((tx.get("coupon", d["coupon"]) for d in session["discounts"] or []), None)
    code = next((tx.get("promotion_code", d["promotion_code"]) for d in session["discounts"] or []), None)
    values = {k: entry.values.get(k, "") for k in (*KEPT, "promotionCode")}
    body = render_template(
        "simulator/checkout.html", session=session, items=session["_items"], entry=values, errors=entry.errors,
        declined=declined, coupon=coupon, code=code, taxes=session["_breakdown"]["taxes"], countries=COUNTRIES,
        merchant=_merchant(), locked=bool((session["customer_details"] or {}).get("email")),
        terms=(session["consent_collection"] or {}).get("terms_of_service") == "required",
    )  # fmt: skip
    return _secured(body, status, _origins(tx, None, session))


def _to(url: str) -> Response:
    return Response("", 303, {"Location": url})


def _secured(body: str, status: int, origins: list[str]) -> Response:
    response = Response(body, status)
    targets = " ".join(dict.fromkeys(["'self'", *origins]))
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'none'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action {targets}"
    )
    return response


def _origins(tx: Transaction, intent: Doc | None, session: Doc | None = None) -> list[str]:
    """Where the forms of this page may end up: Chromium holds redirects of a form to form-action too."""
    if session is None and intent is not None:
        session = tx.get("checkout.session", intent.get("_session"))
    urls = [session["success_url"], session["cancel_url"]] if session else [(intent or {}).get("_return_url")]
    found = []
    for url in urls:
        parts = urlsplit(url) if url else None
        if parts and re.fullmatch(r"[\w.:\[\]-]+", parts.netloc, re.A):
            found.append(f"{parts.scheme}://{parts.netloc}")
    return found


def _merchant() -> str:
    return str(current_app.config["MERCHANT"])


# ------------------------------------------------------------------------------------------- reading


def _first_values(session: Doc) -> dict[str, str]:
    person = session["customer_details"] or {}
    return {"email": person.get("email") or "", "billingCountry": "US", "method": "card"}


def _check(entry: Entry, session: Doc) -> None:
    values, wrong = entry.values, entry.errors
    held = (session["customer_details"] or {}).get("email")
    if held:
        values["email"] = held
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", values.get("email", "")):
        wrong["email"] = "Enter an email address like name@example.com."
    if session["phone_number_collection"]["enabled"] and len(re.sub(r"\D", "", values.get("phone", ""))) < 6:
        wrong["phone"] = "Enter a phone number."
    needs_method = bool(session["amount_total"]) or session["mode"] != "payment"
    if needs_method and values.get("method", "card") == "card":
        _check_card(entry)
    if needs_method:
        _check_billing(values, wrong)
    if (session["consent_collection"] or {}).get("terms_of_service") == "required" and not values.get(
        "terms"
    ):
        wrong["terms"] = "Agree to the terms of service to pay."


def _check_card(entry: Entry) -> None:
    values, wrong = entry.values, entry.errors
    if not re.fullmatch(r"[0-9]{12,19}", entry.number):
        wrong["cardNumber"] = "Enter the full card number."
    elif not cards.luhn(entry.number):
        wrong["cardNumber"] = "Your card number is incorrect."
    match = re.fullmatch(r"(0?[1-9]|1[0-2])\s*[/.-]?\s*(20)?([0-9]{2})", values.get("cardExpiry", ""))
    if match is None:
        wrong["cardExpiry"] = "Enter the expiry date as month and year, like 12 / 34."
    else:
        entry.month, entry.year = int(match[1]), 2000 + int(match[3])
        if (entry.year, entry.month) < _store().clock.month():
            wrong["cardExpiry"] = "Your card’s expiry date is in the past."
    if not re.fullmatch(r"[0-9]{3,4}", values.get("cardCvc", "")):
        wrong["cardCvc"] = "Enter the card security code, three or four digits."


def _check_billing(values: dict[str, str], wrong: dict[str, str]) -> None:
    if not values.get("billingName"):
        wrong["billingName"] = "Enter the name on the card."
    country = values.get("billingCountry", "")
    if country not in COUNTRIES:
        wrong["billingCountry"] = "Choose a country."
    if country in WITH_POSTAL_CODE and not values.get("billingPostalCode"):
        wrong["billingPostalCode"] = "Enter the postal code of the billing address."


def _details(entry: Entry) -> Doc:
    values = entry.values
    address = {"country": values.get("billingCountry"), "postal_code": values.get("billingPostalCode")}
    return {
        "email": values.get("email"), "name": values.get("billingName"), "phone": values.get("phone"), "address": address
    }  # fmt: skip


def _method(tx: Transaction, entry: Entry, session: Doc) -> Doc | None:
    if not session["amount_total"] and session["mode"] == "payment":
        return None
    chosen: Any = entry.values.get("method", "card")
    if chosen != "card":
        return debit_method(tx, _details(entry), fails=chosen == "debit_fails")
    return card_method(tx, cards.by_number(entry.number), _details(entry), month=entry.month, year=entry.year)
