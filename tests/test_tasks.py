"""Tasks: run with their handled mark in one transaction, on schedule once among many workers, and not lost when a
worker is killed in the middle of one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from psycopg import sql
from sqlalchemy import func, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import scoped_session

from app import clock, mail, queue, tasks
from app.extensions import db, mean_to_write
from app.models import ExecutionTask, ListEntry, Mail, QueueState
from tests.infra import databases, run, smtp, wait
from tests.infra.postgres import Postgres

Travel = Callable[..., None]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, tasks.Task]:
    """An empty registry of the test's own."""
    empty: dict[str, tasks.Task] = {}
    monkeypatch.setattr(tasks, "REGISTRY", empty)
    return empty


def enqueue(name: str, **arguments: Any) -> None:
    mean_to_write()
    tasks.enqueue(name, **arguments)
    db.session.commit()


def work() -> int:
    """As a worker's turn; how many tasks it took."""
    mean_to_write()
    try:
        return tasks.work("worker")
    finally:
        db.session.remove()


def rows() -> list[ExecutionTask]:
    return list(db.session.scalars(select(ExecutionTask).order_by(ExecutionTask.id)))


def networks() -> list[str]:
    return list(db.session.scalars(select(ListEntry.network).order_by(ListEntry.id)))


def write(network: str) -> dict[str, str]:
    db.session.add(ListEntry(list_name="high_risk", network=network))
    db.session.flush()
    return {"wrote": network}


@databases.both
def test_what_a_task_wrote_is_there_with_its_mark(
    db_session: scoped_session, registry: dict[str, tasks.Task]
) -> None:
    tasks.task("write")(write)
    enqueue("write", network="192.0.2.1/32")
    assert work() == 1
    (row,) = rows()
    assert (row.state, row.result) == (QueueState.DONE, {"wrote": "192.0.2.1/32"})
    assert (row.lease_until, row.error) == (None, None)
    assert row.finished_at >= row.started_at >= row.queued_at
    assert networks() == ["192.0.2.1/32"]


@databases.both
def test_what_a_failing_task_wrote_is_gone(
    db_session: scoped_session, registry: dict[str, tasks.Task], travel: Travel
) -> None:
    fail = [True]

    def fragile(network: str) -> dict[str, str]:
        done = write(network)
        if fail[0]:
            raise ArithmeticError("half way")
        return done

    tasks.task("write")(fragile)
    enqueue("write", network="192.0.2.1/32")
    work()
    (row,) = rows()
    assert (row.state, row.attempts, networks()) == (QueueState.WAITING, 1, [])
    assert "half way" in row.error
    db_session.rollback()
    fail[0] = False
    travel(minutes=1)
    work()
    (row,) = rows()
    assert (row.state, row.attempts, row.error, networks()) == (QueueState.DONE, 2, None, ["192.0.2.1/32"])


@databases.both
def test_a_task_that_broke_the_transaction_is_put_back(
    db_session: scoped_session, registry: dict[str, tasks.Task]
) -> None:
    """Two rows with one unique key: the statement fails, and with it the whole transaction."""

    def twice() -> None:
        write("192.0.2.1/32")
        write("192.0.2.1/32")

    tasks.task("twice")(twice)
    enqueue("twice")
    work()
    (row,) = rows()
    assert (row.state, networks()) == (QueueState.WAITING, [])
    assert "IntegrityError" in row.error


@databases.both
def test_who_lost_the_lease_writes_nothing(
    app: Flask, registry: dict[str, tasks.Task], travel: Travel
) -> None:
    """A task took so long that another worker ran it: only one of the two leaves its mark."""
    runs: list[str] = []

    def slow(network: str) -> dict[str, str]:
        runs.append(network)
        number = len(runs)
        db.session.rollback()
        if number == 1:
            travel(minutes=3)
            thread = threading.Thread(target=in_another_worker)
            thread.start()
            thread.join()
        return write(f"192.0.2.{number}/32")

    def in_another_worker() -> None:
        with app.app_context():
            mean_to_write()
            tasks.work("quick")

    tasks.task("slow")(slow)
    with app.app_context():
        enqueue("slow", network="x")
        work()
        (row,) = rows()
        assert len(runs) == 2
        assert (row.state, row.attempts, row.worker) == (QueueState.DONE, 2, "quick")
        assert networks() == ["192.0.2.2/32"]


