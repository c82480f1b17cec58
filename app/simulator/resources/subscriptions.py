"""Subscriptions: /v1/subscriptions."""

from __future__ import annotations

from app.simulator.engines import (
    discounts,
    dunning,
    invoicing,
    setups,
    subscription_changes,
    subscription_pauses,
    subscription_shapes,
    subscriptions,
)
from app.simulator.errors import invalid, missing
from app.simulator.fields import unset
from app.simulator.listing import page
from app.simulator.registry import Doc, Resource, route
from app.simulator.resources.subscription_items import changeable, spec
from app.simulator.resources.subscription_parameters import TERMS, extra_lines, fields_of, future, terms_of
from app.simulator.transaction import Transaction
from app.simulator.versions import Form, translation

__all__ = ["fields_of", "terms_of"]
subscription = Resource(
    "subscription", "sub_", index=("customer", "test_clock", "schedule"), absent=frozenset({"presentment_details"})
)  # fmt: skip
_CANCELED = {"metadata", "cancellation_details"}
_PENDING = {
    "items", "proration_behavior", "proration_date", "payment_behavior", "trial_end", "trial_from_plan", "off_session",
    "billing_cycle_anchor", "add_invoice_items", "discounts",
}  # fmt: skip
invoicing.PAID.append(dunning.paid)
invoicing.FAILED.append(dunning.failed)
invoicing.GIVEN_UP.append(dunning.given_up)
setups.SUCCEEDED.append(dunning.set_up)


@route("GET", "/v1/subscriptions/{subscription_exposed_id}")
def retrieve(tx: Transaction, params: Doc, subscription_exposed_id: str) -> Doc:
    """One subscription, ended ones too."""
    return tx.find("subscription", subscription_exposed_id)


@route("GET", "/v1/subscriptions")
def listed(tx: Transaction, params: Doc) -> Doc:
    """Subscriptions newest first; without `status` those that are not canceled."""
    status, price = params.pop("status", None), params.pop("price", None) or params.pop("plan", None)
    starts, ends = params.pop("current_period_start", None), params.pop("current_period_end", None)

    def keep(doc: Doc) -> bool:
        start, end = subscriptions.period(doc)
        return (
            _has_status(doc, status)
            and (price is None or any(x["price"]["id"] == price for x in doc["items"]["data"]))
            and _between(start, starts)
            and _between(end, ends)
        )

    return page(tx, "subscription", params, "/v1/subscriptions", keep=keep)


def _has_status(doc: Doc, status: str | None) -> bool:
    if status is None:
        return bool(doc["status"] != "canceled")
    if status == "ended":
        return doc["status"] in subscriptions.OVER
    return status == "all" or bool(doc["status"] == status)


def _between(moment: int, bounds: Doc | int | None) -> bool:
    if bounds is None or isinstance(bounds, int):
        return bounds is None or moment == bounds
    above = bounds.get("gt", moment - 1) < moment and bounds.get("gte", moment) <= moment
    below = moment < bounds.get("lt", moment + 1) and moment <= bounds.get("lte", moment)
    return bool(above and below)


# ------------------------------------------------------------------------------------------ creating


@route("POST", "/v1/subscriptions")
def create(tx: Transaction, params: Doc) -> Doc:
    """A subscription with its first invoice."""
    owner = owner_of(tx, params)
    if not params.get("items"):
        raise invalid("Missing required param: items.", "items", "parameter_missing")
    specs = [spec(tx, x, f"items[{i}]", customer=owner["id"]) for i, x in enumerate(params["items"])]
    for i, wanted in enumerate(specs):
        if "price" not in wanted:
            raise invalid(
                f"Missing required param: items[{i}][price].", f"items[{i}][price]", "parameter_missing"
            )
    return subscriptions.begin(tx, owner, specs, terms_of(tx, params, specs), fields_of(tx, params, owner))


def owner_of(tx: Transaction, params: Doc) -> Doc:
    """The customer who subscribes."""
    if "customer" not in params:
        raise invalid("Missing required param: customer.", "customer", "parameter_missing")
    return tx.find("customer", params["customer"], "customer")


