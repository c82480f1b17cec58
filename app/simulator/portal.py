"""What a customer may do in the billing portal, in terms of the API: every act is the call a shop could make itself."""

from __future__ import annotations

from typing import Any

from app.simulator.engines import checkout, collecting, periods, setups, subscription_items, subscriptions
from app.simulator.errors import StripeError
from app.simulator.registry import Doc, timed
from app.simulator.resources import customers, invoice_previews
from app.simulator.resources import subscription_schedules as schedules
from app.simulator.resources import subscriptions as calls
from app.simulator.transaction import Transaction

IDLE = 3600
CHALLENGED = "subscription_payment_intent_requires_action"


def opened(tx: Transaction, identifier: str) -> Doc | None:
    """The session, good for an hour from now; None when there is none or it has expired."""
    session = tx.get("billing_portal.session", identifier)
    if session is None or session["_expires_at"] <= tx.wall:
        return None
    tx.update(session, _expires_at=tx.wall + IDLE)
    return session


def features(tx: Transaction, session: Doc) -> Doc:
    """What the session's configuration allows."""
    found: Doc = tx.find("billing_portal.configuration", session["configuration"])["features"]
    return found


def subscription(tx: Transaction, session: Doc, identifier: str) -> Doc | None:
    """A running subscription of the session's customer."""
    sub = tx.get("subscription", identifier)
    if sub is None or sub["customer"] != session["customer"] or sub["status"] in subscriptions.OVER:
        return None
    return sub


def finished(tx: Transaction, session: Doc, note: str) -> str:
    """Where to go when something has been done: home with a note, or where the flow ends."""
    home = f"/p/session/{session['id']}"
    flow = session["flow"]
    if flow is None or session["_done"]:
        return f"{home}?note={note}"
    tx.update(session, _done=True)
    after = flow["after_completion"]
    if after["type"] == "redirect":
        return str(after["redirect"]["return_url"])
    return f"{home}/done" if after["type"] == "hosted_confirmation" else f"{home}?note={note}"


# -------------------------------------------------------------------------------------- plan changes


def plans(tx: Transaction, session: Doc, sub: Doc) -> list[Doc]:
    """The prices a subscription of one item can be changed to: product, price, current, quantity limits."""
    config = tx.find("billing_portal.configuration", session["configuration"])
    wish, items = config["features"]["subscription_update"], sub["items"]["data"]
    if (
        not wish["enabled"]
        or len(items) != 1
        or sub["schedule"]
        or sub["status"] not in ("active", "trialing", "past_due")
    ):
        return []
    held = items[0]["price"]["id"]
    found: list[Doc] = []
    for product in config["_products"]:
        limits = (
            product["adjustable_quantity"]
            if "quantity" in wish["default_allowed_updates"]
            else {"enabled": False}
        )
        for name in product["prices"]:
            price = tx.find("price", name)
            current = name == held
            if (current or "price" in wish["default_allowed_updates"]) and price["currency"] == sub[
                "currency"
            ]:
                title = tx.find("product", price["product"])["name"]
                found.append({"name": title, "price": price, "current": current, "limits": limits})
    return found


def _wished(tx: Transaction, session: Doc, sub: Doc, price: str, quantity: int | None) -> Doc:
    """The change in the words of the API."""
    wish = features(tx, session)["subscription_update"]
    item: Doc = {"id": sub["items"]["data"][0]["id"], "price": price}
    if quantity is not None:
        item["quantity"] = quantity
    params: Doc = {"items": [item], "proration_behavior": wish["proration_behavior"]}
    if wish["billing_cycle_anchor"] == "now":
        params["billing_cycle_anchor"] = {"type": "now"}
    if sub["status"] == "trialing" and wish["trial_update_behavior"] == "end_trial":
        params["trial_end"] = "now"
    return params


