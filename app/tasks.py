"""Background tasks: registered by decorator in the rooms that own them, enqueued in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from flask import current_app
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from app import clock, queue
from app.extensions import db
from app.models.queue import ExecutionTask, QueueState

log = structlog.get_logger("tasks")

Work = Callable[..., dict[str, Any] | None]


@dataclass(frozen=True)
class Task:
    name: str
    work: Work
    priority: int
    every: timedelta | None


REGISTRY: dict[str, Task] = {}
MONEY, NORMAL, MAIL = 10, 50, 70  # money goes before mail


def task(name: str, *, priority: int = NORMAL, every: timedelta | None = None) -> Callable[[Work], Work]:
    """Register `work` under `name`; with `every`, it also runs by the schedule, once per tick among all workers.

    Work runs in a transaction that the worker commits together with the handled mark. Work that calls Stripe
    does so before it writes (`gateway.fetch` refuses otherwise).
    """

    def register(work: Work) -> Work:
        REGISTRY[name] = Task(name, work, priority, every)
        return work

    return register


def enqueue(
    name: str, *, unique_key: str | None = None, run_at: datetime | None = None, **arguments: Any
) -> None:
    """Add a task to the caller's transaction; with a `unique_key` that is already there, do nothing."""
    now = clock.now()
    values = {
        "name": name,
        "arguments": arguments,
        "unique_key": unique_key,
        "run_at": run_at or now,
        "queued_at": now,
        "priority": REGISTRY[name].priority,
        "state": QueueState.WAITING,
        "attempts": 0,
    }
    db.session.execute(insert_or_ignore(ExecutionTask).values(**values))


def insert_or_ignore(model: Any) -> Any:
    """An INSERT that a present unique key turns into nothing."""
    on_postgresql = db.session.get_bind().dialect.name == "postgresql"
    return (postgresql_insert if on_postgresql else sqlite_insert)(model).on_conflict_do_nothing()


def tick() -> None:
    """Enqueue what the schedule holds for this moment; the tick's number makes it once for all workers.

    However long nobody ticked, one run catches up.
    """
    now = clock.timestamp()
    ticked: dict[str, int] = current_app.extensions.setdefault("ticked", {})
    due = {}
    for item in REGISTRY.values():
        if item.every is not None:
            number = now // int(item.every.total_seconds())
            if ticked.get(item.name) != number:
                due[item.name] = number
    for name, number in due.items():
        enqueue(name, unique_key=f"tick:{name}:{number}")
    if due:
        db.session.commit()
        ticked.update(due)


def work(worker: str) -> int:
    """Claim the most urgent due task and run it; the source of tasks for `queue.run`.

    One at a time: no task waits under a running lease behind a slow one, and a stop waits for one task only.
    """
    tick()
    rows = queue.claim(ExecutionTask, 1, worker)
    leases = [(row.id, row.attempts, row.name, dict(row.arguments)) for row in rows]
    db.session.commit()
    for row_id, attempts, name, arguments in leases:
        _run(row_id, attempts, name, arguments, worker)
    return len(leases)


def _run(row_id: int, attempts: int, name: str, arguments: dict[str, Any], worker: str) -> None:
    try:
        result = REGISTRY[name].work(**arguments)
        row = queue.held(ExecutionTask, row_id, worker, attempts)
        if row is None:
            db.session.rollback()
            return
        row.result = result
        queue.finish(row)
        db.session.commit()
    except Exception as error:
        db.session.rollback()
        log.warning("task_failed", task=name, attempts=attempts, error=type(error).__name__)
        row = queue.held(ExecutionTask, row_id, worker, attempts)
        if row is not None:
            queue.put_back(row, error)
            db.session.commit()
