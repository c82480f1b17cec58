"""JournalEntry: double-entry bookkeeping. Lines are signed (debit positive) and balance per currency."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Model
from app.models.base import BigKey, Utc, money


class Account(StrEnum):
    STRIPE_CLEARING = "stripe_clearing"  # asset: what Stripe holds for the merchant
    REVENUE = "revenue"  # income, net of tax
    TAX_PAYABLE = "tax_payable"  # liability: tax collected
    STRIPE_FEES = "stripe_fees"  # expense
    SUSPENSE = "suspense"  # liability: money that came but waits for a person's decision
    CONVERSION = "conversion"  # clearing between two currencies, for Stripe's conversions


class JournalEntry(Model):
    __tablename__ = "journal_entries"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    # The business key: `payment:pi_…`, `balance:txn_…`. One fact is posted once, whoever brings it.
    key: Mapped[str] = mapped_column(String(255), unique=True)
    memo: Mapped[str] = mapped_column(String(255))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"), index=True)
    occurred_at: Mapped[datetime] = mapped_column(Utc, index=True)
    livemode: Mapped[bool]
    lines: Mapped[list[JournalLine]] = relationship(back_populates="entry", order_by="JournalLine.id")


class JournalLine(Model):
    __tablename__ = "journal_lines"
    __table_args__ = (CheckConstraint("amount <> 0", name="amount"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    entry_id: Mapped[int] = mapped_column(ForeignKey("journal_entries.id"), index=True)
    account: Mapped[Account] = mapped_column(String(32))
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[int]
    entry: Mapped[JournalEntry] = relationship(back_populates="lines")
    value = money("amount")
