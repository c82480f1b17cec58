"""Stock: held while a session is open, sold when it settles, released when it ends without payment."""

from __future__ import annotations

from flask_babel import gettext as _
from sqlalchemy import update

from app.errors import AppError
from app.extensions import db
from app.models import Offer, Order, StockState


class SoldOut(AppError):
    """Fewer are left than were asked for."""


def hold(order: Order) -> None:
    """Reserve the order's quantity, atomically. Raises SoldOut and reserves nothing."""
    if order.offer.stock is None:
        return
    taken = db.session.execute(
        update(Offer)
        .where(Offer.id == order.offer.id, Offer.available >= order.quantity)
        .values(available=Offer.available - order.quantity)
        .execution_options(synchronize_session=False)
    )
    if taken.rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE's result has it
        raise SoldOut(
            409,
            _("Not enough are left"),
            _(
                "Someone else is buying the last ones. If they do not pay, they are free again within an hour."
            ),
            money=_("No money was taken."),
            code="sold_out",
        )
    order.stock_state = StockState.HELD


def sell(order: Order) -> bool:
    """Count the reservation as sold; takes from stock anew if it was released. False: oversold by this order."""
    if order.stock_state == StockState.HELD:
        order.stock_state = StockState.SOLD
        return True
    if order.stock_state != StockState.RELEASED:
        return True
    try:
        hold(order)
    except SoldOut:
        return False
    order.stock_state = StockState.SOLD
    return True


def release(order: Order) -> None:
    """Give a reservation back; does nothing where none is held."""
    if order.stock_state != StockState.HELD:
        return
    db.session.execute(
        update(Offer)
        .where(Offer.id == order.offer_id)
        .values(available=Offer.available + order.quantity)
        .execution_options(synchronize_session=False)
    )
    order.stock_state = StockState.RELEASED
