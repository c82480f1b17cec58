"""The way to a purchase, counted without personal data, and the figures that leave for the metrics sink."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.extensions import Model
from app.models.base import BigKey, Json, Utc


class Step(StrEnum):
    SEEN = "seen"
    STARTED = "started"
    OPENED = "opened"
    PAID = "paid"
    LEFT = "left"


class FunnelStep(Model):
    __tablename__ = "funnel_steps"
    __table_args__ = (Index("ix_funnel_steps_step_at", "step", "at"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    step: Mapped[Step] = mapped_column(String(16))
    offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id"), index=True)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"), index=True)
    source: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    at: Mapped[datetime] = mapped_column(Utc, default=clock.now)


class MetricRecord(Model):
    """One measured fact, such as `payment_processed`, for the metrics surface to add up."""

    __tablename__ = "metric_records"
    __table_args__ = (Index("ix_metric_records_name_at", "name", "at"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(255), unique=True)
    fields: Mapped[dict[str, Any]] = mapped_column(Json)
    at: Mapped[datetime] = mapped_column(Utc, default=clock.now)
