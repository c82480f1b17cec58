"""What handlers and engines work with: documents, events and timed work inside one store transaction.

A document is a dict of plain JSON. Keys that begin with `_` are the simulator's own and are never shown.
Change a document through `update` only, and give it new nested values rather than changing old ones.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from app.simulator import contract, errors
from app.simulator.clock import Clock
from app.simulator.ids import Ids
from app.simulator.registry import RESOURCES, Doc, Resource

_CHUNK = 100


def shown(doc: Doc) -> Doc:
    """The document as the outside sees it."""
    return {key: value for key, value in doc.items() if key[0] != "_"}


class _Entry:
    __slots__ = ("dirty", "doc", "refs", "seq")

    def __init__(self, seq: int, doc: Doc, refs: set[tuple[str, str]]) -> None:
        self.seq, self.doc, self.refs, self.dirty = seq, doc, refs, False


class Transaction:
    """One transition in the making. `now` is its moment; `request_id` and `idempotency_key` mark its events.

    For the objects of a test clock `now` is that clock's time; events always bear `wall`, the simulator's own.
    """

    def __init__(
        self, connection: sqlite3.Connection, clock: Clock, ids: Ids, account: str, base_url: str = ""
    ) -> None:
        self.sql = connection
        self.now = self.wall = int(clock.now())
        self.test_clock: str | None = None
        self.account = account
        self.base_url = base_url
        self.request_id: str | None = None
        self.idempotency_key: str | None = None
        self.deliveries: list[int] = []
        self.events: list[Doc] = []
        self._ids = ids
        self._entries: dict[tuple[str, str], _Entry] = {}
        self._dirty: list[_Entry] = []
        self._held: list[tuple[str, Doc]] | None = None

    def enter(self, test_clock: str, moment: int) -> None:
        """Work from here on in the time of a test clock; what is put off follows that clock too."""
        self.test_clock, self.now = test_clock, moment

    # ------------------------------------------------------------------------------------- documents

    def new_id(self, prefix: str, length: int | None = None) -> str:
        """A fresh identifier."""
        return self._ids.new(prefix, length)

    def create(self, name: str, fields: Doc, *, id: str | None = None) -> Doc:
        """Store a new object `name`: the SDK's null fields, then `fields`. Returns the document."""
        resource = RESOURCES[name]
        identifier = id or self._ids.new(resource.prefix)
        doc = _blank(resource) | {"id": identifier, "object": name} | fields
        created = doc.get("created") or self.now
        if contract.has(name, "created"):
            doc["created"] = created
        if contract.has(name, "livemode"):
            doc["livemode"] = False
        doc = _ordered(doc)
        try:
            cursor = self.sql.execute(
                "INSERT INTO objects (object, id, account, created, data) VALUES (?, ?, ?, ?, ?)",
                (name, identifier, self.account, created, orjson.dumps(doc)),
            )
        except sqlite3.IntegrityError:
            label = resource.label[:1].upper() + resource.label[1:]
            raise errors.invalid(f"{label} already exists.", "id", "resource_already_exists") from None
        entry = _Entry(int(cursor.lastrowid or 0), doc, _refs(resource, doc))
        self._insert_refs(name, entry.refs, entry.seq)
        self._entries[name, identifier] = entry
        return doc

    def get(self, name: str, identifier: str | None) -> Doc | None:
        """The object `name` of that id, or its tombstone when deleted; None if there never was one."""
        if not identifier:
            return None
        known = self._entries.get((name, identifier))
        if known is None:
            row = self.sql.execute(
                "SELECT seq, data FROM objects WHERE object = ? AND id = ?", (name, identifier)
            ).fetchone()
            if row is None:
                return None
            known = self._loaded(name, row[0], row[1])
        return known.doc

    def find(self, name: str, identifier: str, param: str | None = None, *, status: int | None = None) -> Doc:
        """`get`, but a missing or deleted one raises Stripe's `No such …`: 404 by path, 400 by parameter."""
        doc = self.get(name, identifier)
        if doc is None or doc.get("deleted") is True:
            code = status or (400 if param else 404)
            label = RESOURCES[name].label if name in RESOURCES else name
            raise errors.missing(label, identifier, param or "id", code)
        return doc

    def _loaded(self, name: str, seq: int, data: bytes) -> _Entry:
        doc = orjson.loads(data)
        known = self._entries.get((name, doc["id"]))
        if known is None:
            known = self._entries[name, doc["id"]] = _Entry(seq, doc, _refs(RESOURCES[name], doc))
        return known

    def update(self, doc: Doc, changes: Doc | None = None, **more: Any) -> Doc:
        """Change a stored document; returns what an `…updated` event calls previous_attributes."""
        previous: Doc = {}
        for key, value in ((changes or {}) | more).items():
            old = doc.get(key)
            if old != value or key not in doc:
                if key[0] != "_":
                    previous[key] = _before(old, value)
                doc[key] = value
        entry = self._entries[doc["object"], doc["id"]]
        if not entry.dirty:
            entry.dirty = True
            self._dirty.append(entry)
        return previous

    def delete(self, doc: Doc) -> Doc:
        """Leave a tombstone, which is also Stripe's answer to a deletion."""
        entry = self._entries[doc["object"], doc["id"]]
        stone = {"id": doc["id"], "object": doc["object"], "deleted": True}
        self.sql.execute("UPDATE objects SET deleted = 1 WHERE seq = ?", (entry.seq,))
        entry.doc = stone
        entry.dirty = True
        self._dirty.append(entry)
        return stone

    def flush(self) -> None:
        """Write what was changed since the last time."""
        for entry in self._dirty:
            doc, name = entry.doc, entry.doc["object"]
            self.sql.execute("UPDATE objects SET data = ? WHERE seq = ?", (orjson.dumps(doc), entry.seq))
            refs = _refs(RESOURCES[name], doc)
            for field, value in entry.refs - refs:
                self.sql.execute(
                    "DELETE FROM refs WHERE object = ? AND field = ? AND value = ? AND seq = ?",
                    (name, field, value, entry.seq),
                )
            self._insert_refs(name, refs - entry.refs, entry.seq)
            entry.refs, entry.dirty = refs, False
        self._dirty.clear()

    def abandon(self) -> None:
        """Forget what was changed since the savepoint that has just been rolled back."""
        self._entries.clear()
        self._dirty.clear()
        self.deliveries.clear()
        self.events.clear()

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Do something, look at it, and take it back at the end of the block. Documents read before stay good, but
        in the block they must be read anew."""
        self.flush()
        held = dict(self.__dict__)
        self._entries, self._dirty, self._held = {}, [], None
        self.events, self.deliveries = [], []
        self.sql.execute("SAVEPOINT apart")
        try:
            yield
        finally:
            self.sql.execute("ROLLBACK TO apart")
            self.sql.execute("RELEASE apart")
            self.__dict__.update(held)

    def _insert_refs(self, name: str, refs: set[tuple[str, str]], seq: int) -> None:
        if refs:
            self.sql.executemany("INSERT INTO refs VALUES (?, ?, ?, ?)", [(name, f, v, seq) for f, v in refs])

    # ------------------------------------------------------------------------------------- queries

    def seq_of(self, name: str, identifier: str) -> int | None:
        """The place of an object in the order of creation."""
        row = self.sql.execute(
            "SELECT seq FROM objects WHERE object = ? AND id = ?", (name, identifier)
        ).fetchone()
        return int(row[0]) if row else None

    def scan(
        self,
        name: str,
        where: Doc | None = None,
        *,
        before: int | None = None,
        after: int | None = None,
        keep: Callable[[Doc], bool] | None = None,
    ) -> Iterator[Doc]:
        """Objects newest first (oldest first from `after` on) whose top-level fields equal `where`."""
        self.flush()
        where = {k: v for k, v in (where or {}).items() if v is not None}
        indexed = next((f for f in RESOURCES[name].index if f in where), None)
        ascending = after is not None
        cursor = after if ascending else before
        while True:
            rows = self._chunk(name, indexed, where, cursor, ascending)
            for seq, data in rows:
                cursor = seq
                doc = self._loaded(name, seq, data).doc
                if all(_matches(doc, k, v) for k, v in where.items()) and (keep is None or keep(doc)):
                    yield doc
            if len(rows) < _CHUNK:
                return

    def _chunk(
        self, name: str, indexed: str | None, where: Doc, cursor: int | None, ascending: bool
    ) -> list[tuple[int, bytes]]:
        arguments: list[Any] = [name]
        if indexed is None:
            sql = "SELECT o.seq, o.data FROM objects o WHERE o.object = ? AND o.deleted = 0"
            column = "o.seq"
        else:
            sql = (
                "SELECT o.seq, o.data FROM refs r JOIN objects o ON o.seq = r.seq"
                " WHERE r.object = ? AND r.field = ? AND r.value = ? AND o.deleted = 0"
            )
            column = "r.seq"
            arguments += [indexed, _ref(where[indexed])]
        if cursor is not None:
            sql += f" AND {column} {'>' if ascending else '<'} ?"
            arguments.append(cursor)
        sql += f" ORDER BY {column} {'ASC' if ascending else 'DESC'} LIMIT {_CHUNK}"
        return self.sql.execute(sql, arguments).fetchall()

    def first(self, name: str, where: Doc) -> Doc | None:
        """The newest object with these fields, None if there is none."""
        return next(self.scan(name, where), None)

    # ------------------------------------------------------------------------------------- events, time

    def emit(self, kind: str, doc: Doc, previous: Doc | None = None) -> None:
        """Write an event of this transition and queue it for every endpoint that listens to `kind`."""
        data: Doc = {"object": orjson.loads(orjson.dumps(shown(doc)))}
        if previous is not None:
            data["previous_attributes"] = previous
        if self._held is not None:
            self._held.append((kind, data))
        else:
            self._emitted(kind, data)

    @contextmanager
    def ordered(self, rank: Callable[[str], int]) -> Iterator[None]:
        """Events of this block are told when it ends, those of lower `rank` (by type) first."""
        if self._held is not None:
            yield
            return
        held: list[tuple[str, Doc]] = []
        self._held = held
        try:
            yield
        finally:
            self._held = None
            for kind, data in sorted(held, key=lambda entry: rank(entry[0])):
                self._emitted(kind, data)

    def _emitted(self, kind: str, data: Doc) -> None:
        endpoints = [e for e in self.scan("webhook_endpoint", {"status": "enabled"}) if _listens(e, kind)]
        event = self.create(
            "event",
            {
                "type": kind,
                "data": data,
                "api_version": contract.API_VERSION,
                "pending_webhooks": len(endpoints),
                "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
                "created": self.wall,
            },
            id=self.new_id("evt_"),
        )
        for endpoint in reversed(endpoints):
            cursor = self.sql.execute(
                "INSERT INTO deliveries (event, endpoint, next_at) VALUES (?, ?, ?)",
                (event["id"], endpoint["id"], self.wall),
            )
            self.deliveries.append(int(cursor.lastrowid or 0))
        self.events.append(event)

    def schedule(self, at: int, kind: str, subject: str, *, clock: str | None = None) -> None:
        """Have the `timed(kind)` function called with `subject` at `at`: in the time of the test clock `clock`, of
        this transaction's when none is given, of the simulator's when it is empty."""
        clock = self.test_clock if clock is None else clock
        self.sql.execute(
            "INSERT INTO due (at, kind, subject, clock) VALUES (?, ?, ?, ?)", (at, kind, subject, clock or "")
        )

    def unschedule(self, kind: str, subject: str) -> None:
        """Drop what was put off and has not happened yet."""
        self.sql.execute("DELETE FROM due WHERE subject = ? AND kind = ?", (subject, kind))


def _listens(endpoint: Doc, kind: str) -> bool:
    return "*" in endpoint["enabled_events"] or kind in endpoint["enabled_events"]


def _blank(resource: Resource) -> Doc:
    whole = contract.blank(resource.name, resource.absent)
    if resource.only is None:
        return dict(whole)
    return {k: v for k, v in whole.items() if k in resource.only or k in ("id", "object")}


def _ordered(doc: Doc) -> Doc:
    head = {"id": doc["id"], "object": doc["object"]}
    return head | {k: doc[k] for k in sorted(doc) if k not in head}


def _ref(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _refs(resource: Resource, doc: Doc) -> set[tuple[str, str]]:
    if doc.get("deleted") is True:
        return set()
    return {(f, _ref(doc[f])) for f in resource.index if doc.get(f) is not None}


def _matches(doc: Doc, key: str, wanted: Any) -> bool:
    held = doc.get(key)
    if isinstance(wanted, dict) and isinstance(held, dict):
        return all(_matches(held, k, v) for k, v in wanted.items())
    return bool(held == wanted)


def _before(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        changed = {k: _before(old.get(k), v) for k, v in new.items() if k not in old or old[k] != v}
        return changed | {k: v for k, v in old.items() if k not in new}
    return old