@databases.both
@pytest.mark.parametrize("trouble", ["name", "arguments", "result"])
def test_what_cannot_run_ends_dead_and_hurts_nobody(
    db_session: scoped_session, registry: dict[str, tasks.Task], travel: Travel, trouble: str
) -> None:
    tasks.task("write", priority=tasks.MAIL)(write)
    tasks.task("broken")(lambda: {"a result": object()} if trouble == "result" else None)
    enqueue("broken", **({"what": 1} if trouble == "arguments" else {}))
    if trouble == "name":
        del registry["broken"]
    enqueue("write", network="192.0.2.1/32")
    assert (work(), work(), work()) == (1, 1, 0)
    broken, sound = rows()
    assert (broken.state, sound.state) == (QueueState.WAITING, QueueState.DONE)
    for _ in range(queue.MAX_ATTEMPTS):
        db_session.rollback()
        travel(hours=8)
        work()
    broken, _ = rows()
    assert (broken.state, broken.attempts) == (QueueState.DEAD, queue.MAX_ATTEMPTS)
    assert {"name": "KeyError", "arguments": "TypeError", "result": "TypeError"}[trouble] in broken.error
    db_session.rollback()
    travel(days=30)
    assert work() == 0


def test_a_name_nobody_registered_is_not_enqueued(
    db_session: scoped_session, registry: dict[str, tasks.Task]
) -> None:
    with pytest.raises(KeyError):
        tasks.enqueue("invented")


@databases.both
def test_a_tick_is_one_run_among_many_workers(app: Flask, registry: dict[str, tasks.Task]) -> None:
    tasks.task("sweep", every=timedelta(minutes=1))(lambda: None)
    tasks.task("never")(lambda: None)
    start = threading.Barrier(8)

    def tick() -> None:
        with app.app_context():
            mean_to_write()
            app.extensions.pop("ticked", None)  # as in another process
            start.wait()
            tasks.tick()
            db.session.commit()

    threads = [threading.Thread(target=tick) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.app_context():
        # The minute may have turned in between.
        assert len(rows()) == len({row.unique_key for row in rows()}) <= 2
        assert {row.name for row in rows()} == {"sweep"}


def test_after_a_long_pause_one_run_catches_up(
    db_session: scoped_session, registry: dict[str, tasks.Task], travel: Travel
) -> None:
    ran: list[int] = []
    tasks.task("sweep", every=timedelta(minutes=1))(lambda: ran.append(clock.timestamp()))
    seconds = 60 - clock.timestamp() % 60 + 1
    travel(seconds=seconds)  # the beginning of a minute, so that none turns meanwhile
    assert [work() for _ in range(3)] == [1, 0, 0]
    travel(days=3)
    assert [work() for _ in range(3)] == [1, 0, 0]
    travel(minutes=1)
    assert [work() for _ in range(3)] == [1, 0, 0]
    assert len(ran) == 3


def test_the_shop_s_own_tasks_are_registered(app: Flask) -> None:
    assert tasks.REGISTRY["sweep_orders"].every == timedelta(minutes=1)
    assert tasks.REGISTRY["settle_order"].priority < tasks.REGISTRY["deliver_mail"].priority
    assert tasks.MONEY < tasks.NORMAL < tasks.MAIL


# ------------------------------------------------------------------------ workers as processes of their own


@pytest.fixture
def server() -> Iterator[smtp.MailServer]:
    with smtp.MailServer() as server:
        yield server


class Workers:
    """Real `flask worker` processes; a mail handed to a slow server is the task in hand."""

    def __init__(self, environ: dict[str, str], log: Path) -> None:
        self.environ = {**os.environ, **environ, "LOG_LEVEL": "INFO"}
        self.log, self.started = log, []

    def start(self) -> subprocess.Popen:
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "worker"]
        process = run.spawn(command, self.log, cwd=run.ROOT, env=self.environ)
        self.started.append(process)
        return process

    def end(self, process: subprocess.Popen, number: signal.Signals) -> int:
        process.send_signal(number)
        return self.ended(process)

    def ended(self, process: subprocess.Popen) -> int:
        code = process.wait(20)
        run.ended(process)
        self.started.remove(process)
        return code


