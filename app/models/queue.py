"""What is worked off in the background: webhook events and execution tasks share their columns."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.crypto import EncryptedBytes
from app.extensions import Model
from app.models.base import BigKey, Json, StrictText, Utc


class QueueState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    IGNORED = "ignored"  # an event of a type nobody here acts on
    REFUSED = "refused"  # an event of another account or mode: kept, never applied
    DEAD = "dead"  # every try failed, or cannot succeed; a person looks


OPEN_STATES = (QueueState.WAITING, QueueState.RUNNING)


class Queued:
    """The columns that `queue.claim` works on. Past its LEASE a row is taken from a worker that never finished."""

    LEASE: ClassVar[timedelta]

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    state: Mapped[QueueState] = mapped_column(String(16), default=QueueState.WAITING)
    priority: Mapped[int] = mapped_column(default=50)  # lower goes first
    run_at: Mapped[datetime] = mapped_column(Utc, default=clock.now)
    attempts: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(Utc)
    worker: Mapped[str | None] = mapped_column(String(64))
    error: Mapped[str | None] = mapped_column(StrictText)
    queued_at: Mapped[datetime] = mapped_column(Utc, default=clock.now)
    started_at: Mapped[datetime | None] = mapped_column(Utc)
    finished_at: Mapped[datetime | None] = mapped_column(Utc)


class WebhookEvent(Queued, Model):
    __tablename__ = "webhook_events"
    LEASE = timedelta(seconds=20)
    __table_args__ = (
        Index("ix_webhook_events_claim", "state", "run_at", "priority", "id"),
        Index("ix_webhook_events_object", "object_key", "state", "id"),
    )

    stripe_event_id: Mapped[str] = mapped_column(String(255), unique=True)
    type: Mapped[str] = mapped_column(String(128), index=True)
    # Events of one object are applied one after the other; events of different ones side by side.
    object_key: Mapped[str] = mapped_column(String(255))
    account: Mapped[str | None] = mapped_column(String(255))
    livemode: Mapped[bool]
    api_version: Mapped[str | None] = mapped_column(String(64))
    created: Mapped[int] = mapped_column(BigKey)  # Stripe's seconds
    # Read one by one: a payload that no key opens any more is its own event's failure.
    payload: Mapped[bytes] = mapped_column(EncryptedBytes, deferred=True)


class ExecutionTask(Queued, Model):
    __tablename__ = "execution_tasks"
    LEASE = timedelta(seconds=120)  # a mail server may take its time
    __table_args__ = (Index("ix_execution_tasks_claim", "state", "run_at", "priority", "id"),)

    name: Mapped[str] = mapped_column(String(64), index=True)
    arguments: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    unique_key: Mapped[str | None] = mapped_column(String(255), unique=True)
    result: Mapped[dict[str, Any] | None] = mapped_column(Json)


class SyncState(Model):
    """Per Stripe object: the second of the state we hold, and the last fetch that was applied."""

    __tablename__ = "sync_states"

    object_key: Mapped[str] = mapped_column(String(255), primary_key=True)
    as_of: Mapped[int] = mapped_column(BigKey, default=0)
    fetched_seq: Mapped[int] = mapped_column(BigKey, default=0)
    next_seq: Mapped[int] = mapped_column(BigKey, default=0)
