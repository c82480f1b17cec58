"""HistoryEntry: what happened to an order, append-only; its page's timeline."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.extensions import Model, db
from app.models.base import BigKey, Json, Utc
from app.money import Money

if TYPE_CHECKING:
    from app.models.order import Order


class HistoryEntry(Model):
    __tablename__ = "history"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    # requested, screened, session, state, payment, event, mail, receipt, note
    kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str | None] = mapped_column(String(255))
    actor: Mapped[str] = mapped_column(String(64))
    data: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    currency: Mapped[str | None] = mapped_column(String(3))
    amount: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(Utc, default=clock.now)

    @property
    def money(self) -> Money | None:
        return None if self.amount is None or self.currency is None else Money(self.amount, self.currency)

    @classmethod
    def write(
        cls,
        order: Order,
        kind: str,
        *,
        actor: str,
        subject: str | None = None,
        amount: Money | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        """Add one entry to the caller's transaction."""
        db.session.flush()  # a new order has no id before
        db.session.add(
            cls(
                order_id=order.id,
                kind=kind,
                subject=subject,
                actor=actor,
                data=data or {},
                amount=amount.amount if amount else None,
                currency=amount.currency if amount else None,
            )
        )
