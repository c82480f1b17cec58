"""Payment: one movement of money, pending until it succeeded or failed; and the revenue it settled."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app import clock
from app.crypto import public_id
from app.extensions import Model
from app.models.base import BigKey, Json, Stateful, StrictText, Utc, money
from app.models.history import HistoryEntry

if TYPE_CHECKING:
    from app.models.order import Order


class PaymentState(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


P = PaymentState


class Payment(Model, Stateful):
    __tablename__ = "payments"
    # A declined PaymentIntent takes another card, so failed leads on; succeeded is the end.
    TRANSITIONS: ClassVar[dict[Any, tuple[Any, ...]]] = {
        P.PENDING: (P.SUCCEEDED, P.FAILED),
        P.FAILED: (P.PENDING, P.SUCCEEDED),
        P.SUCCEEDED: (),
    }

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=lambda: public_id("pay"))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"), index=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"), index=True)
    stripe_payment_intent_id: Mapped[str] = mapped_column(String(255), unique=True)
    stripe_charge_id: Mapped[str | None] = mapped_column(String(255), index=True)
    stripe_balance_transaction_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    state: Mapped[PaymentState] = mapped_column(String(16), default=P.PENDING, index=True)
    currency: Mapped[str] = mapped_column(String(3))
    gross_amount: Mapped[int]
    # Posted later, from the balance transaction, in the currency Stripe settles in.
    fee_amount: Mapped[int | None]
    net_amount: Mapped[int | None]
    settlement_currency: Mapped[str | None] = mapped_column(String(3))
    method: Mapped[str | None] = mapped_column(String(32))
    card_brand: Mapped[str | None] = mapped_column(String(32))
    card_last4: Mapped[str | None] = mapped_column(String(4))
    failure_code: Mapped[str | None] = mapped_column(String(64))
    failure_reason: Mapped[str | None] = mapped_column(StrictText)
    stripe_metadata: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    livemode: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(Utc, default=clock.now, index=True)
    confirmed_at: Mapped[datetime | None] = mapped_column(Utc)
    succeeded_at: Mapped[datetime | None] = mapped_column(Utc)
    failed_at: Mapped[datetime | None] = mapped_column(Utc)

    order: Mapped[Order | None] = relationship(back_populates="payments")
    gross = money("gross_amount")

    def move_to(self, state: PaymentState, *, actor: str) -> bool:
        """Change state and write the order's history; False when it is the present state."""
        before = self.state
        if not self.change_state(state):
            return False
        if self.order is not None:
            HistoryEntry.write(
                self.order,
                "payment",
                subject=self.public_id,
                actor=actor,
                amount=self.gross,
                data={"from": before, "to": state, "code": self.failure_code},
            )
        return True


class RevenueRecord(Model):
    """One per settled payment, written with it: what was earned and the tax in it."""

    __tablename__ = "revenue_records"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"), unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    currency: Mapped[str] = mapped_column(String(3))
    gross_amount: Mapped[int]
    tax_amount: Mapped[int]
    recognized_at: Mapped[datetime] = mapped_column(Utc)
    gross = money("gross_amount")
    tax = money("tax_amount")
