"""The audit log: whatever is changed, removed or slipped in shows, and writers do not break it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import scoped_session

from tests.infra import databases

pytestmark = databases.both


def write(session: scoped_session, count: int = 5) -> None:
    from app import audit
    from app.extensions import mean_to_write

    mean_to_write()
    for number in range(count):
        audit.record("order.release", f"ord_{number}", actor="user:1", amount=100 + number, note="Zoë ✓")
    session.commit()


def problems(session: scoped_session) -> list[tuple[int, str]]:
    from app import audit

    session.expire_all()
    return list(audit.verify())


def test_what_was_written_verifies(db_session: scoped_session) -> None:
    assert problems(db_session) == []
    write(db_session)
    assert problems(db_session) == []


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'user:2'",
        "action = 'order.refund'",
        "subject = 'ord_9'",
        'details = \'{"amount": 1, "note": "x"}\'',
        "at = '2020-01-01 00:00:00+00:00'",
        "hash = 'f' || substr(hash, 2, 62) || 'e'",
    ],
)
def test_a_changed_row_shows(db_session: scoped_session, change: str) -> None:
    write(db_session)
    db_session.execute(text(f"UPDATE audit_rows SET {change} WHERE subject = 'ord_2'"))
    db_session.commit()
    found = problems(db_session)
    assert (3, "the row was changed after it was written") in found


def test_a_change_with_its_hash_made_anew_shows_at_the_next_row(db_session: scoped_session) -> None:
    from app import audit
    from app.models import AuditRow

    write(db_session)
    row = db_session.get(AuditRow, 3)
    assert row is not None
    row.actor = "user:2"
    row.hash = audit.digest(row)
    db_session.commit()
    assert problems(db_session) == [(4, "the row before it is missing or was replaced")]


@pytest.mark.parametrize("number", [1, 3])
def test_a_removed_row_shows(db_session: scoped_session, number: int) -> None:
    write(db_session)
    db_session.execute(text("DELETE FROM audit_rows WHERE id = :id"), {"id": number})
    db_session.commit()
    assert problems(db_session) == [(number + 1, "the row before it is missing or was replaced")]


def test_a_row_slipped_in_shows(db_session: scoped_session) -> None:
    from app import audit, clock
    from app.models import AuditRow

    write(db_session)
    db_session.execute(text("UPDATE audit_rows SET id = id + 100 WHERE id > 3"))
    before = db_session.get(AuditRow, 3)
    assert before is not None
    forged = AuditRow(
        id=50,
        at=clock.now(),
        actor="user:1",
        action="order.release",
        subject="ord_forged",
        details={},
        previous_hash=before.hash + "",
    )
    forged.hash = audit.digest(forged)
    # Two rows cannot name the same predecessor, so the forger has to bend that as well.
    forged.previous_hash = before.hash[:-1] + ("0" if before.hash[-1] != "0" else "1")
    db_session.add(forged)
    db_session.commit()
    assert {row for row, _ in problems(db_session)} >= {50, 104}


def test_rolling_back_what_is_told_rolls_back_the_telling(db_session: scoped_session) -> None:
    from app import audit
    from app.models import AuditRow

    write(db_session, 1)
    audit.record("order.release", "ord_x", actor="user:1")
    db_session.rollback()
    assert db_session.query(AuditRow).count() == 1
    assert problems(db_session) == []


def test_writers_at_the_same_time_queue_up(app: Flask) -> None:
    from app import audit
    from app.extensions import db, mean_to_write
    from app.models import AuditRow

    failures: list[Any] = []

    def writer(number: int) -> None:
        try:
            with app.app_context():
                mean_to_write()
                for step in range(5):
                    audit.record("a", f"{number}:{step}", actor="worker")
                    db.session.commit()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=writer, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    with app.app_context():
        assert db.session.query(AuditRow).count() == 20
        assert list(audit.verify()) == []
