"""Checkout Sessions: /v1/checkout/sessions. What they come to and how they are paid is in engines.checkout."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from app.money import MAXIMUM_CHARGE, MINIMUM_CHARGE, Money, format_money
from app.simulator.engines import (
    checkout,
    checkout_setups,  # noqa: F401 - each registers its mode
    checkout_subscriptions,  # noqa: F401
    promotions,
)
from app.simulator.engines.customers import address
from app.simulator.errors import StripeError, invalid, missing
from app.simulator.fields import merged, plain
from app.simulator.listing import list_of, lists, retrieves, sliced
from app.simulator.registry import Doc, Resource, route
from app.simulator.resources import subscriptions
from app.simulator.resources.checkout_items import item, one_currency
from app.simulator.transaction import Transaction

session = Resource(
    "checkout.session",
    "cs_test_",
    label="checkout.session",
    index=("payment_intent", "customer", "subscription", "status"),
    absent=frozenset(
        {"line_items", "name_collection", "presentment_details", "redirect_on_completion", "return_url"}
    ),
)
retrieves("checkout.session", "/v1/checkout/sessions/{session}")
lists(
    "checkout.session",
    "/v1/checkout/sessions",
    customer_details=lambda doc, wanted: (doc["customer_details"] or {}).get("email") == wanted["email"],
)
_GIVEN = (
    "allow_promotion_codes", "allowed_payment_method_types", "billing_address_collection", "cancel_url",
    "client_reference_id", "customer_email", "excluded_payment_method_types", "locale", "origin_context",
    "payment_method_collection", "submit_type", "success_url",
)  # fmt: skip
_DAY, _HALF_HOUR, _MOST = 86400, 1800, 20
# Parameters that belong to other modes.
_NOT_IN = {
    "payment": ("subscription_data", "setup_intent_data"),
    "subscription": ("payment_intent_data", "setup_intent_data", "customer_creation", "invoice_creation"),
    "setup": ("payment_intent_data", "subscription_data", "line_items", "discounts", "allow_promotion_codes",
              "invoice_creation"),
}  # fmt: skip


@session.include("line_items")
def _line_items(tx: Transaction, doc: Doc) -> Doc:
    items = tx.find("checkout.session", doc["id"])["_items"]
    return list_of(items[:10], f"/v1/checkout/sessions/{doc['id']}/line_items", len(items) > 10)


@session.include("total_details.breakdown")
def _breakdown(tx: Transaction, doc: Doc) -> Any:
    return tx.find("checkout.session", doc["id"])["_breakdown"]


@route("POST", "/v1/checkout/sessions")
def create(tx: Transaction, params: Doc) -> Doc:
    """A session and the address of its page."""
    mode = params.get("mode", "payment")
    _check(tx, params, mode)
    identifier = tx.new_id("cs_test_")
    items = [
        item(tx, given, f"line_items[{i}]", mode, params)
        for i, given in enumerate(params.get("line_items", []))
    ]
    currency = one_currency(items, params)
    hosted = params.get("ui_mode", "hosted_page") == "hosted_page"
    doc = {
        "id": identifier, "created": tx.now, "mode": mode, "currency": currency, "_items": items,
        "discounts": None, "customer": params.get("customer"), "customer_details": _person(tx, params),
    }  # fmt: skip
    doc |= {k: params[k] for k in _GIVEN if k in params} | _settings(params, mode)
    doc |= _subscribing(tx, params, items) if mode == "subscription" else {}
    if "discounts" in params:
        doc["discounts"] = [_given_discount(tx, d, currency, i) for i, d in enumerate(params["discounts"])]
    elif params.get("allow_promotion_codes"):
        doc["discounts"] = []
    doc |= checkout.reckon(tx, doc)
    _check_discounts(tx, doc)
    _check_total(doc)
    doc |= {
        "url": f"{tx.base_url}/c/pay/{identifier}" if hosted else None,
        "client_secret": None if hosted else f"{identifier}_secret_{tx.new_id('')}",
        "expires_at": params.get("expires_at", tx.now + _DAY), "_payment_intent_data": _intent_fields(params),
        "_setup_intent_data": _setup_fields(params), "_customer_update": params.get("customer_update"),
    }  # fmt: skip
    stored = tx.create("checkout.session", doc, id=identifier)
    tx.schedule(stored["expires_at"], "checkout.session.expire", identifier)
    checkout.MODES[mode].opened(tx, stored)
    return stored


def _subscribing(tx: Transaction, params: Doc, items: list[Doc]) -> Doc:
    """What a session keeps of how its subscription is to begin."""
    data: Doc = params.get("subscription_data") or {}
    recurring = [x for x in items if x["price"]["recurring"]]
    if not recurring:
        raise invalid(
            "You must provide at least one recurring price in `subscription` mode when using prices.",
            "line_items",
        )
    if len(recurring) > _MOST or len(items) - len(recurring) > _MOST:
        raise invalid(f"You can pass at most {_MOST} recurring and {_MOST} one-time items.", "line_items")
    if "trial_end" in data and data["trial_end"] < tx.now + 2 * _DAY:
        raise invalid(
            "The `trial_end` date has to be at least 2 days in the future.", "subscription_data[trial_end]"
        )
    if data.get("trial_period_days", 1) < 1:
        raise invalid("The minimum number of trial period days is 1.", "subscription_data[trial_period_days]")
    terms = subscriptions.terms_of(tx, data | {"customer": None}, recurring)
    kept = {k: terms[k] for k in ("billing_cycle_anchor", "proration_behavior") if terms.get(k)}
    kept |= {k: data[k] for k in ("trial_end", "trial_period_days") if k in data}
    return {"_terms": kept, "_subscription_fields": subscriptions.fields_of(tx, data, {})}


def _setup_fields(params: Doc) -> Doc:
    data: Doc = params.get("setup_intent_data") or {}
    return {"description": data.get("description"), "metadata": plain(data.get("metadata"))}


def _check(tx: Transaction, params: Doc, mode: str) -> None:
    for key in _NOT_IN[mode]:
        if key in params:
            raise invalid(f"You can not pass `{key}` in `{mode}` mode.", key)
    if mode == "setup" and not {"currency", "allowed_payment_method_types"} & params.keys():
        raise invalid("Missing required param: currency.", "currency", "parameter_missing")
    if params.get("ui_mode", "hosted_page") == "hosted_page" and "success_url" not in params:
        raise invalid("Missing required param: success_url.", "success_url", "parameter_missing")
    for key in ("success_url", "cancel_url", "return_url"):
        check_url(params.get(key), key)
    if "customer" in params and "customer_email" in params:
        raise invalid("You may only specify one of these parameters: customer, customer_email.", "customer")
    if "discounts" in params and params.get("allow_promotion_codes"):
        raise invalid(
            "You may only specify one of these parameters: allow_promotion_codes, discounts.", "discounts"
        )
    if "customer" in params:
        tx.find("customer", params["customer"], "customer")
    if mode != "setup" and not params.get("line_items"):
        raise invalid("Missing required param: line_items.", "line_items", "parameter_missing")
    if len(params.get("line_items", [])) > 100:
        raise invalid("You can pass at most 100 line items.", "line_items")
    expires = params.get("expires_at")
    if expires is not None and expires < tx.now + _HALF_HOUR - 60:
        raise invalid(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.",
            "expires_at",
        )
    if expires is not None and expires > tx.now + _DAY + 60:
        raise invalid(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            "expires_at",
        )


def check_url(url: str | None, param: str) -> None:
    """Refuse what a browser could not be sent to."""
    if url is None:
        return
    try:
        parts = urlsplit(url.replace("{CHECKOUT_SESSION_ID}", "x"))
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good:
        raise invalid("Not a valid URL", param, "url_invalid")


def _settings(params: Doc, mode: str) -> Doc:
    """Fields that have a value whether or not the caller gave one."""
    recovery = (params.get("after_expiration") or {}).get("recovery")
    tax = params.get("automatic_tax") or {"enabled": False}
    invoices = params.get("invoice_creation")
    consent = params.get("consent_collection")
    customer = params.get("customer_creation", "always" if mode == "subscription" else "if_required")
    automatic = {
        "enabled": tax["enabled"],
        "liability": {"type": "self"} if tax["enabled"] else None,
        "provider": None,
    }
    automatic["status"] = "requires_location_inputs" if tax["enabled"] else None
    if tax["enabled"]:
        automatic["provider"] = "stripe"
    return {
        "adaptive_pricing": {"enabled": bool((params.get("adaptive_pricing") or {}).get("enabled"))},
        "after_expiration": recovery and {"recovery": {
            "allow_promotion_codes": recovery.get("allow_promotion_codes", False), "enabled": recovery["enabled"],
            "expires_at": None, "url": None,
        }},
        "automatic_tax": automatic,
        "consent_collection": consent and {
            "payment_method_reuse_agreement": consent.get("payment_method_reuse_agreement"),
            "promotions": consent.get("promotions"), "terms_of_service": consent.get("terms_of_service"),
        },
        "custom_fields": [_custom_field(f) for f in params.get("custom_fields") or []],
        "custom_text": dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance"))
        | {k: v or None for k, v in (params.get("custom_text") or {}).items()},
        "customer_creation": None if "customer" in params else customer,
        "invoice_creation": {"enabled": bool(invoices and invoices["enabled"]), "invoice_data": {
            "account_tax_ids": None, "custom_fields": None, "description": None, "footer": None, "issuer": None,
            "metadata": {}, "rendering_options": None,
        }} if mode == "payment" else None,
        "metadata": plain(params.get("metadata")),
        "payment_method_collection": params.get(
            "payment_method_collection", "always" if mode == "subscription" else "if_required"),
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": params.get("allowed_payment_method_types") or ["card"],
        "payment_status": "no_payment_required" if mode == "setup" else "unpaid",
        "phone_number_collection": {"enabled": bool((params.get("phone_number_collection") or {}).get("enabled"))},
        "shipping_options": [], "status": "open", "ui_mode": params.get("ui_mode", "hosted_page"),
        "shipping_address_collection": params.get("shipping_address_collection"),
        "tax_id_collection": params.get("tax_id_collection") and {
            "enabled": params["tax_id_collection"]["enabled"],
            "required": params["tax_id_collection"].get("required", "never"),
        },
    }  # fmt: skip


def _custom_field(given: Doc) -> Doc:
    kind = given["type"]
    details = {"default_value": None, "value": None} | given.get(kind, {})
    if kind == "dropdown":
        details["options"] = given.get("dropdown", {}).get("options", [])
    else:
        details |= {k: details.get(k) for k in ("maximum_length", "minimum_length")}
    return {
        "dropdown": None, "key": given["key"], "label": {"custom": given["label"].get("custom"), "type": "custom"},
        "numeric": None, "optional": given.get("optional", False), "text": None, "type": kind, kind: details,
    }  # fmt: skip


def _person(tx: Transaction, params: Doc) -> Doc | None:
    email = params.get("customer_email")
    if "customer" in params:
        email = tx.find("customer", params["customer"])["email"]
    elif email is None:
        return None
    return {
        "address": None, "business_name": None, "email": email, "individual_name": None, "name": None, "phone": None,
        "tax_exempt": "none", "tax_ids": None,
    }  # fmt: skip


def _given_discount(tx: Transaction, given: Doc, currency: str | None, index: int) -> Doc:
    if given.get("promotion_code"):
        code = tx.find("promotion_code", given["promotion_code"], f"discounts[{index}][promotion_code]")
        return {"coupon": code["promotion"]["coupon"], "promotion_code": code["id"]}
    if not given.get("coupon"):
        raise invalid("Each discount needs a coupon or a promotion_code.", f"discounts[{index}]")
    coupon = tx.find("coupon", given["coupon"], f"discounts[{index}][coupon]")
    reason = promotions.redeemable(tx, coupon, currency or "")
    if reason:
        raise invalid(reason, f"discounts[{index}][coupon]", "coupon_expired")
    return {"coupon": coupon["id"], "promotion_code": None}


def _check_discounts(tx: Transaction, doc: Doc) -> None:
    for i, given in enumerate(doc["discounts"] or []):
        code = tx.get("promotion_code", given["promotion_code"])
        if code:
            where = f"discounts[{i}][promotion_code]"
            reason = promotions.problem(tx, code, doc["currency"], doc["amount_subtotal"], doc["customer"])
            if reason:
                raise invalid(reason, where)


def _check_total(doc: Doc) -> None:
    if doc["mode"] != "payment" or doc["amount_total"] == 0:
        return
    amount, currency = doc["amount_total"], doc["currency"]
    least = MINIMUM_CHARGE.get(currency, 50)
    if amount < least:
        text = format_money(Money(least, currency))
        raise StripeError(
            400, f"The Checkout Session's total amount due must add up to at least {text} {currency}",
            code="amount_too_small",
        )  # fmt: skip
    if amount > MAXIMUM_CHARGE:
        text = format_money(Money(MAXIMUM_CHARGE, currency))
        raise StripeError(
            400,
            f"The Checkout Session's total amount due must be no more than {text} {currency}",
            code="amount_too_large",
        )


def _intent_fields(params: Doc) -> Doc:
    data = params.get("payment_intent_data") or {}
    keep = ("description", "receipt_email", "setup_future_usage", "statement_descriptor", "statement_descriptor_suffix",
            "transfer_group", "capture_method")  # fmt: skip
    fields = {k: data[k] for k in keep if k in data}
    if "shipping" in data:
        given = data["shipping"]
        fields["shipping"] = {
            "address": address(given.get("address")), "carrier": given.get("carrier"), "name": given["name"],
            "phone": given.get("phone"), "tracking_number": given.get("tracking_number"),
        }  # fmt: skip
    return fields | {"metadata": plain(data.get("metadata"))}


@route("POST", "/v1/checkout/sessions/{session}")
def update(tx: Transaction, params: Doc, session: str) -> Doc:
    """Change metadata, and while it is open the details a caller may correct."""
    doc = _found(tx, session)
    changes: Doc = {"metadata": merged(doc, params)}
    if "collected_information" in params:
        held = doc["collected_information"] or {
            "business_name": None,
            "individual_name": None,
            "shipping_details": None,
        }
        changes["collected_information"] = held | params["collected_information"]
    tx.update(doc, changes)
    return doc


@route("POST", "/v1/checkout/sessions/{session}/expire")
def expire(tx: Transaction, params: Doc, session: str) -> Doc:
    """Close an open session."""
    doc = _found(tx, session)
    checkout.expire(tx, doc)
    return doc


@route("GET", "/v1/checkout/sessions/{session}/line_items")
def line_items(tx: Transaction, params: Doc, session: str) -> Doc:
    """The lines of a session in their order."""
    doc = _found(tx, session)
    return sliced(doc["_items"], params, f"/v1/checkout/sessions/{session}/line_items")


def _found(tx: Transaction, identifier: str) -> Doc:
    doc = tx.get("checkout.session", identifier)
    if doc is None:
        raise missing("checkout.session", identifier, "session")
    return doc
