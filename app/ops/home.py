"""The console's first page: what needs a person, and how the day goes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import render_template
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from app import clock, health
from app.extensions import db
from app.models import (
    CallState,
    ExecutionTask,
    Order,
    OrderState,
    QueueState,
    RevenueRecord,
    StripeCall,
    WebhookEvent,
)
from app.money import Money
from app.ops.door import blueprint

WEEK = timedelta(days=7)
# Events are applied within a second or two; past this the worker is down or drowning.
SLOW = timedelta(minutes=2)


@blueprint.get("")
def home() -> str:
    """Held money first, then what the machine gave up on, then what is worth a look."""
    now = clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    lag = health.lag()
    return render_template(
        "ops/home.html",
        held=_count(Order, Order.state == OrderState.HELD),
        dead=_count(WebhookEvent, WebhookEvent.state == QueueState.DEAD),
        tasks=_dead_tasks(),
        unknown=_count(StripeCall, StripeCall.state == CallState.UNKNOWN),
        flagged=_count(Order, Order.flagged, Order.state != OrderState.HELD, Order.created_at > now - WEEK),
        waiting=_count(WebhookEvent, WebhookEvent.state == QueueState.WAITING),
        lag=lag,
        slow=lag > SLOW,
        placed=_count(Order, Order.created_at >= midnight),
        earned=_earned(midnight),
        now=now,
        recent=db.session.scalars(
            select(Order)
            .options(joinedload(Order.customer), joinedload(Order.offer))
            .order_by(Order.id.desc())
            .limit(10)
        ).all(),
    )


def _count(model: Any, *conditions: Any) -> int:
    return db.session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0


def _dead_tasks() -> dict[str, int]:
    """How many background tasks gave up, by name."""
    query = (
        select(ExecutionTask.name, func.count())
        .where(ExecutionTask.state == QueueState.DEAD)
        .group_by(ExecutionTask.name)
        .order_by(ExecutionTask.name)
    )
    return {str(row[0]): int(row[1]) for row in db.session.execute(query)}


def _earned(since: Any) -> list[Money]:
    """What was taken since then, one sum for each currency."""
    query = (
        select(RevenueRecord.currency, func.sum(RevenueRecord.gross_amount))
        .where(RevenueRecord.recognized_at >= since)
        .group_by(RevenueRecord.currency)
        .order_by(RevenueRecord.currency)
    )
    return [Money(int(total), currency) for currency, total in db.session.execute(query)]
