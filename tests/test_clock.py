"""The clock: aware UTC, one for all processes of a local shop, the machine's own in production."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import scoped_session

from app import clock
from app.extensions import db, mean_to_write
from app.models import Shop
from app.models.base import Utc
from tests.infra import databases

Travel = Callable[..., None]


@pytest.fixture(autouse=True)
def _at_home() -> Iterator[None]:
    yield
    clock.travel_to(timedelta())


def test_moments_are_aware_and_utc() -> None:
    assert clock.now().tzinfo is UTC
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)
    assert abs(clock.timestamp() - datetime.now(UTC).timestamp()) < 2
    assert clock.from_timestamp(1_790_000_000) == datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
    assert clock.from_timestamp(clock.timestamp()) <= clock.now()


@pytest.mark.parametrize("offset", [timedelta(days=400), timedelta(seconds=-5)])
def test_travelling_moves_every_reading(offset: timedelta) -> None:
    clock.travel_to(offset)
    assert abs(clock.now() - datetime.now(UTC) - offset) < timedelta(seconds=1)
    assert abs(clock.timestamp() - datetime.now(UTC).timestamp() - offset.total_seconds()) < 2


def test_a_stored_moment_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Utc().process_bind_param(datetime(2026, 1, 1), None)  # noqa: DTZ001
    assert Utc().process_result_value(datetime(2026, 1, 1), None) == datetime(2026, 1, 1, tzinfo=UTC)  # noqa: DTZ001


@pytest.mark.parametrize("name", ["Europe/Berlin", "", "Nowhere/At All", "../../etc/passwd", "\x00"])
def test_a_zone_nobody_knows_is_utc(name: str) -> None:
    zone = clock.zone(name)
    summer = datetime(2026, 7, 1, 12, tzinfo=UTC).astimezone(zone)
    assert summer.hour == (14 if name == "Europe/Berlin" else 12)


class Reading:
    """A shared offset, and how often it was looked at."""

    def __init__(self) -> None:
        self.offset, self.looks = timedelta(), 0

    def __call__(self) -> timedelta:
        self.looks += 1
        return self.offset


def test_a_follower_looks_at_most_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = [100.0]
    monkeypatch.setattr(clock.time, "monotonic", lambda: moment[0])
    shared = Reading()
    follow = clock.Follower(shared)
    for _ in range(50):
        follow()
    assert shared.looks == 1
    shared.offset = timedelta(days=3)
    moment[0] += 0.9
    follow()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)
    moment[0] += 0.1
    follow()
    assert shared.looks == 2
    assert clock.now() - datetime.now(UTC) > timedelta(days=2)


def test_a_follower_that_could_not_look_looks_again() -> None:
    answers = [OperationalError("SELECT", {}, Exception("away")), timedelta(hours=1)]

    def read() -> timedelta:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    follow = clock.Follower(read)
    with pytest.raises(OperationalError):
        follow()
    follow()
    assert clock.now() - datetime.now(UTC) > timedelta(minutes=59)


@databases.both
def test_a_request_takes_over_the_shop_s_clock(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        mean_to_write()
        db.session.add(Shop(id=1, merchant={}, clock_offset_seconds=86_400))
        db.session.commit()
    client.get("/healthz")  # asks no database
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)
    client.get("/help")
    assert clock.now() - datetime.now(UTC) > timedelta(hours=23)


def test_what_is_stored_is_stored_in_the_shop_s_time(db_session: scoped_session, travel: Travel) -> None:
    from app import tasks
    from app.models import ExecutionTask

    travel(days=30)
    tasks.enqueue("sweep_orders")
    db_session.flush()
    row = db_session.scalars(db.select(ExecutionTask)).one()
    assert row.queued_at - datetime.now(UTC) > timedelta(days=29)


def test_production_follows_nobody(database: str) -> None:
    from app import create_app
    from tests.test_headers import settings

    app = create_app(settings(database))
    assert "follow_clock" not in app.extensions
    with app.app_context():
        mean_to_write()
        db.session.add(Shop(id=1, merchant={}, clock_offset_seconds=86_400))
        db.session.commit()
    app.test_client().get("/help", base_url="https://shop.example")
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)
    with app.app_context():
        db.engine.dispose()
