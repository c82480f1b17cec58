"""Which API versions the door knows, and how requests written for older ones read today.

With the pinned version nothing is translated. Answers always have today's shape.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from app.simulator.contract import API_VERSION
from app.simulator.errors import StripeError, invalid

# Dated versions before releases got names, then each name with the date of its first release.
_DATED = frozenset(
    [
        "2011-01-01",
        "2011-06-21",
        "2011-06-28",
        "2011-08-01",
        "2011-09-15",
        "2011-11-17",
        "2012-02-23",
        "2012-03-25",
        "2012-06-18",
        "2012-06-28",
        "2012-07-09",
        "2012-09-24",
        "2012-10-26",
        "2012-11-07",
        "2013-02-11",
        "2013-02-13",
        "2013-07-05",
        "2013-08-12",
        "2013-08-13",
        "2013-10-29",
        "2013-12-03",
        "2014-01-31",
        "2014-03-13",
        "2014-03-28",
        "2014-05-19",
        "2014-06-13",
        "2014-06-17",
        "2014-07-22",
        "2014-07-26",
        "2014-08-04",
        "2014-08-20",
        "2014-09-08",
        "2014-10-07",
        "2014-11-05",
        "2014-11-20",
        "2014-12-08",
        "2014-12-17",
        "2014-12-22",
        "2015-01-11",
        "2015-01-26",
        "2015-02-10",
        "2015-02-16",
        "2015-02-18",
        "2015-03-24",
        "2015-04-07",
        "2015-06-15",
        "2015-07-07",
        "2015-07-13",
        "2015-07-28",
        "2015-08-07",
        "2015-08-19",
        "2015-09-03",
        "2015-09-08",
        "2015-09-23",
        "2015-10-01",
        "2015-10-12",
        "2015-10-16",
        "2016-02-03",
        "2016-02-19",
        "2016-02-22",
        "2016-02-23",
        "2016-02-29",
        "2016-03-07",
        "2016-06-15",
        "2016-07-06",
        "2016-10-19",
        "2017-01-27",
        "2017-02-14",
        "2017-04-06",
        "2017-05-25",
        "2017-06-05",
        "2017-08-15",
        "2017-12-14",
        "2018-01-23",
        "2018-02-05",
        "2018-02-06",
        "2018-02-28",
        "2018-05-21",
        "2018-07-27",
        "2018-08-23",
        "2018-09-06",
        "2018-09-24",
        "2018-10-31",
        "2018-11-08",
        "2019-02-11",
        "2019-02-19",
        "2019-03-14",
        "2019-05-16",
        "2019-08-14",
        "2019-09-09",
        "2019-10-08",
        "2019-10-17",
        "2019-11-05",
        "2019-12-03",
        "2020-03-02",
        "2020-08-27",
        "2022-08-01",
        "2022-11-15",
        "2023-08-16",
        "2023-10-16",
        "2024-04-10",
        "2024-06-20",
    ]
)
_NAMED = (
    ("acacia", "2024-09-30"), ("basil", "2025-03-31"), ("clover", "2025-09-30"), ("dahlia", "2026-03-25"),
    ("endive", "2026-09-30"), ("", "9999-12-31"),
)  # fmt: skip
TYPES_GONE = "payment_method_types_no_longer_supported"
_UI_MODES = {"hosted": "hosted_page", "embedded": "embedded_page", "custom": "elements"}
Form = dict[str, Any]


def known(version: str) -> bool:
    """Whether Stripe has ever published `version` and the pinned SDK is not older than it."""
    if version == API_VERSION or version in _DATED:
        return True
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)\.([a-z]+)", version)
    if match is None or match[1] > API_VERSION[:10]:
        return False
    windows = {name: (start, _NAMED[i + 1][1]) for i, (name, start) in enumerate(_NAMED[:-1])}
    start, end = windows.get(match[2], ("9", "0"))
    return start <= match[1] < end


def door(version: str | None) -> bool:
    """True when requests are taken strictly as today's; raises 400 for a version nobody published."""
    if version is None:
        return False
    if not known(version):
        raise invalid(
            f"Invalid Stripe API version: {version}. You can view your requests and versions in the Dashboard."
        )
    return version == API_VERSION


def refuse_removed(method: str, template: str, form: Form) -> None:
    """What the pinned version answers to parameters it removed by name."""
    if method == "POST" and "payment_method_types" in form and template in _TYPED:
        raise StripeError(
            400,
            "The `payment_method_types` parameter is no longer supported. Use `allowed_payment_method_types` or "
            "`excluded_payment_method_types`, or leave it out and manage payment methods in the Dashboard.",
            code=TYPES_GONE,
            param="payment_method_types",
        )


def translate(method: str, template: str, form: Form) -> Form:
    """The same request in today's spelling; what has no parameter any more stands under `_legacy`."""
    change = _TRANSLATIONS.get((method, template))
    return change(dict(form)) if change else form


def translation(method: str, *templates: str) -> Callable[[Callable[[Form], Form]], Callable[[Form], Form]]:
    """Register how an old request to these paths is rewritten."""

    def register(change: Callable[[Form], Form]) -> Callable[[Form], Form]:
        for template in templates:
            _TRANSLATIONS[method, template] = change
        return change

    return register


_TRANSLATIONS: dict[tuple[str, str], Callable[[Form], Form]] = {}
_TYPED = frozenset(
    ["/v1/checkout/sessions", "/v1/payment_intents", "/v1/payment_intents/{intent}", "/v1/setup_intents",
     "/v1/setup_intents/{intent}"]
)  # fmt: skip


@translation("POST", *_TYPED)
def _payment_method_types(form: Form) -> Form:
    types = form.pop("payment_method_types", None)
    if types is not None:
        form.setdefault("allowed_payment_method_types", types)
    if form.get("ui_mode") in _UI_MODES:
        form["ui_mode"] = _UI_MODES[form["ui_mode"]]
    return _old_session(form)


def _old_session(form: Form) -> Form:
    """Checkout before prices: lines that say what they cost, plans in `subscription_data`."""
    data = form.get("subscription_data")
    if isinstance(data, dict):
        data = dict(data)
        plans = data.pop("items", None) or []
        lines = [
            {"price": x.get("plan") or x.get("price"), "quantity": x.get("quantity", "1")} for x in plans
        ]
        if lines:
            form["line_items"] = [*form.get("line_items", []), *lines]
        if data.get("coupon"):
            form.setdefault("discounts", [{"coupon": data.pop("coupon")}])
        form["subscription_data"] = data
        form.setdefault("mode", "subscription")
    if isinstance(form.get("line_items"), list):
        form["line_items"] = [_old_line(x) for x in form["line_items"]]
    return form


def _old_line(line: Any) -> Any:
    if not isinstance(line, dict) or not {"amount", "name"} <= line.keys():
        return line
    kept = {k: v for k, v in line.items() if k in ("quantity", "tax_rates", "adjustable_quantity")}
    product = {k: line[k] for k in ("name", "description", "images") if k in line}
    price = {"unit_amount": line["amount"], "currency": line.get("currency", "usd"), "product_data": product}
    return kept | {"price_data": price}


@translation("POST", "/v1/promotion_codes")
def _promotion_code_coupon(form: Form) -> Form:
    coupon = form.pop("coupon", None)
    if coupon is not None:
        form["promotion"] = {"type": "coupon", "coupon": coupon}
    return form


@translation("POST", "/v1/customers", "/v1/customers/{customer}")
def _customer_discount(form: Form) -> Form:
    legacy = {key: form.pop(key) for key in ("coupon", "promotion_code") if key in form}
    if legacy:
        form["_legacy"] = legacy
    return form
