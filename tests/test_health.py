"""Whether the process lives and can serve; what is missing is named and fails the readiness."""

from __future__ import annotations

import shutil
from collections import namedtuple
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.infra import databases, ports


@databases.both
def test_a_sound_shop_is_ready(client: FlaskClient) -> None:
    assert client.get("/healthz").get_json() == {"status": "alive"}
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.get_json() == {
        "status": "ready",
        "checks": dict.fromkeys(["database", "migrations", "clock", "backlog", "disk"], "ok"),
    }


@databases.both
def test_migrations_behind_are_not_ready(app: Flask, client: FlaskClient) -> None:
    from sqlalchemy import text

    from app.extensions import db

    with app.app_context():
        db.session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
        db.session.commit()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()["checks"]["migrations"]) == (503, "behind")
    assert client.get("/healthz").status_code == 200


def test_a_backlog_is_said_but_serves(app: Flask, client: FlaskClient) -> None:
    from app import clock
    from tests.ops.conftest import stored_event

    stored_event(app, queued_at=clock.now() - timedelta(minutes=16))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()["checks"]["backlog"]) == (200, "behind")


def test_a_full_disk_is_not_ready(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    Usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**9, 10**9, 1000))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()["checks"]["disk"]) == (503, "full")


class TestWithoutDatabase:
    """The database has gone away: nothing answers at its address, or its file holds nothing."""

    @pytest.fixture(params=["postgresql", "sqlite"])
    def database(self, request: pytest.FixtureRequest, tmp_path: Path) -> str:
        if request.param == "sqlite":
            return f"sqlite:///{tmp_path / 'empty.db'}"
        return f"postgresql+psycopg://shop@127.0.0.1:{ports.reserve()}/shop"

    def test_it_lives_and_is_not_ready(self, client: FlaskClient) -> None:
        assert client.get("/healthz").status_code == 200
        answer = client.get("/readyz")
        assert answer.status_code == 503
        checks = answer.get_json()["checks"]
        assert checks["database"] == "unreachable" or checks["migrations"] == "behind"

    @pytest.mark.parametrize("path", ["/", "/ops", "/account", "/login"])
    def test_people_are_told_calmly(self, app: Flask, path: str) -> None:
        client = app.test_client()
        with client.session_transaction() as session:  # a browser that was signed in before
            session["_user_id"] = "someone"
            session["_fresh"] = True
        answer = client.get(path)
        text = answer.get_data(as_text=True)
        assert answer.status_code == 503
        assert "We are not able to answer right now" in text
        assert "Traceback" not in text and "OperationalError" not in text


def test_security_txt_says_where_to_report(client: FlaskClient) -> None:
    text = client.get("/.well-known/security.txt").get_data(as_text=True)
    fields = dict(line.split(": ", 1) for line in text.splitlines())
    assert fields.keys() >= {"Contact", "Expires", "Canonical"}
    assert fields["Contact"].startswith("mailto:")
