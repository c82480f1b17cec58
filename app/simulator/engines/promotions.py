"""Coupons and promotion codes: whether they can be used, what a typed one gives, counting that they were."""

from __future__ import annotations

from app.simulator.engines import totals
from app.simulator.errors import invalid
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction


def redeemable(tx: Transaction, coupon: Doc, currency: str) -> str | None:
    """Why a coupon cannot be used, None when it can."""
    if coupon.get("deleted") or not coupon["valid"]:
        return "This coupon is no longer valid."
    if coupon["redeem_by"] is not None and coupon["redeem_by"] <= tx.now:
        return "This coupon has expired."
    if coupon["max_redemptions"] is not None and coupon["times_redeemed"] >= coupon["max_redemptions"]:
        return "This coupon has been used as often as it may be."
    if coupon["percent_off"] is None and totals.amount_off(coupon, currency) is None:
        return "This coupon is not valid in this currency."
    return None


def typed(tx: Transaction, session: Doc, code: str) -> Doc:
    """The discount that a typed code gives; raises the sentence a customer reads when it gives none."""
    wanted = code.strip().lower()
    found = next(
        (d for d in tx.scan("promotion_code", {"active": True}) if d["code"].lower() == wanted), None
    )
    if found is None:
        raise invalid("This code is invalid.", "promotion_code")
    reason = problem(tx, found, session["currency"], session["amount_subtotal"], session["customer"])
    if reason:
        raise invalid(reason, "promotion_code")
    return {"coupon": found["promotion"]["coupon"], "promotion_code": found["id"]}


def problem(tx: Transaction, code: Doc, currency: str, subtotal: int, customer: str | None) -> str | None:
    """Why a promotion code cannot be used on this basket, None when it can."""
    if not code["active"]:
        return "This promotion code is inactive."
    if code["expires_at"] is not None and code["expires_at"] <= tx.now:
        return "This code has expired."
    if code["max_redemptions"] is not None and code["times_redeemed"] >= code["max_redemptions"]:
        return "This code has been used as often as it may be."
    if code["customer"] and code["customer"] != customer:
        return "This code is invalid."
    limits = code["restrictions"]
    least = limits["minimum_amount"]
    if least is not None and (limits["minimum_amount_currency"] != currency or subtotal < least):
        return "This order does not reach the amount this code asks for."
    if (
        limits["first_time_transaction"]
        and customer
        and tx.first("charge", {"customer": customer, "paid": True})
    ):
        return "This code is for first orders only."
    return redeemable(tx, tx.find("coupon", code["promotion"]["coupon"]), currency)


def redeem(tx: Transaction, session: Doc) -> None:
    """Count the coupons and codes of a session that has been paid."""
    for given in session["discounts"] or []:
        coupon = tx.get("coupon", given["coupon"])
        if coupon and not coupon.get("deleted"):
            times = coupon["times_redeemed"] + 1
            tx.update(
                coupon,
                times_redeemed=times,
                valid=coupon["max_redemptions"] is None or times < coupon["max_redemptions"],
            )
        code = tx.get("promotion_code", given["promotion_code"])
        if code:
            tx.update(code, times_redeemed=code["times_redeemed"] + 1)