def preview(tx: Transaction, session: Doc, sub: Doc, price: str, quantity: int | None) -> Doc:
    """The invoice that the change brings, now or at the end of the period."""
    params = {
        "subscription": sub["id"], "subscription_details": _wished(tx, session, sub, price, quantity),
    }  # fmt: skip
    with tx.apart():
        found: Doc = invoice_previews.create_preview(tx, params)
        return found


def at_once(tx: Transaction, session: Doc, sub: Doc, price: str) -> bool:
    """Whether the change is billed now."""
    wish = features(tx, session)["subscription_update"]
    before, after = sub["items"]["data"][0]["price"]["recurring"], tx.find("price", price)["recurring"]
    anew = (before["interval"], before["interval_count"]) != (after["interval"], after["interval_count"])
    ends_trial = sub["status"] == "trialing" and wish["trial_update_behavior"] == "end_trial"
    always: bool = wish["proration_behavior"] == "always_invoice"
    return always or anew or ends_trial or bool(wish["billing_cycle_anchor"] == "now")


def change(
    tx: Transaction,
    session: Doc,
    sub: Doc,
    price: str,
    quantity: int | None,
    *,
    waits: bool,
    offers: Any = None,
) -> Doc | None:
    """Change the plan: all or nothing, or with `waits` once its invoice is paid; returns the intent to confirm."""
    params = _wished(tx, session, sub, price, quantity)
    params["payment_behavior"] = "pending_if_incomplete" if waits else "error_if_incomplete"
    if offers:
        params["discounts"] = [{k: v for k, v in offer.items() if v} for offer in offers]
    calls.update(tx, params, sub["id"])
    invoice = tx.get("invoice", sub["latest_invoice"]) if waits else None
    return collecting.intent_of(tx, invoice) if invoice else None


def later(tx: Transaction, session: Doc, sub: Doc, price: str, quantity: int | None) -> bool:
    """Whether the change waits for the end of the period: it is cheaper or shorter, and the configuration says so."""
    wish = features(tx, session)["subscription_update"]["schedule_at_period_end"]
    held = sub["items"]["data"][0]
    new: Doc = {"price": tx.find("price", price), "quantity": quantity}
    cheaper = subscription_items.cost(tx, new, sub["currency"]) < subscription_items.cost(
        tx, held, sub["currency"]
    )
    shorter = _days(new["price"]["recurring"]) < _days(held["price"]["recurring"])
    met = {"decreasing_item_amount": cheaper, "shortening_interval": shorter}
    return sub["status"] != "trialing" and any(met[c["type"]] for c in wish["conditions"])


def _days(recurring: Doc) -> int:
    count: int = recurring["interval_count"]
    return {"day": 1, "week": 7, "month": 30, "year": 365}[recurring["interval"]] * count


def put_off(tx: Transaction, sub: Doc, price: str, quantity: int | None) -> None:
    """Change the plan at the end of the period, by a schedule."""
    made = schedules.create(tx, {"from_subscription": sub["id"]})
    held = made["phases"][0]
    items = [{k: x[k] for k in ("price", "quantity", "tax_rates") if x[k]} for x in held["items"]]
    now = {"start_date": held["start_date"], "end_date": held["end_date"], "items": items}
    new = items[0] | {"price": price} | ({} if quantity is None else {"quantity": quantity})
    after = {"items": [new], "proration_behavior": "none"}
    schedules.update(tx, {"phases": [now, after], "end_behavior": "release"}, made["id"])


def ahead(tx: Transaction, sub: Doc) -> Doc | None:
    """The change that a subscription is scheduled for: when, and to what."""
    schedule = tx.get("subscription_schedule", sub["schedule"])
    stage = next((p for p in (schedule or {}).get("phases", []) if p["start_date"] > tx.now), None)
    if stage is None:
        return None
    price = tx.find("price", stage["items"][0]["price"])
    title = tx.find("product", price["product"])["name"]
    return {
        "at": stage["start_date"],
        "name": title,
        "price": price,
        "quantity": stage["items"][0]["quantity"],
    }


