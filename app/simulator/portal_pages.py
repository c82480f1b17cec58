"""The pages of the billing portal. All are forms that work without JavaScript; the address is the key."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, Response, request

from app.simulator import portal
from app.simulator.countries import COUNTRIES
from app.simulator.engines import clocks, subscriptions
from app.simulator.errors import StripeError
from app.simulator.page_answers import end, page, store, to, wait_for
from app.simulator.page_forms import Entry, check_email, check_payment, declined, method_of, typed
from app.simulator.registry import Doc
from app.simulator.resources import customers
from app.simulator.transaction import Transaction

portal_pages = Blueprint("portal", __name__)
View = Callable[..., Response]
BOTH = ["GET", "POST"]
_FLOWS = {
    "customer_update": "details", "payment_method_update": "card", "subscription_cancel": "cancel",
    "subscription_pause": "pause", "subscription_update": "plans", "subscription_update_confirm": "confirm",
}  # fmt: skip
_WORDS = {
    "too_expensive": "It is too expensive", "missing_features": "Something I need is missing",
    "switched_service": "I found something else", "unused": "I don’t use it enough",
    "customer_service": "Customer service was not good enough", "too_complex": "It is too complicated",
    "low_quality": "The quality was not good enough", "other": "Another reason",
}  # fmt: skip
_ADDRESS = ("line1", "city", "postal_code", "country")


def _room(view: View) -> View:
    """Let a view work inside an open session, in one transaction; what the API refuses is shown on its form."""

    @wraps(view)
    def inside(identifier: str, **named: str) -> Response:
        try:
            return _entered(view, identifier, named)
        except StripeError as error:
            return _entered(view, identifier, named | {"refused": error.message})

    return inside


def _entered(view: View, identifier: str, named: dict[str, str]) -> Response:
    with store().write() as tx:
        tx.base_url = request.host_url.rstrip("/")
        session = portal.opened(tx, identifier)
        if session is None:
            held = tx.get("billing_portal.session", identifier)
            return end("portal", held["return_url"] if held else None, 410 if held else 404)
        clocks.enter(tx, {}, {"session": identifier})
        if "sub" in named and portal.subscription(tx, session, named["sub"]) is None:
            return to(f"/p/session/{identifier}")
        answer = view(tx, session, **named)
        waiting = list(tx.deliveries)
    if not (answer.location or "/").startswith("/"):
        wait_for(waiting)
    return answer


def _page(tx: Transaction, name: str, session: Doc, refused: str | None = None, **values: Any) -> Response:
    flow = session["flow"] or {}
    redirect = (flow.get("after_completion") or {}).get("redirect") or {}
    status = values.pop("status", 402 if refused else 200)
    return page(
        f"portal_{name}", status, (session["return_url"], redirect.get("return_url")), session=session, refused=refused,
        home=f"/p/session/{session['id']}", features=portal.features(tx, session), errors=values.pop("errors", {}),
        in_flow=bool(flow) and not session["_done"], **values,
    )  # fmt: skip


def _done(tx: Transaction, session: Doc, note: str) -> Response:
    return to(portal.finished(tx, session, note))


def _posted(refused: str | None) -> bool:
    return request.method == "POST" and refused is None


# ---------------------------------------------------------------------------------------------- home


@portal_pages.get("/p/session/<identifier>")
@_room
def home(tx: Transaction, session: Doc, refused: str | None = None) -> Response:
    """What the customer has; a deep link leads on to its own form."""
    flow = session["flow"]
    if flow and not session["_done"]:
        about = flow.get(flow["type"]) or {}
        tail = f"/{about['subscription']}" if "subscription" in about else ""
        return to(f"/p/session/{session['id']}/{_FLOWS[flow['type']]}{tail}")
    owner = tx.find("customer", session["customer"])
    running = tx.scan(
        "subscription", {"customer": owner["id"]}, keep=lambda d: d["status"] not in subscriptions.OVER
    )
    bills = tx.scan("invoice", {"customer": owner["id"]}, keep=lambda d: d["status"] != "draft")
    return _page(
        tx, "home", session, refused, owner=owner, note=request.args.get("note"),
        subs=[_told(tx, session, s) for s in running], method=portal.default_method(tx, owner),
        invoices=[invoice for invoice, _ in zip(bills, range(24), strict=False)],
        profile=tx.find("billing_portal.configuration", session["configuration"])["business_profile"],
    )  # fmt: skip


def _told(tx: Transaction, session: Doc, sub: Doc) -> Doc:
    names = [(tx.get("product", x["price"]["product"]) or {}).get("name", "") for x in sub["items"]["data"]]
    choices = [x for x in portal.plans(tx, session, sub) if not x["current"] or x["limits"]["enabled"]]
    return {
        "doc": sub, "names": names, "ends": subscriptions.period(sub)[1], "changeable": bool(choices),
        "ahead": portal.ahead(tx, sub),
    }  # fmt: skip


@portal_pages.get("/p/session/<identifier>/done")
@_room
def done(tx: Transaction, session: Doc, refused: str | None = None) -> Response:
    """The end of a flow that confirms on its own page."""
    after = (session["flow"] or {}).get("after_completion") or {}
    message = (after.get("hosted_confirmation") or {}).get("custom_message")
    return _page(tx, "done", session, refused, message=message)


@portal_pages.get("/p/session/<identifier>/after")
@_room
def after(tx: Transaction, session: Doc, refused: str | None = None) -> Response:
    """Back from the bank: done, or told why not."""
    name = request.args.get("setup_intent") or request.args.get("payment_intent") or ""
    intent = portal.challenged(tx, session, name)
    if intent is not None and intent["status"] in ("succeeded", "processing"):
        return _done(tx, session, "card" if intent["object"] == "setup_intent" else "plan")
    problem = (intent or {}).get("last_setup_error") or (intent or {}).get("last_payment_error")
    where = "card" if name.startswith("seti_") else "home"
    text = problem["message"] if problem else "This was not completed."
    return _card_form(tx, session, Entry({}), text) if where == "card" else _page(tx, "done", session, text)


# -------------------------------------------------------------------------------------- changing plan


@portal_pages.route("/p/session/<identifier>/plans/<sub>", methods=BOTH)
@_room
def plans(tx: Transaction, session: Doc, sub: str, refused: str | None = None) -> Response:
    """Choose another plan or quantity."""
    doc = tx.find("subscription", sub)
    choices = portal.plans(tx, session, doc)
    if not choices:
        return to(f"/p/session/{session['id']}?note=fixed")
    held = doc["items"]["data"][0]
    values = {"price": held["price"]["id"], "quantity": str(held.get("quantity") or 1)}
    errors: dict[str, str] = {}
    if _posted(refused):
        values |= {k: request.form.get(k, "").strip() for k in values if k in request.form}
        errors = _wrong(values, choices, held)
        if not errors:
            query = f"price={values['price']}&quantity={values['quantity']}"
            return to(f"/p/session/{session['id']}/confirm/{sub}?{query}")
    return _page(
        tx, "plans", session, refused, sub=doc, choices=choices, values=values, errors=errors,
        status=422 if errors else 200, counted=any(x["limits"]["enabled"] for x in choices),
    )  # fmt: skip


def _wrong(values: dict[str, str], choices: list[Doc], held: Doc) -> dict[str, str]:
    chosen = next((x for x in choices if x["price"]["id"] == values["price"]), None)
    if chosen is None:
        return {"price": "Choose a plan."}
    if not re.fullmatch(r"[0-9]{1,6}", values["quantity"], re.A):
        return {"quantity": "Enter a whole number."}
    count, limits, before = int(values["quantity"]), chosen["limits"], held.get("quantity") or 1
    if not limits["enabled"] and count != before:
        return {"quantity": "The quantity of this plan cannot be changed."}
    if limits["enabled"] and not limits["minimum"] <= count <= (limits["maximum"] or 999_999):
        return {"quantity": f"Enter a number from {limits['minimum']} to {limits['maximum'] or 999_999}."}
    if chosen["current"] and count == before:
        return {"price": "This is the plan you have. Choose another one."}
    return {}


@portal_pages.route("/p/session/<identifier>/confirm/<sub>", methods=BOTH)
@_room
def confirm(tx: Transaction, session: Doc, sub: str, refused: str | None = None) -> Response:
    """What a change will cost, and the button that makes it."""
    doc = tx.find("subscription", sub)
    flow = (session["flow"] or {}).get("subscription_update_confirm") or {}
    flowing = bool(flow) and not session["_done"] and flow["subscription"] == sub
    held = doc["items"]["data"][0]
    wished = flow["items"][0] if flowing else request.values
    values = {
        "price": wished.get("price") or "",
        "quantity": str(wished.get("quantity") or held.get("quantity") or 1),
    }
    if not flowing and _wrong(values, portal.plans(tx, session, doc), held):
        return to(f"/p/session/{session['id']}/plans/{sub}")
    price, quantity = values["price"], int(values["quantity"])
    if _posted(refused):
        return _change(tx, session, doc, price, quantity, flow["discounts"] if flowing else None)
    new, later = tx.find("price", price), portal.later(tx, session, doc, price, quantity)
    return _page(
        tx, "confirm", session, refused, sub=doc, values=values, held=held, price=new, flowing=flowing,
        title=tx.find("product", new["product"])["name"], later=later,
        preview=None if later else portal.preview(tx, session, doc, price, quantity), ends=subscriptions.period(doc)[1],
        now=portal.at_once(tx, session, doc, price), old=tx.find("product", held["price"]["product"])["name"],
    )  # fmt: skip


def _change(tx: Transaction, session: Doc, sub: Doc, price: str, quantity: int, offers: Any) -> Response:
    if portal.later(tx, session, sub, price, quantity):
        portal.put_off(tx, sub, price, quantity)
        return _done(tx, session, "later")
    try:
        with tx.apart():
            portal.change(tx, session, sub, price, quantity, waits=False, offers=offers)
    except StripeError as error:
        if error.code != portal.CHALLENGED:
            raise
        intent = portal.change(tx, session, sub, price, quantity, waits=True, offers=offers)
        if intent is None:
            raise
        tx.update(intent, _return_url=f"{tx.base_url}/p/session/{session['id']}/after")
        return to(f"/c/3ds/{intent['id']}")
    portal.change(tx, session, sub, price, quantity, waits=False, offers=offers)
    return _done(tx, session, "plan")


# --------------------------------------------------------------------------------- ending and pausing


@portal_pages.route("/p/session/<identifier>/cancel/<sub>", methods=BOTH)
@_room
def cancel(tx: Transaction, session: Doc, sub: str, refused: str | None = None) -> Response:
    """Say why, and cancel now or at the end of the period; or stay for a coupon."""
    doc = tx.find("subscription", sub)
    wish = portal.features(tx, session)["subscription_cancel"]
    if not wish["enabled"] or doc["cancel_at_period_end"]:
        return to(f"/p/session/{session['id']}")
    flow = (session["flow"] or {}).get("subscription_cancel") or {}
    offer = ((flow.get("retention") or {}).get("coupon_offer") or {}).get("coupon")
    asked = wish["cancellation_reason"]
    options = [(k, text) for k, text in _WORDS.items() if k in asked["options"]] if asked["enabled"] else []
    if _posted(refused):
        if "stay" in request.form and offer:
            portal.stay(tx, doc, offer)
            return _done(tx, session, "stayed")
        reason = request.form.get("feedback")
        comment = request.form.get("comment", "").strip()[:5000] if asked["enabled"] else ""
        portal.cancel(tx, session, doc, reason if reason in dict(options) else None, comment or None)
        return _done(tx, session, "cancel")
    return _page(
        tx, "cancel", session, refused, sub=doc, wish=wish, options=options, ends=subscriptions.period(doc)[1],
        offer=tx.get("coupon", offer) if offer else None,
    )  # fmt: skip


@portal_pages.post("/p/session/<identifier>/renew/<sub>")
@_room
def renew(tx: Transaction, session: Doc, sub: str, refused: str | None = None) -> Response:
    """Do not cancel after all."""
    doc = tx.find("subscription", sub)
    if doc["cancel_at_period_end"] and refused is None:
        portal.stay(tx, doc)
    return to(f"/p/session/{session['id']}?note={'refused' if refused else 'renew'}")


@portal_pages.post("/p/session/<identifier>/keep/<sub>")
@_room
def keep(tx: Transaction, session: Doc, sub: str, refused: str | None = None) -> Response:
    """Do not change the plan after all."""
    doc = tx.find("subscription", sub)
    if portal.ahead(tx, doc) is not None and refused is None:
        portal.keep(tx, doc)
    return to(f"/p/session/{session['id']}?note={'refused' if refused else 'kept'}")


@portal_pages.route("/p/session/<identifier>/pause/<sub>", methods=BOTH)
@_room
def pause(tx: Transaction, session: Doc, sub: str, refused: str | None = None) -> Response:
    """Pause for a while, or until further notice."""
    doc = tx.find("subscription", sub)
    wish = portal.features(tx, session)["subscription_pause"]
    if not wish["enabled"] or doc["status"] not in ("active", "trialing"):
        return to(f"/p/session/{session['id']}")
    options = wish["duration"]["interval_options"] if wish["duration"]["type"] == "interval_options" else []
    if _posted(refused):
        chosen = request.form.get("option", "0")
        index = int(chosen) if chosen in {str(i) for i in range(len(options))} else 0
        portal.pause(tx, doc, options[index] if options else None)
        return _done(tx, session, "pause")
    return _page(tx, "pause", session, refused, sub=doc, options=options)


@portal_pages.post("/p/session/<identifier>/resume/<sub>")
@_room
def resume(tx: Transaction, session: Doc, sub: str, refused: str | None = None) -> Response:
    """Take a paused subscription up again."""
    doc = tx.find("subscription", sub)
    if doc["status"] == "paused" and refused is None:
        portal.resume(tx, doc)
    return to(f"/p/session/{session['id']}?note={'refused' if refused else 'resume'}")


# ------------------------------------------------------------------------------ ways to pay, details


@portal_pages.route("/p/session/<identifier>/card", methods=BOTH)
@_room
def card(tx: Transaction, session: Doc, refused: str | None = None) -> Response:
    """Pay with another card from now on."""
    if not portal.features(tx, session)["payment_method_update"]["enabled"]:
        return to(f"/p/session/{session['id']}")
    entry = typed() if request.method == "POST" else Entry({"billingCountry": "US"})
    if not _posted(refused):
        return _card_form(tx, session, entry, refused)
    entry.values["method"] = "card"
    check_payment(entry)
    if entry.errors:
        return _card_form(tx, session, entry, None, 422)
    intent, error = portal.set_up(tx, session, method_of(tx, entry))
    if error is not None:
        declined(entry, error.code, error.message)
        return _card_form(tx, session, entry, error.message)
    if intent["status"] == "requires_action":
        return to(f"/c/3ds/{intent['id']}")
    return _done(tx, session, "card")


def _card_form(tx: Transaction, session: Doc, entry: Entry, refused: str | None, status: int = 0) -> Response:
    return _page(
        tx, "card", session, refused, entry=entry.kept, errors=entry.errors, countries=COUNTRIES,
        status=status or (402 if refused else 200),
    )  # fmt: skip


@portal_pages.route("/p/session/<identifier>/details", methods=BOTH)
@_room
def details(tx: Transaction, session: Doc, refused: str | None = None) -> Response:
    """Name, addresses and phone, as far as they may be changed."""
    wish = portal.features(tx, session)["customer_update"]
    allowed = [k for k in ("email", "name", "phone", "address") if k in wish["allowed_updates"]]
    if not wish["enabled"] or not allowed:
        return to(f"/p/session/{session['id']}")
    owner = tx.find("customer", session["customer"])
    values = {k: owner[k] or "" for k in ("email", "name", "phone")}
    values |= {k: (owner["address"] or {}).get(k) or "" for k in _ADDRESS}
    errors: dict[str, str] = {}
    if _posted(refused):
        values |= {k: request.form.get(k, "").strip() for k in values}
        if "email" in allowed:
            check_email(values, errors)
        if values["country"] and values["country"] not in COUNTRIES:
            errors["country"] = "Choose a country."
        if not errors:
            params: Doc = {k: values[k] for k in allowed if k != "address"}
            if "address" in allowed:
                params["address"] = {k: values[k] for k in _ADDRESS}
            customers.update(tx, params, owner["id"])
            return _done(tx, session, "details")
    return _page(
        tx, "details", session, refused, values=values, errors=errors, allowed=allowed, countries=COUNTRIES,
        status=422 if errors else 402 if refused else 200,
    )  # fmt: skip
