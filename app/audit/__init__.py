"""The audit log: append-only rows, each bound to the one before by a hash, written with what they tell of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import orjson
from sqlalchemy import select, text

from app import clock
from app.extensions import db
from app.models.audit import AuditRow

GENESIS = "0" * 64
_LOCK = 7_041_001  # PostgreSQL's advisory lock that serialises the chain


def record(action: str, subject: str, *, actor: str, **details: Any) -> None:
    """Append one row to the caller's transaction. `details` hold ids and amounts, never personal data."""
    if db.session.get_bind().dialect.name == "postgresql":
        db.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    db.session.flush()
    last = db.session.scalar(select(AuditRow.hash).order_by(AuditRow.id.desc()).limit(1)) or GENESIS
    row = AuditRow(
        at=clock.now(), actor=actor, action=action, subject=subject, details=details, previous_hash=last
    )
    row.hash = digest(row)
    db.session.add(row)
    db.session.flush()


def digest(row: AuditRow) -> str:
    """SHA-256 over the row and the hash before it."""
    body = [row.previous_hash, row.at.isoformat(), row.actor, row.action, row.subject, row.details]
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


def verify() -> Iterator[tuple[int, str]]:
    """Each row that does not fit: its id and what is wrong. Nothing for a sound chain."""
    expected = GENESIS
    for row in db.session.scalars(select(AuditRow).order_by(AuditRow.id).execution_options(yield_per=1000)):
        if row.previous_hash != expected:
            yield row.id, "the row before it is missing or was replaced"
        if digest(row) != row.hash:
            yield row.id, "the row was changed after it was written"
        expected = row.hash
