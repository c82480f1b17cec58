"""The queue: each row goes to one worker at a time, nothing is lost or done twice, and what cannot succeed ends."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import scoped_session

from app import clock, queue, tasks
from app.extensions import db, mean_to_write
from app.models import ExecutionTask, QueueState, WebhookEvent
from tests.infra import databases
from tests.infra.chance import scaled

Travel = Callable[..., None]


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry of this test's own: no schedule of the shop's."""
    monkeypatch.setattr(tasks, "REGISTRY", {})
    for name, priority in (("money", tasks.MONEY), ("normal", tasks.NORMAL), ("mail", tasks.MAIL)):
        tasks.task(name, priority=priority)(lambda **_: None)


def add(name: str = "normal", **options: Any) -> None:
    mean_to_write()
    tasks.enqueue(name, **options)
    db.session.commit()


def event(key: str, number: int = 1, **changes: Any) -> WebhookEvent:
    values = {
        "stripe_event_id": f"evt_{key}_{number}",
        "type": "charge.succeeded",
        "object_key": key,
        "livemode": False,
        "created": 1,
        "payload": b"{}",
    }
    return WebhookEvent(**{**values, **changes})


def claimed(model: Any = ExecutionTask, worker: str = "me", limit: int = 100) -> list[Any]:
    rows = queue.claim(model, limit, worker)
    db.session.commit()
    return rows


def in_threads(app: Flask, count: int, work: Callable[[int], None]) -> None:
    """`work(number)` at once in that many threads, each with its own application context."""
    start, failures = threading.Barrier(count), []

    def run(number: int) -> None:
        with app.app_context():
            mean_to_write()
            start.wait()
            try:
                work(number)
            except Exception as error:
                failures.append(error)
                raise

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@databases.both
def test_eight_claimers_share_the_rows(app: Flask) -> None:
    rows = scaled(120, 2000)
    with app.app_context():
        mean_to_write()
        for number in range(rows):
            tasks.enqueue("normal", unique_key=f"n{number}")
            db.session.add(event(f"ch_{number % (rows // 3)}", number))
        db.session.commit()
    taken: list[tuple[type, int]] = []
    events_at_once: list[list[str]] = []

    def work(number: int) -> None:
        while True:
            found = claimed(worker=f"w{number}", limit=7)
            leased = claimed(WebhookEvent, f"w{number}", limit=7)
            events_at_once.append([row.object_key for row in leased])
            taken.extend((type(row), row.id) for row in [*found, *leased])
            for row in [*found, *leased]:
                queue.finish(queue.held(type(row), row.id, f"w{number}", 1))
            db.session.commit()
            if not found and not leased:
                return

    in_threads(app, 8, work)
    assert set(Counter(taken).values()) == {1}
    assert len(taken) == 2 * rows
    # Of one object's events no two are ever in hand together, in one claim or in two.
    assert all(len(keys) == len(set(keys)) for keys in events_at_once)


@databases.both
def test_of_one_object_only_the_oldest_open_event_is_leased(db_session: scoped_session) -> None:
    mean_to_write()
    db_session.add_all([event("ch_1", 1), event("ch_1", 2), event("ch_2", 1)])
    db_session.commit()
    first = claimed(WebhookEvent)
    assert sorted(row.stripe_event_id for row in first) == ["evt_ch_1_1", "evt_ch_2_1"]
    assert claimed(WebhookEvent) == []
    for row in first:
        queue.finish(row, QueueState.IGNORED)
    db_session.commit()
    assert [row.stripe_event_id for row in claimed(WebhookEvent)] == ["evt_ch_1_2"]


@databases.both
def test_money_goes_before_mail_and_nothing_before_its_time(
    db_session: scoped_session, travel: Travel
) -> None:
    for name in ("mail", "normal", "money"):
        add(name)
    add("money", run_at=clock.now() + timedelta(minutes=1))
    assert [row.name for row in claimed()] == ["money", "normal", "mail"]
    assert claimed() == []
    travel(seconds=61)
    assert [(row.name, row.attempts) for row in claimed(limit=1)] == [("money", 1)]


@databases.both
def test_a_lease_that_ran_out_is_taken_over_and_its_holder_refused(
    db_session: scoped_session, travel: Travel
) -> None:
    add()
    (row,) = claimed(worker="slow")
    lease = (row.id, "slow", row.attempts)
    assert claimed(worker="quick") == []
    travel(seconds=ExecutionTask.LEASE.total_seconds() + 1)
    assert queue.held(ExecutionTask, *lease) is row  # nobody took it: it may be finished late
    db_session.rollback()
    (taken,) = claimed(worker="quick")
    assert (taken.id, taken.worker, taken.attempts) == (row.id, "quick", 2)
    assert queue.held(ExecutionTask, *lease) is None
    db_session.rollback()
    assert queue.held(ExecutionTask, row.id, "quick", 1) is None  # its own, of an earlier try
    assert queue.held(ExecutionTask, row.id, "quick", 2) is taken
    queue.finish(taken)
    db_session.commit()
    assert queue.held(ExecutionTask, row.id, "quick", 2) is None
    db_session.rollback()
    travel(days=1)
    assert claimed() == []


