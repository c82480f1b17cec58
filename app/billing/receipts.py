"""Receipts: numbered per year without gaps, mailed once, shown with the same statement everywhere."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any

from flask import current_app
from flask_babel import get_locale
from flask_babel import gettext as _
from sqlalchemy import select

from app import clock, mail
from app.billing import offers
from app.crypto import lookup
from app.extensions import db
from app.models import HistoryEntry, Mail, Order, Receipt, ReceiptCounter
from app.models.offer import Price
from app.models.order import WAITING
from app.money import Money, format_rate
from app.tasks import insert_or_ignore


def issue(order: Order) -> Receipt:
    """Give the settled order its receipt and mail it; once.

    The year's counter row stays locked until the caller's commit, so that a rollback leaves no gap.
    """
    if order.receipt is not None:
        return order.receipt
    now = clock.now()
    # The year in which the merchant is: a receipt's number and the date printed on it agree.
    year = now.astimezone(clock.zone(offers.merchant().get("time_zone", ""))).year
    db.session.execute(insert_or_ignore(ReceiptCounter).values(year=year, last=0))
    counter = db.session.scalars(
        select(ReceiptCounter)
        .where(ReceiptCounter.year == year)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    counter.last += 1
    receipt = Receipt(number=f"{year}-{counter.last:06d}", issued_at=now, order=order)
    db.session.add(receipt)
    db.session.flush()
    HistoryEntry.write(order, "receipt", subject=receipt.number, actor="countinghouse")
    if order.customer is not None:
        mail.send(
            "receipt",
            order.customer.email,
            key=f"receipt:{order.public_id}",
            locale=order.locale,
            order_id=order.id,
        )
        HistoryEntry.write(order, "mail", subject="receipt", actor="countinghouse")
    return receipt


def key_of(receipt: Receipt) -> str:
    """What opens this one receipt in any browser: the mail's link carries it, because mail is read elsewhere."""
    return lookup(f"receipt:{receipt.number}")[:32]


def order_by_key(order_id: str, key: str) -> Order | None:
    """The order whose receipt `key` opens; None for any other key."""
    order = db.session.scalar(select(Order).where(Order.public_id == order_id))
    if order is None or order.receipt is None:
        return None
    return order if hmac.compare_digest(key_of(order.receipt).encode(), key.encode()) else None


@dataclass(frozen=True)
class Line:
    """One line of a statement."""

    label: str
    amount: Money


@dataclass(frozen=True)
class Statement:
    """What the statement macro shows: lines, the total that closes them, and the tax that it holds inside."""

    lines: list[Line]
    total_label: str
    total: Money
    inside: Line | None = None


def statement_of_quote(quote: offers.Quote) -> Statement:
    """What will be charged, before it is; a plan's, each time it renews."""
    label = {"month": _("Each month"), "year": _("Each year")}.get(
        quote.price.interval or "", _("To pay today")
    )
    return _statement(quote.price, quote.quantity, quote.subtotal, None, quote.tax, quote.total, label)


def statement_of(order: Order) -> Statement:
    """What was charged once it is settled, what is asked until then."""
    total = order.settled if order.settled is not None else order.total
    tax = order.settled_tax if order.settled_tax is not None else order.tax
    if order.settled is not None:
        label = _("Paid")
    else:
        label = _("To pay today") if order.state in WAITING else _("Total")
    return _statement(order.price, order.quantity, order.subtotal, order.discount, tax, total, label)


def _statement(
    price: Price, quantity: int, subtotal: Money, discount: Money | None, tax: Money, total: Money, label: str
) -> Statement:
    name = (
        price.offer.name
        if quantity == 1
        else f"{price.offer.name}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}{quantity}"
    )
    lines = [Line(name, subtotal)]
    if discount:
        # What a person released may have been paid above the price as well.
        lines.append(Line(_("Discount") if discount.amount > 0 else _("Paid in addition"), -discount))
    rate = price.tax_rate
    if rate is None:
        return Statement(lines, label, total)
    tax_line = Line(f"{rate.name} {format_rate(rate.percentage, str(get_locale() or 'en'))}", tax)
    if rate.inclusive:
        return Statement(lines, label, total, inside=tax_line)
    return Statement([*lines, tax_line], label, total)


@mail.context("receipt")
def _receipt_context(message: Mail) -> dict[str, Any]:
    order = db.session.get_one(Order, message.order_id)
    receipt = issue(order)
    settings = current_app.config["SETTINGS"]
    return {
        "subject": _(
            "Receipt %(number)s from %(merchant)s",
            number=receipt.number,
            merchant=offers.merchant().get("name", "Countinghouse"),
        ),
        "order": order,
        "receipt": receipt,
        "statement": statement_of(order),
        "receipt_url": f"{settings.public_url}/checkout/{order.public_id}/receipt?key={key_of(receipt)}",
    }