# ------------------------------------------------------------------------------------------ changing


@route("POST", "/v1/subscriptions/{subscription_exposed_id}")
def update(tx: Transaction, params: Doc, subscription_exposed_id: str) -> Doc:
    """Change a subscription; items, anchor and trial may cost or give back something."""
    doc = tx.find("subscription", subscription_exposed_id)
    _allowed(doc, params)
    owner = tx.find("customer", doc["customer"])
    fields = fields_of(tx, params, owner, doc)
    if "cancellation_details" in params:
        given = {k: unset(v) for k, v in params["cancellation_details"].items()}
        fields["cancellation_details"] = (doc["cancellation_details"] or {}) | given
    if doc["status"] not in subscriptions.OVER:
        fields |= _ending(tx, doc, params, fields) | _collection(tx, doc, params)
    if "discounts" in params:
        fields["discounts"] = discounts.grant(
            tx, params["discounts"], currency=doc["currency"], customer=owner["id"], subscription=doc["id"]
        )
    held = {x["id"]: x for x in doc["items"]["data"]}
    specs = [
        spec(tx, x, f"items[{i}]", customer=owner["id"], held=held.get(x.get("id", "")))
        for i, x in enumerate(params.get("items") or [])
    ]
    subscription_changes.change(tx, doc, specs, _change_terms(tx, doc, params), fields)
    return doc


def _allowed(doc: Doc, params: Doc) -> None:
    given = params.keys() - {"_legacy"}
    if doc["status"] in subscriptions.OVER and given - _CANCELED:
        changeable(doc)
    if given & {"items", "billing_cycle_anchor", "trial_end"}:
        changeable(doc)
    if params.get("payment_behavior") == "pending_if_incomplete" and given - _PENDING:
        wrong = sorted(given - _PENDING)[0]
        raise invalid(
            f"You can't set `{wrong}` when `payment_behavior` is `pending_if_incomplete`: it is not supported by pending "
            "updates.", wrong,
        )  # fmt: skip


def _change_terms(tx: Transaction, doc: Doc, params: Doc) -> Doc:
    terms: Doc = {k: params[k] for k in TERMS if k in params}
    trial = params.get("trial_end")
    if trial is not None:
        terms["trial_end"] = trial if trial == "now" else future(tx, trial)
    terms["anchor_now"] = (params.get("billing_cycle_anchor") or {}).get("type") == "now"
    terms["extra_lines"] = extra_lines(tx, params, doc["currency"], doc["customer"])
    return terms


def _ending(tx: Transaction, doc: Doc, params: Doc, fields: Doc) -> Doc:
    """To be canceled at a time, at the end of the period, or not any more."""
    at = params.get("cancel_at")
    if at is None and "cancel_at_period_end" not in params:
        return {}
    details = (
        fields.get("cancellation_details")
        or doc["cancellation_details"]
        or subscription_shapes.cancellation()
    )
    if at in (None, "") and not params.get("cancel_at_period_end"):
        return {
            "cancel_at": None, "cancel_at_period_end": False, "canceled_at": None,
            "cancellation_details": details | {"reason": None},
        }  # fmt: skip
    if at and params.get("cancel_at_period_end"):
        raise invalid(
            "You may only specify one of these parameters: cancel_at, cancel_at_period_end.", "cancel_at"
        )
    end = subscriptions.period(doc)[1]
    return {
        "cancel_at": at if isinstance(at, int) else end, "cancel_at_period_end": not at,
        "canceled_at": doc["canceled_at"] or tx.now,
        "cancellation_details": details | {"reason": "cancellation_requested"},
    }  # fmt: skip


def _collection(tx: Transaction, doc: Doc, params: Doc) -> Doc:
    if "pause_collection" not in params:
        return {}
    tx.unschedule("subscription.collect", doc["id"])
    given = params["pause_collection"]
    if given == "":
        return {"pause_collection": None}
    resumes = given.get("resumes_at")
    if resumes is not None:
        tx.schedule(resumes, "subscription.collect", doc["id"])
    return {"pause_collection": {"behavior": given["behavior"], "resumes_at": resumes}}