def keep(tx: Transaction, sub: Doc) -> None:
    """Forget a scheduled change."""
    schedules.release(tx, {}, sub["schedule"])


# --------------------------------------------------------------------------------- ending and pausing


def cancel(tx: Transaction, session: Doc, sub: Doc, feedback: str | None, comment: str | None) -> None:
    """Cancel as the configuration says: at the end of the period, or now."""
    wish = features(tx, session)["subscription_cancel"]
    said = {k: v for k, v in (("feedback", feedback), ("comment", comment)) if v}
    if wish["mode"] == "at_period_end":
        params: Doc = {"cancel_at_period_end": True} | ({"cancellation_details": said} if said else {})
        calls.update(tx, params, sub["id"])
    else:
        prorate = wish["proration_behavior"] == "create_prorations"
        calls.cancel(tx, {"prorate": prorate, "cancellation_details": said}, sub["id"])


def stay(tx: Transaction, sub: Doc, coupon: str | None = None) -> None:
    """Take a cancellation back, or take the coupon that was offered instead of one."""
    params: Doc = {"discounts": [{"coupon": coupon}]} if coupon else {"cancel_at_period_end": False}
    calls.update(tx, params, sub["id"])


def pause(tx: Transaction, sub: Doc, option: Doc | None) -> None:
    """Pause, until resumed or for as long as the option says."""
    calls.pause(tx, {}, sub["id"])
    if option:
        at = periods.after(tx.now, option["interval"], option["interval_count"])
        tx.schedule(at, "portal.resume", sub["id"], clock=sub["test_clock"] or "")


def resume(tx: Transaction, sub: Doc) -> None:
    """Take a paused subscription up again."""
    tx.unschedule("portal.resume", sub["id"])
    calls.resume(tx, {}, sub["id"])


@timed("portal.resume")
def _resume_due(tx: Transaction, identifier: str) -> None:
    sub = tx.get("subscription", identifier)
    if sub is not None and not sub.get("deleted") and sub["status"] == "paused":
        resume(tx, sub)


# ------------------------------------------------------------------------------ ways to pay, details


def set_up(tx: Transaction, session: Doc, method: Doc) -> tuple[Doc, StripeError | None]:
    """Keep a new card: the intent, which may want a challenge, and the error of a decline."""
    back = f"{tx.base_url}/p/session/{session['id']}/after"
    intent = setups.open_intent(
        tx, {"customer": session["customer"], "_return_url": back, "_portal": session["id"]}
    )
    error = setups.attempt(tx, intent, method)
    after_challenge(tx, intent)
    return intent, error


def after_challenge(tx: Transaction, intent: Doc) -> None:
    """A card of the portal that is set up becomes the one that is charged."""
    if not intent.get("_portal") or intent["status"] != "succeeded":
        return
    method = {"default_payment_method": intent["payment_method"]}
    customers.update(tx, {"invoice_settings": method}, intent["customer"])
    for sub in list(tx.scan("subscription", {"customer": intent["customer"]})):
        if sub["default_payment_method"] and sub["status"] not in subscriptions.OVER:
            calls.update(tx, dict(method), sub["id"])


def default_method(tx: Transaction, owner: Doc) -> Doc | None:
    """The method that is charged: the customer's default, or that of a running subscription."""
    subs = tx.scan(
        "subscription", {"customer": owner["id"]}, keep=lambda d: d["status"] not in subscriptions.OVER
    )
    names = [
        owner["invoice_settings"]["default_payment_method"],
        *(s["default_payment_method"] for s in subs),
    ]
    return next((tx.get("payment_method", n) for n in names if n), None)


def challenged(tx: Transaction, session: Doc, identifier: str) -> Doc | None:
    """The intent a person comes back from, if it is the session's customer's."""
    intent = checkout.intent_named(tx, identifier)
    return intent if intent is not None and intent["customer"] == session["customer"] else None
