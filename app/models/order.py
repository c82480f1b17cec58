"""Order: one decision to buy, at the price that was seen, and what became of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app import clock
from app.crypto import public_id
from app.extensions import Model
from app.models.base import BigKey, Json, Stateful, StrictText, Utc, money
from app.models.customer import Customer
from app.models.history import HistoryEntry
from app.models.offer import Offer, Price

if TYPE_CHECKING:
    from app.models.payment import Payment
    from app.models.receipt import Receipt


class OrderState(StrEnum):
    PENDING = "pending"  # decided and stored; Stripe may not know yet
    OPEN = "open"  # a Checkout Session takes the payment
    PROCESSING = "processing"  # Checkout is done, the money still on its way
    PAID = "paid"
    HELD = "held"  # paid, but not as agreed: a person decides
    FAILED = "failed"  # the delayed payment did not come, or Stripe refused the session
    EXPIRED = "expired"
    CANCELED = "canceled"  # the buyer went back and let it go


S = OrderState
# A session that we expired or gave up may have been paid in the same moment; money that came is never denied.
TRANSITIONS: dict[OrderState, tuple[OrderState, ...]] = {
    S.PENDING: (S.OPEN, S.PROCESSING, S.PAID, S.HELD, S.FAILED, S.EXPIRED, S.CANCELED),
    S.OPEN: (S.PROCESSING, S.PAID, S.HELD, S.FAILED, S.EXPIRED, S.CANCELED),
    S.PROCESSING: (S.PAID, S.HELD, S.FAILED),
    S.HELD: (S.PAID,),
    S.PAID: (),
    S.FAILED: (S.PAID, S.HELD),
    S.EXPIRED: (S.PAID, S.HELD),
    S.CANCELED: (S.PAID, S.HELD),
}
WAITING = (S.PENDING, S.OPEN)


class StockState(StrEnum):
    NONE = "none"
    HELD = "held"
    SOLD = "sold"
    RELEASED = "released"


class Order(Model, Stateful):
    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        Index("ix_orders_basket", "visitor_hash", "price_id", "state"),
    )
    TRANSITIONS: ClassVar[dict[Any, tuple[Any, ...]]] = dict(TRANSITIONS)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=lambda: public_id("ord"))
    # Drawn with the page that offered the purchase: one page, one decision, however often it is sent.
    decision_key: Mapped[str] = mapped_column(String(64), unique=True)
    # Hash of the browser's own secret; nobody else is shown this order.
    visitor_hash: Mapped[str] = mapped_column(String(64))
    state: Mapped[OrderState] = mapped_column(String(16), default=S.PENDING, index=True)
    reason: Mapped[str | None] = mapped_column(String(64))
    offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id"), index=True)
    price_id: Mapped[int] = mapped_column(ForeignKey("prices.id"))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"), index=True)
    quantity: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    # As quoted: subtotal before any discount (tax inside where the price holds it), tax, total to pay.
    subtotal_amount: Mapped[int]
    tax_amount: Mapped[int]
    total_amount: Mapped[int]
    # As settled, once it is.
    discount_amount: Mapped[int | None]
    settled_tax_amount: Mapped[int | None]
    settled_amount: Mapped[int | None]
    stripe_checkout_session_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    session_url: Mapped[str | None] = mapped_column(StrictText)
    session_expires_at: Mapped[datetime | None] = mapped_column(Utc)
    stock_state: Mapped[StockState] = mapped_column(String(16), default=StockState.NONE)
    flags: Mapped[list[str]] = mapped_column(Json, default=list)
    flagged: Mapped[bool] = mapped_column(default=False, index=True)
    source: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    locale: Mapped[str] = mapped_column(String(8), default="en")
    livemode: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(Utc, default=clock.now, index=True)
    settled_at: Mapped[datetime | None] = mapped_column(Utc)

    offer: Mapped[Offer] = relationship()
    price: Mapped[Price] = relationship()
    customer: Mapped[Customer | None] = relationship()
    payments: Mapped[list[Payment]] = relationship(back_populates="order", order_by="Payment.id")
    receipt: Mapped[Receipt | None] = relationship(back_populates="order")

    subtotal = money("subtotal_amount")
    tax = money("tax_amount")
    total = money("total_amount")
    discount = money("discount_amount")
    settled_tax = money("settled_tax_amount")
    settled = money("settled_amount")

    def move_to(self, state: OrderState, *, actor: str, reason: str | None = None) -> bool:
        """Change state and write history; False (and nothing written) when it is the present one."""
        before = self.state
        if not self.change_state(state):
            return False
        self.reason = reason
        HistoryEntry.write(
            self,
            "state",
            subject=self.public_id,
            actor=actor,
            data={"from": before, "to": state, "reason": reason},
        )
        return True
