"""Migrated databases for tests: one template of each kind for the run, a copy for each test."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.infra import postgres, run

KINDS = ("sqlite", "postgresql")
TEMPLATE = "countinghouse_template"
_numbers = count(1)

# A test marked so runs on both; without it, on SQLite.
both = pytest.mark.parametrize("database", KINDS, indirect=True)


def migrate(database_url: str, *arguments: str) -> str:
    """Run `flask db …` (by default `upgrade`) on the database, as a merchant does; its output."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "db", *(arguments or ("upgrade",))],
        cwd=run.ROOT,
        env={**os.environ, "APP_ENV": "test", "DATABASE_URL": database_url, "LOG_LEVEL": "WARNING"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise AssertionError(f"flask db {' '.join(arguments)} on {database_url}:\n{done.stdout}{done.stderr}")
    return done.stdout


@contextmanager
def migrated(kind: str) -> Iterator[str]:
    """The URL of a fresh copy of the migrated template, dropped afterwards."""
    if kind == "sqlite":
        place = run.folder() / f"database-{os.getpid()}-{next(_numbers)}"
        place.mkdir()
        shutil.copyfile(_sqlite_template(), place / "shop.db")
        yield f"sqlite:///{place / 'shop.db'}"
        shutil.rmtree(place)
    else:
        server = postgres.server()
        _postgres_template(server)
        name = server.create_database(TEMPLATE)
        yield server.url(name)
        server.drop_database(name)


@contextmanager
def empty(kind: str) -> Iterator[str]:
    """The URL of a database no migration has touched, dropped afterwards."""
    if kind == "sqlite":
        place = run.folder() / f"database-{os.getpid()}-{next(_numbers)}"
        place.mkdir()
        yield f"sqlite:///{place / 'shop.db'}"
        shutil.rmtree(place)
    else:
        server = postgres.server()
        name = server.create_database()
        yield server.url(name)
        server.drop_database(name)


def _sqlite_template() -> Path:
    with run.locked("sqlite-template") as home:
        template = home / "template.db"
        if not template.exists():
            making = home / "making.db"
            migrate(f"sqlite:///{making}")
            with closing(sqlite3.connect(making)) as connection:
                # A copy takes the file alone, without the log beside it.
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            making.rename(template)
        return template


def _postgres_template(server: postgres.Postgres) -> None:
    with run.locked("postgres-template") as home:
        done = home / "postgres-template.made"
        if not done.exists():
            server.create_database(name=TEMPLATE)
            migrate(server.url(TEMPLATE))
            done.touch()


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a migrated database of this test's own; `@databases.both` runs the test on each kind."""
    with migrated(getattr(request, "param", "sqlite")) as url:
        yield url