def test_waits_grow_and_stay_bounded() -> None:
    middle = [1, 4, 16, 64, 256, 1024, 4096, 16384, 21600, 21600]
    for attempts, seconds in enumerate(middle, start=1):
        waits = [queue.backoff(attempts).total_seconds() for _ in range(50)]
        assert all(0.75 * seconds <= wait <= 1.25 * seconds for wait in waits)
        assert len(set(waits)) > 40  # many rows that failed together do not come back together


@databases.both
def test_the_tenth_failure_is_the_last(db_session: scoped_session, travel: Travel) -> None:
    add()
    runs, last_due = 0, clock.now() - timedelta(seconds=1)
    while rows := claimed():
        (row,) = rows
        runs += 1
        queue.put_back(row, ValueError("not today"))
        db_session.commit()
        if row.state == QueueState.WAITING:
            assert row.run_at > last_due
            last_due = row.run_at
            assert claimed() == []  # not before it is due
            travel(hours=8)
    assert (runs, row.state, row.lease_until) == (queue.MAX_ATTEMPTS, QueueState.DEAD, None)
    assert "not today" in row.error
    assert row.finished_at is not None
    queue.revive(row)
    db_session.commit()
    assert [(found.id, found.attempts) for found in claimed()] == [(row.id, 1)]


@databases.both
def test_a_row_that_ends_its_worker_every_time_is_not_tried_for_ever(
    db_session: scoped_session, travel: Travel
) -> None:
    add()
    for attempt in range(1, queue.MAX_ATTEMPTS + 1):
        assert [row.attempts for row in claimed()] == [attempt]
        travel(minutes=2 * attempt, seconds=1)  # the worker is gone, and its lease runs out
    assert claimed() == []
    row = db_session.scalars(select(ExecutionTask)).one()
    assert (row.state, row.attempts) == (QueueState.DEAD, queue.MAX_ATTEMPTS)
    assert "worker ended" in row.error


def test_what_waits_for_something_says_so_without_a_trace(db_session: scoped_session) -> None:
    add()
    (row,) = claimed()
    queue.put_back(row, queue.Later("its order is not here yet"))
    assert (row.state, row.error) == (QueueState.WAITING, "its order is not here yet")


@databases.both
def test_a_unique_key_is_one_task(app: Flask) -> None:
    in_threads(app, 8, lambda _number: add(unique_key="receipt:1"))
    with app.app_context():
        add(unique_key="receipt:2")
        assert db.session.scalar(select(func.count()).select_from(ExecutionTask)) == 2


@databases.both
def test_a_task_comes_and_goes_with_its_transaction(db_session: scoped_session) -> None:
    mean_to_write()
    tasks.enqueue("normal")
    db_session.rollback()
    assert claimed() == []


def run(app: Flask, *sources: Callable[[str], int], before: Callable[[], Any] = lambda: None) -> None:
    """A worker's loop until a source sets the stop."""
    with app.app_context():
        queue.run(sources, stop, before)


stop = queue.Stop()


@pytest.fixture(autouse=True)
def _unstopped() -> None:
    stop.event.clear()


def test_a_worker_outlives_what_it_stumbles_over(app: Flask) -> None:
    """Each source is asked again, and one that always fails starves no other."""
    asked: list[str] = []

    def broken(_worker: str) -> int:
        asked.append("broken")
        raise OperationalError("SELECT 1", {}, Exception("server closed the connection"))

    def strange(_worker: str) -> int:
        asked.append("strange")
        raise LookupError("no such thing")

    def sound(_worker: str) -> int:
        asked.append("sound")
        if asked.count("sound") == 2:
            stop.event.set()
        return 1

    run(app, broken, strange, sound)
    assert asked == ["broken", "strange", "sound"] * 2


def test_a_stop_ends_the_loop_before_the_next_source(app: Flask) -> None:
    asked: list[str] = []

    def last(_worker: str) -> int:
        asked.append("last")
        stop.event.set()
        return 1

    run(app, last, last, before=lambda: asked.append("before"))
    assert asked == ["before", "last"]


def test_workers_are_told_apart() -> None:
    names = {queue.worker_name() for _ in range(100)}
    assert len(names) == 100
    assert all(len(name) <= 64 for name in names)
