"""Discounts: coupons and promotion codes given to customers, subscriptions, invoices and their items."""

from __future__ import annotations

from typing import Any

from app.simulator.engines.checkout import promotion_problem, redeemable
from app.simulator.errors import invalid
from app.simulator.registry import Doc, timed
from app.simulator.transaction import Transaction, shown

MONTH_SECONDS = 30 * 86400


def grant(
    tx: Transaction,
    given: Any,
    *,
    currency: str,
    customer: str | None,
    param: str = "discounts",
    subtotal: int | None = None,
    **owner: str | None,
) -> list[str]:
    """The discounts of a `discounts` parameter, by id. `owner` names what they belong to: subscription, invoice,
    invoice_item or subscription_item (ids); an existing `discount` is taken over as it is."""
    found = []
    for i, each in enumerate(given or []):
        where = f"{param}[{i}]"
        if each.get("discount"):
            found.append(tx.find("discount", each["discount"], f"{where}[discount]")["id"])
        else:
            found.append(_granted(tx, each, where, currency, customer, subtotal, owner)["id"])
    return found


def _granted(
    tx: Transaction,
    each: Doc,
    where: str,
    currency: str,
    customer: str | None,
    subtotal: int | None,
    owner: dict[str, str | None],
) -> Doc:
    code = None
    if each.get("promotion_code"):
        code = tx.find("promotion_code", each["promotion_code"], f"{where}[promotion_code]")
        problem = promotion_problem(tx, code, currency, 10**9 if subtotal is None else subtotal, customer)
        if problem:
            raise invalid(problem, f"{where}[promotion_code]")
        coupon = tx.find("coupon", code["promotion"]["coupon"])
    elif each.get("coupon"):
        coupon = tx.find("coupon", each["coupon"], f"{where}[coupon]")
        problem = redeemable(tx, coupon, currency)
        if problem:
            raise invalid(problem, f"{where}[coupon]", "coupon_expired")
    else:
        raise invalid("You must pass a coupon, promotion_code or discount.", where, "parameter_missing")
    return give(tx, coupon, customer, code=code, **owner)


def give(
    tx: Transaction, coupon: Doc, customer: str | None, *, code: Doc | None = None, **owner: str | None
) -> Doc:
    """A discount from now on; counts as one redemption. Those of customers and subscriptions are told of."""
    return tx.create(
        "discount",
        {
            "customer": customer, "end": None, "promotion_code": code["id"] if code else None,
            "source": {"coupon": coupon["id"], "type": "coupon"}, "start": tx.now, "_coupon": shown(coupon),
        }
        | owner,
    )  # fmt: skip


def inherited(tx: Transaction, customer: Doc) -> list[str]:
    """The discounts an invoice of this customer takes when it has none of its own."""
    return [customer["discount"]["id"]] if customer.get("discount") else []


def used(tx: Transaction, invoice: Doc) -> None:
    """An invoice has taken its discounts: those that count once are over."""


@timed("discount.end")
def _ended(tx: Transaction, identifier: str) -> None:
    pass
