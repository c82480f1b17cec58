"""Receipt: the paper for a settled one-time sale, numbered per year without gaps."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Model
from app.models.base import BigKey, Utc

if TYPE_CHECKING:
    from app.models.order import Order


class ReceiptCounter(Model):
    """The last number given out in a year; its row's lock makes the numbers gapless."""

    __tablename__ = "receipt_counters"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int] = mapped_column(default=0)


class Receipt(Model):
    __tablename__ = "receipts"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    number: Mapped[str] = mapped_column(String(32), unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), unique=True)
    issued_at: Mapped[datetime] = mapped_column(Utc)
    order: Mapped[Order] = relationship(back_populates="receipt")
