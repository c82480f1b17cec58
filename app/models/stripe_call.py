"""StripeCall: a request to Stripe as an intent, stored before it is sent, with its key and its outcome."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.extensions import Model
from app.models.base import BigKey, Json, StrictText, Utc


class CallState(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"  # Stripe answered no
    UNKNOWN = "unknown"  # the answer was lost; looked up, never posted again after 24 hours


class StripeCall(Model):
    __tablename__ = "stripe_calls"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    operation: Mapped[str] = mapped_column(String(64))
    object_id: Mapped[str | None] = mapped_column(String(255))
    parameters: Mapped[dict[str, Any]] = mapped_column(Json)
    idempotency_key: Mapped[str] = mapped_column(String(255), unique=True)
    state: Mapped[CallState] = mapped_column(String(16), default=CallState.PENDING, index=True)
    result_id: Mapped[str | None] = mapped_column(String(255))
    error: Mapped[str | None] = mapped_column(StrictText)
    request_id: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(Utc, default=clock.now)
    sent_at: Mapped[datetime | None] = mapped_column(Utc)
    finished_at: Mapped[datetime | None] = mapped_column(Utc)
