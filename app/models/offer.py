"""Offer: what is sold, with its Prices, tax rates and promotion codes. Archived, never deleted."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import ForeignKey, Numeric, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app import clock
from app.extensions import Model
from app.models.base import BigKey, Json, StrictText, Utc, money
from app.money import Money


class OfferKind(StrEnum):
    PRODUCT = "product"
    PLAN = "plan"


class TaxRate(Model):
    __tablename__ = "tax_rates"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(50))
    percentage: Mapped[Decimal] = mapped_column(Numeric(7, 4))
    inclusive: Mapped[bool]
    country: Mapped[str | None] = mapped_column(String(2))
    stripe_tax_rate_id: Mapped[str | None] = mapped_column(String(255))


class Offer(Model):
    __tablename__ = "offers"
    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[OfferKind] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(250))
    summary: Mapped[str] = mapped_column(StrictText)
    description: Mapped[str] = mapped_column(StrictText, default="")
    features: Mapped[list[str]] = mapped_column(Json, default=list)
    position: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(default=True)
    # How many were put on sale, and how many nobody holds or has bought (below zero where stock was lowered under
    # what is taken); None where stock is unlimited.
    stock: Mapped[int | None]
    available: Mapped[int | None]
    stripe_product_id: Mapped[str | None] = mapped_column(String(255))
    archived_at: Mapped[datetime | None] = mapped_column(Utc)
    prices: Mapped[list[Price]] = relationship(back_populates="offer", order_by="Price.id")

    @property
    def sold_out(self) -> bool:
        return self.available is not None and self.available <= 0


class Price(Model):
    __tablename__ = "prices"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id"), index=True)
    tax_rate_id: Mapped[int | None] = mapped_column(ForeignKey("tax_rates.id"))
    lookup_key: Mapped[str] = mapped_column(String(200), unique=True)
    currency: Mapped[str] = mapped_column(String(3))
    unit_amount: Mapped[int]
    interval: Mapped[str | None] = mapped_column(String(8))
    trial_days: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(default=True)
    stripe_price_id: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(Utc, default=clock.now)
    offer: Mapped[Offer] = relationship(back_populates="prices")
    tax_rate: Mapped[TaxRate | None] = relationship()

    @property
    def unit(self) -> Money:
        """What one costs, as the merchant states it: with tax inside, or before it."""
        return Money(self.unit_amount, self.currency)

    @property
    def tax_behavior(self) -> str:
        """Stripe's word for whether the price holds its tax."""
        if self.tax_rate is None:
            return "unspecified"
        return "inclusive" if self.tax_rate.inclusive else "exclusive"


class PromotionCode(Model):
    __tablename__ = "promotion_codes"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    code: Mapped[str] = mapped_column(String(64), unique=True)
    percent_off: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    currency: Mapped[str | None] = mapped_column(String(3))
    off_amount: Mapped[int | None]
    active: Mapped[bool] = mapped_column(default=True)
    stripe_coupon_id: Mapped[str | None] = mapped_column(String(255))
    stripe_promotion_code_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    amount_off = money("off_amount")