@pytest.fixture
def workers(app: Flask, environ: dict[str, str], tmp_path: Path) -> Iterator[Workers]:
    found = Workers(environ, tmp_path / "worker.log")
    yield found
    for process in list(found.started):
        found.end(process, signal.SIGKILL)


@pytest.fixture
def environ(environ: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
    if "server" in request.fixturenames:
        environ["MAIL_URL"] = request.getfixturevalue("server").url
    return environ


def a_mail(app: Flask, number: int = 1) -> None:
    """A mail that is rendered already: the worker has only to hand it over."""
    with app.app_context():
        mean_to_write()
        mail.send("plain", "buyer@example.com", key=f"plain:{number}")
        made = db.session.scalars(select(Mail).where(Mail.unique_key == f"plain:{number}")).one()
        made.subject, made.html, made.text = "Hello", "<p>Hello</p>", "Hello"
        db.session.commit()


def task_state(app: Flask, unique: str = "mail:%") -> tuple[str, int]:
    with app.app_context():
        row = db.session.scalars(select(ExecutionTask).where(ExecutionTask.unique_key.like(unique))).one()
        return row.state, row.attempts


@databases.both
def test_a_worker_killed_in_the_middle_of_a_task_loses_nothing(
    app: Flask, server: smtp.MailServer, workers: Workers, travel: Travel
) -> None:
    a_mail(app)
    server.hold.clear()
    killed = workers.start()
    wait.until(lambda: server.deliveries, "the worker is in the middle of the task", seconds=30)
    assert workers.end(killed, signal.SIGKILL) == -signal.SIGKILL
    server.hold.set()
    assert task_state(app) == (QueueState.RUNNING, 1)
    travel(seconds=ExecutionTask.LEASE.total_seconds() + 1)
    workers.start()
    wait.until(lambda: task_state(app) == (QueueState.DONE, 2), "another worker took it over", seconds=30)
    assert len({delivery.message["Message-ID"] for delivery in server.deliveries}) == 1
    with app.app_context():
        assert db.session.scalar(select(func.count()).where(Mail.sent_at.is_not(None))) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_told_to_stop_finishes_what_it_has_in_hand_and_begins_nothing(
    app: Flask, server: smtp.MailServer, workers: Workers, number: signal.Signals
) -> None:
    for which in (1, 2, 3):
        a_mail(app, which)
    server.hold.clear()
    stopped = workers.start()
    wait.until(lambda: server.deliveries, "the worker is in the middle of a task", seconds=30)
    stopped.send_signal(number)
    # It is still at it: the server has not answered yet.
    with pytest.raises(subprocess.TimeoutExpired):
        stopped.wait(0.5)
    server.hold.set()
    assert workers.ended(stopped) == 0
    with app.app_context():
        states = list(db.session.scalars(
            select(ExecutionTask.state).where(ExecutionTask.name == "deliver_mail").order_by(ExecutionTask.id)
        ))  # fmt: skip
    assert states == [QueueState.DONE, QueueState.WAITING, QueueState.WAITING]
    assert len(server.deliveries) == 1
    assert "worker_stopped" in workers.log.read_text()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_worker_outlives_its_database(
    app: Flask, server: smtp.MailServer, workers: Workers, database: str, postgres_server: Postgres
) -> None:
    name = make_url(database).database
    surviving = workers.start()
    a_mail(app, 1)
    wait.until(lambda: len(server.deliveries) == 1, "the worker works", seconds=30)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()

    def let_in(allowed: bool) -> None:
        postgres_server.execute(
            sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(
                sql.Identifier(name), sql.Literal(allowed)
            )
        )

    let_in(False)
    with psycopg.connect(
        host=postgres_server.socket, port=postgres_server.port, user=postgres_server.user, dbname="postgres"
    ) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
    wait.until(lambda: "worker_stumbled" in workers.log.read_text(), "the worker noticed", seconds=30)
    assert surviving.poll() is None
    let_in(True)
    a_mail(app, 2)
    wait.until(lambda: len(server.deliveries) == 2, "the worker works again", seconds=30)
    assert surviving.poll() is None
