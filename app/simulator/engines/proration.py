"""Prorations: what is given back for the unused time of items and what the remaining time of their successors costs.

Every line is floored, also below zero; a change of quantity prorates the whole item.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from app.money import Money, percent
from app.simulator.engines import periods, subscription_items, totals
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction


def credits(tx: Transaction, sub: Doc, items: list[Doc], moment: int) -> list[Doc]:
    """A line below zero for each of these items of the subscription: its time from `moment` on is not used."""
    return [_line(tx, sub, item, moment, item["current_period_end"], -1) for item in items]


def debits(tx: Transaction, sub: Doc, items: list[Doc], moment: int) -> list[Doc]:
    """A line for each of these items: its time from `moment` to the end of its period."""
    return [_line(tx, sub, item, moment, item["current_period_end"], 1) for item in items]


def _line(tx: Transaction, sub: Doc, item: Doc, moment: int, end: int, sign: int) -> Doc:
    whole = net(tx, sub, item)
    amount = periods.share(sign * whole, begins(sub, item), moment, end)
    count = "" if item.get("quantity") in (None, 1) else f"{item['quantity']} × "
    day = datetime.fromtimestamp(moment, UTC).strftime("%d %b %Y")
    text = f"{'Unused' if sign < 0 else 'Remaining'} time on {count}{subscription_items.named(tx, item)} after {day}"
    return subscription_items.line(
        tx, sub, item, amount, (moment, end), proration=True, discountable=False, discounts=[], description=text
    )  # fmt: skip


def backdated(tx: Transaction, sub: Doc, item: Doc) -> Doc:
    """What an item costs from a start in the past until now: whole periods and the part of the last."""
    start, recurring = sub["start_date"], item["price"]["recurring"]
    whole, amount, moment = subscription_items.cost(tx, item, sub["currency"]), 0, start
    while moment < tx.now:
        end = periods.boundary(start, recurring, moment)
        amount += whole if end <= tx.now else periods.share(whole, moment, moment + end - tx.now, end)
        moment = end
    return subscription_items.line(tx, sub, item, amount, (start, tx.now), proration=True, discountable=True)


def begins(sub: Doc, item: Doc) -> int:
    """Where the whole period that an item is in begins: before the first anchor the period was cut short."""
    start, end = int(item["current_period_start"]), int(item["current_period_end"])
    natural = periods.start_of(sub["billing_cycle_anchor"], item["price"]["recurring"], end)
    return min(start, natural) if natural < end else start


def before(sub: Doc, item: Doc) -> int:
    """Where the period before the current one of an item began."""
    start: int = item["current_period_start"]
    natural = periods.start_of(sub["billing_cycle_anchor"], item["price"]["recurring"], start)
    return max(int(sub["start_date"]), natural)


def net(tx: Transaction, sub: Doc, item: Doc) -> int:
    """What a period of an item costs after the discounts that are still running."""
    amount = subscription_items.cost(tx, item, sub["currency"])
    for identifier in [*item["discounts"], *sub["discounts"]]:
        discount = tx.get("discount", identifier)
        if discount is None or discount.get("deleted") or (discount["end"] and discount["end"] <= tx.now):
            continue
        coupon: Doc = discount["_coupon"]
        if coupon["duration"] == "once":
            continue
        amount -= _off(coupon, amount, item, sub)
    return amount


def _off(coupon: Doc, amount: int, item: Doc, sub: Doc) -> int:
    products = (coupon.get("_applies_to") or {}).get("products")
    if products and item["price"]["product"] not in products:
        return 0
    if coupon["percent_off"] is not None:
        return percent(Money(amount, sub["currency"]), Decimal(str(coupon["percent_off"]))).amount
    whole = coupon | {"currency_options": coupon.get("_currency_options")}
    shared = len(sub["items"]["data"]) or 1
    return min(amount, (totals.amount_off(whole, sub["currency"]) or 0) // shared)