# -------------------------------------------------------------------------------- ending and pausing


@route("DELETE", "/v1/subscriptions/{subscription_exposed_id}")
def cancel(tx: Transaction, params: Doc, subscription_exposed_id: str) -> Doc:
    """Cancel at once; a second time there is no such subscription."""
    doc = tx.find("subscription", subscription_exposed_id)
    if doc["status"] in subscriptions.OVER:
        raise missing("subscription", subscription_exposed_id)
    details = {k: unset(v) for k, v in (params.get("cancellation_details") or {}).items()}
    subscription_pauses.cancel(
        tx, doc, details, prorate=bool(params.get("prorate")), invoice_now=bool(params.get("invoice_now"))
    )
    return doc


@route("POST", "/v1/subscriptions/{subscription}/pause")
def pause(tx: Transaction, params: Doc, subscription: str) -> Doc:
    """Stop billing until it is resumed."""
    doc = tx.find("subscription", subscription)
    if doc["billing_mode"]["type"] != "flexible":
        raise invalid("Only subscriptions with `billing_mode` set to `flexible` can be paused.")
    if doc["schedule"]:
        raise invalid("You cannot pause a subscription with an attached schedule.")
    if doc["status"] not in ("active", "trialing", "past_due", "unpaid"):
        raise invalid(f"You cannot pause a subscription with a status of `{doc['status']}`.")
    wish = ((params.get("bill_for") or {}).get("unused_time_from") or {}).get("type", "now")
    since = {"now": tx.now, "item_current_period_start": subscriptions.period(doc)[0]}.get(wish)
    subscription_pauses.pause(
        tx, doc, credit_from=since, invoice_now=params.get("invoicing_behavior") == "invoice"
    )
    return doc


@route("POST", "/v1/subscriptions/{subscription}/resume")
def resume(tx: Transaction, params: Doc, subscription: str) -> Doc:
    """Take a paused subscription up again."""
    doc = tx.find("subscription", subscription)
    if doc["status"] != "paused":
        raise invalid(f"You can only resume a paused subscription. This subscription is `{doc['status']}`.")
    anchor = (params.get("billing_cycle_anchor") or {}).get("type", "now")
    subscription_pauses.resume(tx, doc, anchor_now=anchor == "now", terms=params)
    return doc


@route("POST", "/v1/subscriptions/{subscription}/migrate")
def migrate(tx: Transaction, params: Doc, subscription: str) -> Doc:
    """Refused: this simulator's subscriptions are flexible from the start, and classic ones stay classic."""
    doc = tx.find("subscription", subscription)
    if doc["billing_mode"]["type"] == "flexible":
        raise invalid(
            "This subscription has already been migrated to `billing_mode` `flexible`.", "billing_mode"
        )
    raise invalid("This subscription cannot be migrated.", "billing_mode")


# ------------------------------------------------------------------------------------- old spellings


@translation("POST", "/v1/subscriptions", "/v1/subscriptions/{subscription_exposed_id}")
def _old(form: Form) -> Form:
    """Coupons by name, plans, `prorate`, and the anchor as a word."""
    for key in ("coupon", "promotion_code"):
        value = form.pop(key, None)
        if value is not None:
            form["discounts"] = [{key: value}] if value else ""
    prorate = form.pop("prorate", None)
    if prorate is not None:
        form.setdefault("proration_behavior", "create_prorations" if prorate == "true" else "none")
    plan = form.pop("plan", None)
    if plan is not None:
        form.setdefault("items", [{"price": plan}])
    if form.get("billing_cycle_anchor") in ("now", "unchanged"):
        form["billing_cycle_anchor"] = {"type": form["billing_cycle_anchor"]}
    return form


@translation("POST", "/v1/subscriptions/{subscription}/resume")
def _old_anchor(form: Form) -> Form:
    if isinstance(form.get("billing_cycle_anchor"), str):
        form["billing_cycle_anchor"] = {"type": form["billing_cycle_anchor"]}
    return form
