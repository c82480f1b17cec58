"""Ways into the billing portal: /v1/billing_portal/sessions. The pages are in portal_pages."""

from __future__ import annotations

from app.simulator.engines import subscriptions
from app.simulator.errors import invalid
from app.simulator.registry import Doc, Resource, route
from app.simulator.resources import portal_configurations
from app.simulator.resources.checkout_sessions import check_url
from app.simulator.transaction import Transaction

Resource("billing_portal.session", "bps_", label="billing_portal.session", index=("customer",))
UNOPENED = 300
# The feature a flow needs; the details of a flow stand under its own name.
_NEEDS = {
    "customer_update": "customer_update", "payment_method_update": "payment_method_update",
    "subscription_cancel": "subscription_cancel", "subscription_pause": "subscription_pause",
    "subscription_update": "subscription_update", "subscription_update_confirm": "subscription_update",
}  # fmt: skip


@route("POST", "/v1/billing_portal/sessions")
def create(tx: Transaction, params: Doc) -> Doc:
    """A session and the address of its page, which must be opened within five minutes."""
    if "customer" not in params:
        raise invalid("Missing required param: customer.", "customer", "parameter_missing")
    owner = tx.find("customer", params["customer"], "customer")
    check_url(params.get("return_url"), "return_url")
    identifier = tx.new_id("bps_")
    settings = _configuration(tx, params)
    after = params.get("after_expiration")
    doc = tx.create(
        "billing_portal.session",
        {
            "after_expiration": after and {"customer_login": None} | after, "configuration": settings["id"],
            "customer": owner["id"], "flow": _flow(tx, params, settings, owner), "locale": params.get("locale"),
            "on_behalf_of": params.get("on_behalf_of"), "_expires_at": tx.wall + UNOPENED, "_done": False,
            "return_url": params.get("return_url", settings["default_return_url"]),
            "url": f"{tx.base_url}/p/session/{identifier}",
        },
        id=identifier,
    )  # fmt: skip
    tx.emit("billing_portal.session.created", doc)
    return doc


def _configuration(tx: Transaction, params: Doc) -> Doc:
    if "configuration" not in params:
        return portal_configurations.default(tx)
    found = tx.find("billing_portal.configuration", params["configuration"], "configuration")
    if not found["active"]:
        raise invalid("The configuration must be active to create a portal session.", "configuration")
    return found


def _flow(tx: Transaction, params: Doc, settings: Doc, owner: Doc) -> Doc | None:
    given = params.get("flow_data")
    if not given:
        return None
    kind = given["type"]
    if not settings["features"][_NEEDS[kind]]["enabled"]:
        raise invalid(
            f"The feature `{_NEEDS[kind]}` in the portal configuration is disabled, so the flow `{kind}` cannot be used.",
            "flow_data[type]",
        )
    flow: Doc = {"type": kind, "after_completion": _after(given)} | dict.fromkeys(_NEEDS)
    del flow["payment_method_update"]
    if kind == "customer_update":
        flow[kind] = {}
    elif kind.startswith("subscription_"):
        flow[kind] = _about(tx, given.get(kind), kind, owner)
    return flow


def _after(given: Doc) -> Doc:
    wish = given.get("after_completion") or {"type": "portal_homepage"}
    redirect = wish.get("redirect")
    if wish["type"] == "redirect":
        if not redirect:
            where = "flow_data[after_completion][redirect]"
            raise invalid(f"Missing required param: {where}.", where, "parameter_missing")
        check_url(redirect["return_url"], "flow_data[after_completion][redirect][return_url]")
    confirmation = wish.get("hosted_confirmation")
    if wish["type"] == "hosted_confirmation":
        confirmation = {"custom_message": None} | (confirmation or {})
    return {"hosted_confirmation": confirmation, "redirect": redirect, "type": wish["type"]}


def _about(tx: Transaction, given: Doc | None, kind: str, owner: Doc) -> Doc:
    """The subscription a flow is about, which must be the customer's and running."""
    where = f"flow_data[{kind}]"
    if not given:
        raise invalid(f"Missing required param: {where}.", where, "parameter_missing")
    sub = tx.find("subscription", given["subscription"], f"{where}[subscription]")
    if sub["customer"] != owner["id"]:
        raise invalid(
            f"The subscription {sub['id']} does not belong to the customer {owner['id']}.",
            f"{where}[subscription]",
        )
    if sub["status"] in subscriptions.OVER:
        raise invalid(
            f"This subscription cannot be changed: it is {sub['status']}.", f"{where}[subscription]"
        )
    if kind == "subscription_cancel":
        if sub["cancel_at_period_end"]:
            raise invalid(
                "This subscription is already set to be canceled at period end.", f"{where}[subscription]"
            )
        return {"retention": None} | given
    if kind == "subscription_update_confirm":
        return _confirmed(tx, given, sub, where)
    return {"subscription": sub["id"]}


def _confirmed(tx: Transaction, given: Doc, sub: Doc, where: str) -> Doc:
    items = given["items"]
    if len(items) != 1 or len(sub["items"]["data"]) != 1:
        raise invalid("Only subscriptions with one item can be changed by this flow.", f"{where}[items]")
    held = sub["items"]["data"][0]
    if items[0]["id"] != held["id"]:
        raise invalid(
            f"No such subscription item: '{items[0]['id']}'", f"{where}[items][0][id]", "resource_missing"
        )
    if "price" in items[0]:
        tx.find("price", items[0]["price"], f"{where}[items][0][price]")
    blank = {"id": held["id"], "price": held["price"]["id"], "quantity": held.get("quantity")}
    offers = [{"coupon": None, "promotion_code": None} | d for d in given.get("discounts") or []]
    return {"discounts": offers or None, "items": [blank | items[0]], "subscription": sub["id"]}
