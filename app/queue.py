"""Leases over webhook_events and execution_tasks alike, the worker loop, and the schedule's ticks."""

from __future__ import annotations

import os
import random
import secrets
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import aliased

from app import clock
from app.extensions import db, mean_to_write
from app.logs import redact
from app.models.queue import OPEN_STATES, ExecutionTask, Queued, QueueState, WebhookEvent

log = structlog.get_logger("queue")

MAX_ATTEMPTS = 10
LONGEST_WAIT = 6 * 3600.0  # seconds
Q = TypeVar("Q", WebhookEvent, ExecutionTask)


class Later(Exception):
    """What this row refers to is not here yet: park it and try again."""


def worker_name() -> str:
    return f"{socket.gethostname()[:32]}:{os.getpid()}:{secrets.token_hex(3)}"


def claim(model: type[Q], limit: int, worker: str) -> list[Q]:
    """Lease up to `limit` due rows to `worker`, most urgent first. The caller commits before working on them.

    Of the events of one object only the oldest open one is ever leased. A lease that ran out is taken over, with
    a longer one for what may only be slow, unless it was the last: a row in whose every try the worker ended is
    dead, not tried for ever.
    """
    now = clock.now()
    due = or_(
        and_(model.state == QueueState.WAITING, model.run_at <= now),
        and_(model.state == QueueState.RUNNING, model.lease_until < now),
    )
    query = select(model).where(due)
    if model is WebhookEvent:
        older = aliased(WebhookEvent)
        query = query.where(
            ~select(older.id)
            .where(
                older.object_key == WebhookEvent.object_key,
                older.state.in_(OPEN_STATES),
                older.id < WebhookEvent.id,
            )
            .exists()
        )
    query = query.order_by(model.priority, model.run_at, model.id).limit(limit)
    rows = list(db.session.scalars(query.with_for_update(skip_locked=True)))
    leased = []
    for row in rows:
        if row.attempts >= MAX_ATTEMPTS:
            _bury(row, RuntimeError("in each of its tries the worker ended before the row did"))
            continue
        row.state = QueueState.RUNNING
        row.worker = worker
        row.attempts += 1
        row.lease_until = now + model.LEASE * row.attempts
        row.started_at = now
        leased.append(row)
    return leased


def held(model: type[Q], row_id: int, worker: str, attempts: int) -> Q | None:
    """The row, locked, if the lease taken at this attempt is still `worker`'s; else None: somebody took over."""
    return db.session.scalar(
        select(model)
        .where(
            model.id == row_id,
            model.state == QueueState.RUNNING,
            model.worker == worker,
            model.attempts == attempts,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def finish(row: Queued, state: QueueState = QueueState.DONE) -> None:
    row.state = state
    row.finished_at = clock.now()
    row.lease_until = None
    row.error = None


def put_back(row: Queued, error: BaseException) -> None:
    """Try again later, each time later; after the tenth try the row is dead and a person looks."""
    if row.attempts >= MAX_ATTEMPTS:
        _bury(row, error)
        return
    row.error = _account(error)
    row.lease_until = None
    row.state = QueueState.WAITING
    row.run_at = clock.now() + backoff(row.attempts)


def _bury(row: Queued, error: BaseException) -> None:
    row.error = _account(error)
    row.lease_until = None
    row.state = QueueState.DEAD
    row.finished_at = clock.now()
    log.error("queue_row_dead", row=row.id, table=row.__tablename__, exc_info=error)  # type: ignore[attr-defined]


def _account(error: BaseException) -> str:
    told = str(error) if isinstance(error, Later) else "".join(traceback.format_exception(error))
    return redact(told[-8000:])


def backoff(attempts: int) -> timedelta:
    """1, 4, 16 … seconds up to six hours, give or take a quarter: nine waits outlast a night's outage."""
    seconds = min(LONGEST_WAIT, 4.0 ** (attempts - 1))
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))  # noqa: S311  # jitter, not a secret


def revive(row: Queued) -> None:
    """Give a dead or finished row its ten tries again: the operator's replay."""
    row.state = QueueState.WAITING
    row.attempts = 0
    row.run_at = clock.now()
    row.lease_until = None
    row.finished_at = None


class Stop:
    """Set by SIGTERM and SIGINT: the row in hand is finished, no other is begun."""

    def __init__(self) -> None:
        self.event = threading.Event()

    def install(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.event.set())


def run(sources: Sequence[Callable[[str], int]], stop: Stop, before_each: Callable[[], Any]) -> None:
    """The worker: ask each source for work until `stop`, resting 0.2 s when there is none.

    A source claims, works and commits; it gets the worker's name and returns how many rows it finished.
    """
    me = worker_name()
    log.info("worker_started", worker=me)
    mean_to_write()
    while not stop.event.is_set():
        if not sum(_ask(source, me, stop, before_each) for source in sources):
            stop.event.wait(0.2)
    log.info("worker_stopped", worker=me)


def _ask(source: Callable[[str], int], worker: str, stop: Stop, before_each: Callable[[], Any]) -> int:
    """One source's turn. Whatever it stumbles over (the database went away, say), the worker and the other
    sources outlive.
    """
    if stop.event.is_set():
        return 0
    try:
        before_each()
        return source(worker)
    except Exception as error:
        log.error("worker_stumbled", error=type(error).__name__, exc_info=error)
        stop.event.wait(1)
        return 0
    finally:
        db.session.remove()
