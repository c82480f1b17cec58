"""The SQLite file: one table of JSON documents, what they refer to, timed work, deliveries, idempotency.

One write at a time: `write()` is one transaction for everything a transition changes. Reads never wait.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.simulator.clock import Clock
from app.simulator.ids import Ids
from app.simulator.transaction import Transaction

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, object TEXT NOT NULL, id TEXT NOT NULL, account TEXT NOT NULL,
    created INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0, data BLOB NOT NULL, UNIQUE (object, id));
CREATE INDEX IF NOT EXISTS objects_newest ON objects (object, seq);
CREATE TABLE IF NOT EXISTS refs (
    object TEXT NOT NULL, field TEXT NOT NULL, value TEXT NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY (object, field, value, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS due (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
    clock TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS due_next ON due (clock, at, seq);
CREATE INDEX IF NOT EXISTS due_subject ON due (subject, kind);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, endpoint TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending', tries INTEGER NOT NULL DEFAULT 0, next_at INTEGER);
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event);
CREATE INDEX IF NOT EXISTS deliveries_state ON deliveries (state, next_at);
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, delivery INTEGER NOT NULL, at INTEGER NOT NULL, status INTEGER,
    error TEXT, milliseconds INTEGER NOT NULL, answer TEXT);
CREATE INDEX IF NOT EXISTS attempts_delivery ON attempts (delivery);
CREATE TABLE IF NOT EXISTS idempotency (
    account TEXT NOT NULL, key TEXT NOT NULL, request BLOB NOT NULL, request_id TEXT NOT NULL,
    status INTEGER NOT NULL, body BLOB NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (account, key))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
TABLES = ("objects", "refs", "due", "deliveries", "attempts", "idempotency", "meta")
ACCOUNT = "acct_1SimulatedMerchant"


class Store:
    """The documents of one simulated Stripe. Safe to share between threads, not across a fork once opened."""

    def __init__(self, path: str, *, seed: str | None = None, start: int | None = None) -> None:
        self.path = path
        self.clock = Clock(start)
        self.ids = Ids(seed)
        self.base_url = "http://127.0.0.1:4242"
        self.after_commit: list[Callable[[Transaction], None]] = []
        self._lock = threading.RLock()
        self._local = threading.local()
        self._writer: sqlite3.Connection | None = None
        self._open: list[sqlite3.Connection] = []

    def open(self) -> None:
        """Create the file if needed and take up clock and identifiers where the last run left them."""
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            self._writer = self._connect()
            self._writer.executescript(SCHEMA)
        saved = dict(self._writer.execute("SELECT key, value FROM meta"))
        self.clock.offset = float(saved.get("offset", self.clock.offset))
        self.ids.count = int(saved.get("ids", 0))

    def close(self) -> None:
        """Close every connection; the file holds everything committed."""
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()
            self._writer = None

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=30)
        connection.execute("PRAGMA journal_mode=WAL")
        # Survives the end of the process at any moment; a power cut may cost this file, which holds nothing real.
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-32000")
        self._open.append(connection)
        return connection

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        with self._lock:
            if self._writer is None:
                raise RuntimeError("the store is closed")
            self._writer.execute("BEGIN IMMEDIATE")
            tx = Transaction(self._writer, self.clock, self.ids, ACCOUNT, self.base_url)
            try:
                yield tx
                tx.flush()
                if self.ids.seed is not None:
                    self._remember("ids", str(self.ids.count))
                self._writer.execute("COMMIT")
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
        for notify in self.after_commit:
            notify(tx)

    def read(self) -> Transaction:
        """A view for reading, on this thread's own connection."""
        connection = getattr(self._local, "connection", None)
        if connection is None or self._local.generation is not self._writer:
            with self._lock:
                connection = self._local.connection = self._connect()
            self._local.generation = self._writer
        return Transaction(connection, self.clock, self.ids, ACCOUNT, self.base_url)

    def _remember(self, key: str, value: str) -> None:
        if self._writer is not None:
            self._writer.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def travel(self, moment: float) -> None:
        """Move the clock to `moment` and keep it there across restarts."""
        with self._lock:
            self.clock.reach(moment)
            self._remember("offset", str(self.clock.offset))

    def shift(self, offset: float) -> None:
        """Set the clock's offset itself, so that the time a walk takes does not count."""
        with self._lock:
            self.clock.offset = max(self.clock.offset, offset)
            self._remember("offset", str(self.clock.offset))

    def snapshot(self, name: str) -> None:
        """Copy everything, clock and identifiers included, to a file beside this one."""
        with self._lock:
            writer, place = self._snapshot(name)
            place.unlink(missing_ok=True)
            self._remember("offset", str(self.clock.offset))
            self._remember("ids", str(self.ids.count))
            writer.execute("VACUUM INTO ?", (str(place),))

    def restore(self, name: str) -> None:
        """Take up again what a snapshot held; raises FileNotFoundError when there is none of that name."""
        with self._lock:
            writer, place = self._snapshot(name)
            if not place.exists():
                raise FileNotFoundError(name)
            writer.execute("ATTACH ? AS held", (str(place),))
            try:
                writer.execute("BEGIN IMMEDIATE")
                for table in (*TABLES, "sqlite_sequence"):
                    writer.execute(f"DELETE FROM main.{table}")  # noqa: S608 - names from this file
                    writer.execute(f"INSERT INTO main.{table} SELECT * FROM held.{table}")  # noqa: S608
                writer.execute("COMMIT")
            finally:
                writer.execute("DETACH held")
            saved = dict(writer.execute("SELECT key, value FROM meta"))
            self.clock.offset, self.ids.count = float(saved["offset"]), int(saved["ids"])

    def snapshots(self) -> list[str]:
        """The names of the snapshots there are."""
        return sorted(
            p.name.split(".")[-2] for p in Path(self.path).parent.glob(f"{Path(self.path).name}.*.snapshot")
        )

    def _snapshot(self, name: str) -> tuple[sqlite3.Connection, Path]:
        if self._writer is None:
            raise RuntimeError("the store is closed")
        return self._writer, Path(f"{self.path}.{name}.snapshot")

    def wipe(self) -> None:
        """Forget everything: objects, deliveries, clock and, with a seed, the identifiers given out."""
        with self._lock:
            if self._writer is None:
                raise RuntimeError("the store is closed")
            self._writer.execute("BEGIN IMMEDIATE")
            for table in TABLES:
                self._writer.execute(f"DELETE FROM {table}")  # noqa: S608 - names from this file
            self._writer.execute("DELETE FROM sqlite_sequence")
            self._writer.execute("COMMIT")
            self.clock.reset()
            self.ids.count = 0
