"""The flask commands as a merchant types them: what they do, and what they say when they cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import scoped_session

from app.models import AuditRow, ListEntry
from app.models.user import User
from tests.infra import databases
from tests.infra.stacks import OpenStack


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=list(arguments))


def test_new_keys_are_ones_the_settings_take(app: Flask) -> None:
    said = run(app, "keys", "new").output
    lines = dict(line.split("=", 1) for line in said.strip().splitlines())
    assert len(lines["SECRET_KEY"]) >= 32
    assert len(json.loads(lines["FIELD_KEYS"].strip("'"))) == 1


def test_a_network_is_put_on_a_list_once(app: Flask, db_session: scoped_session) -> None:
    for _ in range(2):
        assert run(app, "fraud", "list-add", "high_risk", "203.0.113.7/24").output == (
            "203.0.113.0/24 is on high_risk.\n"
        )
    assert len(db_session.scalars(select(ListEntry)).all()) == 1
    refused = run(app, "fraud", "list-add", "refuse", "somewhere")
    assert refused.exit_code == 1
    assert "is not a network" in refused.output


def test_the_audit_log_is_verified(app: Flask, db_session: scoped_session) -> None:
    run(app, "fraud", "list-add", "refuse", "203.0.113.0/24")
    assert run(app, "audit", "verify").output == "The audit log is sound.\n"
    assert json.loads(run(app, "audit", "verify", "--json").output) == {"sound": True, "problems": []}
    db_session.execute(update(AuditRow).values(actor="nobody"))
    db_session.commit()
    broken = run(app, "audit", "verify")
    assert broken.exit_code == 1
    assert "changed after it was written" in broken.output


def test_a_wrong_catalogue_names_every_problem(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "catalog.toml"
    file.write_text('[merchant]\nname = "A shop"\n')
    refused = run(app, "catalog", "push", str(file))
    assert refused.exit_code == 1
    assert "“support_email” is missing" in refused.output
    assert "“currency” is missing" in refused.output


def test_when_stripe_is_away_the_commands_say_so(app: Flask) -> None:
    """The settings of a test point at the simulator's usual port, where nothing runs."""
    for arguments in (("catalog", "push"), ("stripe", "doctor"), ("stripe", "setup")):
        refused = run(app, *arguments)
        assert refused.exit_code == 1, arguments
        assert "Stripe" in refused.output


def test_only_a_local_shop_travels(app: Flask) -> None:
    refused = run(app, "travel", "--days", "1")
    assert refused.exit_code == 1
    assert "Only a local shop" in refused.output


@pytest.mark.parametrize(
    "arguments", [("worker",), ("catalog", "push"), ("users", "grant", "a@example.com", "owner")]
)
def test_an_empty_database_is_named_with_its_remedy(arguments: tuple[str, ...]) -> None:
    from app import create_app
    from app.config import Settings

    with databases.empty("sqlite") as url:
        app = create_app(Settings.from_env({"APP_ENV": "test", "DATABASE_URL": url, "LOG_LEVEL": "ERROR"}))
        refused = run(app, *arguments)
        assert refused.exit_code == 1
        assert "Run: flask --app wsgi db upgrade" in refused.output


def test_against_a_running_simulator(open_stack: OpenStack) -> None:
    """doctor, setup, a second push, a role and a journey of two days, as processes of their own."""
    shop = open_stack("sqlite", measured=True)
    doctor = shop.flask("stripe", "doctor")
    assert "The key works, for account acct_" in doctor
    assert "1 webhook secret(s) set." in doctor
    assert "0 new objects at Stripe" in shop.flask("catalog", "push")
    setup = shop.flask("stripe", "setup", "--url", shop.base_url)
    assert "STRIPE_WEBHOOK_SECRETS='[\"whsec_" in setup
    endpoints = shop.stripe("/v1/webhook_endpoints", method="GET")["data"]
    assert [e["url"] for e in endpoints].count(f"{shop.base_url}/webhooks/stripe") == 2
    before = shop.stripe("/_sim/clock", method="GET")["now"]
    assert "in this shop" in shop.flask("travel", "--days", "2")
    assert shop.stripe("/_sim/clock", method="GET")["now"] - before >= 2 * 86400
    assert shop.sql("SELECT clock_offset_seconds AS n FROM shop")[0]["n"] == 2 * 86400


def test_a_role_is_granted_with_a_link_that_is_on_our_own_origin(
    app: Flask, db_session: scoped_session
) -> None:
    said = run(app, "users", "grant", "Owner@Example.com", "owner").output
    assert "http://localhost:8000/reset/" in said
    user = db_session.scalars(select(User)).one()
    assert user.staff_role == "owner"
    assert db_session.scalars(select(AuditRow)).one().action == "user.grant"
    refused = run(app, "users", "grant", "nobody", "owner")
    assert "use one like name@example.com" in refused.output
