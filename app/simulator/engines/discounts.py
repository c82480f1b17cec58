"""Discounts: coupons and promotion codes given to customers, subscriptions, invoices and their items."""

from __future__ import annotations

from typing import Any

from app.simulator.engines import periods, promotions
from app.simulator.errors import invalid
from app.simulator.registry import Doc, timed
from app.simulator.transaction import Transaction, shown

# Stands for a basket whose sum is not known yet, so that a code's minimum does not refuse it.
UNKNOWN = 10**12


def grant(
    tx: Transaction,
    given: Any,
    *,
    currency: str,
    customer: str | None,
    subtotal: int = UNKNOWN,
    param: str = "discounts",
    **owner: str | None,
) -> list[str]:
    """The ids of the discounts a `discounts` parameter asks for. `owner` names what they belong to: subscription,
    subscription_item, invoice, invoice_item (ids). An existing `discount` is taken over as it is."""
    found = []
    for i, each in enumerate(given or []):
        where = f"{param}[{i}]"
        if each.get("discount"):
            found.append(tx.find("discount", each["discount"], f"{where}[discount]")["id"])
            continue
        coupon, code = wanted(
            tx, each, currency=currency, customer=customer, subtotal=subtotal, param=f"{where}["
        )
        found.append(give(tx, coupon, customer, code=code, **owner)["id"])
    return found


def wanted(
    tx: Transaction,
    given: Doc,
    *,
    currency: str | None,
    customer: str | None,
    subtotal: int = UNKNOWN,
    param: str = "",
) -> tuple[Doc, Doc | None]:
    """The coupon, and the code it was reached by, that `given` names; raises Stripe's 400 when it cannot be used.
    `param` is what stands before the names of the parameters, as in `discounts[0][`."""
    close = "]" if param else ""
    if given.get("promotion_code"):
        where = f"{param}promotion_code{close}"
        code = tx.find("promotion_code", given["promotion_code"], where)
        problem = promotions.problem(tx, code, currency or _currency(tx, code), subtotal, customer)
        if problem and not given.get("checked"):
            raise invalid(problem, where)
        return tx.find("coupon", code["promotion"]["coupon"]), code
    where = f"{param}coupon{close}"
    if not given.get("coupon"):
        raise invalid(f"Missing required param: {where}.", where, "parameter_missing")
    coupon = tx.find("coupon", given["coupon"], where)
    if given.get("checked"):
        return coupon, None
    if not coupon["valid"] or (coupon["redeem_by"] is not None and coupon["redeem_by"] <= tx.now):
        raise invalid(f"Coupon expired: {coupon['id']}", where, "coupon_expired")
    problem = promotions.redeemable(tx, _whole(coupon), currency) if currency else None
    if problem:
        raise invalid(problem, where)
    return coupon, None


def _whole(coupon: Doc) -> Doc:
    return coupon | {"currency_options": coupon.get("_currency_options")}


def _currency(tx: Transaction, code: Doc) -> str:
    coupon = tx.find("coupon", code["promotion"]["coupon"])
    return code["restrictions"]["minimum_amount_currency"] or coupon["currency"] or "usd"


def give(
    tx: Transaction, coupon: Doc, customer: str | None, *, code: Doc | None = None, **owner: str | None
) -> Doc:
    """A discount that begins now, which is one redemption. A subscription's is told of."""
    end = None
    if coupon["duration"] == "repeating":
        end = periods.after(tx.now, "month", coupon["duration_in_months"])
    doc = tx.create(
        "discount",
        {
            "customer": customer, "end": end, "promotion_code": code["id"] if code else None,
            "source": {"coupon": coupon["id"], "type": "coupon"}, "start": tx.now, "_coupon": dict(coupon),
        }
        | owner,
    )  # fmt: skip
    _redeem(tx, coupon, code)
    if end is not None:
        tx.schedule(end, "discount.end", doc["id"])
    if owner.get("subscription"):
        tx.emit("customer.discount.created", doc)
    return doc


def _redeem(tx: Transaction, coupon: Doc, code: Doc | None) -> None:
    times = coupon["times_redeemed"] + 1
    most = coupon["max_redemptions"]
    tx.update(coupon, times_redeemed=times, valid=most is None or times < most)
    if code is not None:
        tx.update(code, times_redeemed=code["times_redeemed"] + 1)


# ---------------------------------------------------------------------------------- of a customer


def of_customer(tx: Transaction, customer: Doc, given: Doc) -> None:
    """Give a customer the coupon or promotion code that `given` names instead of what they have; "" takes it away."""
    if not (given.get("coupon") or given.get("promotion_code")):
        held = customer["discount"]
        if held:
            drop(tx, tx.find("discount", held["id"]))
        return
    coupon, code = wanted(tx, given, currency=customer["currency"], customer=customer["id"])
    held = customer["discount"]
    doc = give(tx, coupon, customer["id"], code=code)
    tx.update(customer, discount=shown(doc))
    if held:
        before = {k: v for k, v in held.items() if doc[k] != v}
        tx.emit("customer.discount.updated", doc, before)
    else:
        tx.emit("customer.discount.created", doc)


def inherited(tx: Transaction, customer: Doc) -> list[str]:
    """The discounts an invoice of this customer takes when it has none of its own."""
    return active(tx, [customer["discount"]["id"]]) if customer["discount"] else []


def active(tx: Transaction, identifiers: list[str]) -> list[str]:
    """Those of the discounts that have not ended."""
    found = ((d, tx.get("discount", d)) for d in identifiers)
    return [d for d, doc in found if doc and (doc["end"] is None or doc["end"] > tx.now)]


# ---------------------------------------------------------------------------------------- ending


def used(tx: Transaction, invoice: Doc) -> None:
    """An invoice has taken its discounts: those that count once leave the customer or subscription they were on."""
    for identifier in invoice["discounts"]:
        doc = tx.get("discount", identifier)
        if doc is not None and doc["_coupon"]["duration"] == "once":
            drop(tx, doc)


def drop(tx: Transaction, doc: Doc) -> bool:
    """Take a discount from the customer or subscription that holds it, and tell of it; False when nobody does.
    The discount can still be read: invoices point at it."""
    subscription = tx.get("subscription", doc["subscription"])
    customer = tx.get("customer", doc["customer"])
    if subscription is not None and doc["id"] in subscription.get("discounts", []):
        tx.update(subscription, discounts=[d for d in subscription["discounts"] if d != doc["id"]])
    elif customer is not None and (customer.get("discount") or {}).get("id") == doc["id"]:
        tx.update(customer, discount=None)
    else:
        return False
    tx.unschedule("discount.end", doc["id"])
    tx.emit("customer.discount.deleted", doc)
    return True


@timed("discount.end")
def _ended(tx: Transaction, identifier: str) -> None:
    doc = tx.get("discount", identifier)
    if doc is not None:
        drop(tx, doc)
