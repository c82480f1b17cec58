"""What screening saw and decided, and the lists it goes by."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.extensions import Model
from app.models.base import BigKey, Json, Utc


class FraudDecision(Model):
    """One screening of one order: the signals, the rules that fired, the verdict and the rules' version.

    Signals are derived (hashes, counts, amounts), so that the decision replays without personal data.
    """

    __tablename__ = "fraud_decisions"
    __table_args__ = (Index("ix_fraud_decisions_order", "order_id", "id"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    stage: Mapped[str] = mapped_column(String(16))  # request, settlement
    verdict: Mapped[str] = mapped_column(String(16))  # allow, flag
    score: Mapped[int]  # 0 to 100
    reasons: Mapped[list[str]] = mapped_column(Json)
    signals: Mapped[dict[str, Any]] = mapped_column(Json)
    rules_version: Mapped[str] = mapped_column(String(16))
    decided_at: Mapped[datetime] = mapped_column(Utc, default=clock.now)


class ListEntry(Model):
    """A network on a list: `high_risk` flags, `refuse` turns away."""

    __tablename__ = "list_entries"
    __table_args__ = (UniqueConstraint("list_name", "network"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    list_name: Mapped[str] = mapped_column(String(16))
    network: Mapped[str] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(String(255), default="")
    created_at: Mapped[datetime] = mapped_column(Utc, default=clock.now)
