"""The commands a merchant types: what they print, what they change, and how they refuse."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy import select, text

from app import create_app
from app.config import Settings
from tests.account.people import PASSWORD
from tests.infra import databases
from tests.infra.run import ROOT
from tests.infra.shop import ClientRequest, path_of
from tests.infra.stack import Stack
from tests.infra.stacks import OpenStack


def run(app: Flask, *arguments: str) -> Result:
    result = app.test_cli_runner().invoke(args=list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def grant(app: Flask, email: str, role: str) -> str:
    result = run(app, "users", "grant", email, role)
    assert result.exit_code == 0, result.output
    return result.output


class TestUsersGrant:
    def test_it_says_who_is_what_and_gives_a_link(self, app: Flask) -> None:
        said = grant(app, " Me@Shop.TEST", "owner").splitlines()
        assert said[0] == "Me@shop.test is owner."
        assert "works once, for an hour" in said[1]
        assert re.fullmatch(r"http://localhost:8000/reset/\S+", said[2])

    def test_the_link_leads_to_the_console(self, app: Flask) -> None:
        link = path_of(grant(app, "me@shop.test", "viewer").split()[-1])
        visitor = ClientRequest(app.test_client())
        visitor.submit(link, "main form", 302, password=PASSWORD, password_confirm=PASSWORD)
        visitor.submit("/login", "main form", 302, email="me@shop.test", password=PASSWORD)
        visitor.get("/ops")
        assert ClientRequest(app.test_client()).get(link, 302) == "/reset"

    def test_a_later_grant_replaces_the_role(self, app: Flask) -> None:
        from app.extensions import db
        from app.models import AuditRow, User

        grant(app, "me@shop.test", "owner")
        assert grant(app, "ME@shop.test", "viewer").startswith("me@shop.test is viewer, owner until now.")
        with app.app_context():
            user = db.session.scalars(select(User)).one()
            assert user.staff_role == "viewer" and not user.may("operator")
            rows = db.session.scalars(select(AuditRow).order_by(AuditRow.id)).all()
            assert [row.details for row in rows] == [
                {"role": "owner", "before": None},
                {"role": "viewer", "before": "owner"},
            ]

    @pytest.mark.parametrize(
        "email", ["nonsense", "a@b", "", "me@shop.test,you@shop.test", "me @shop.test", "-"]
    )
    def test_what_is_no_address_is_refused(self, app: Flask, email: str) -> None:
        from app.extensions import db
        from app.models import User

        result = run(app, "users", "grant", email, "owner")
        assert result.exit_code == 1
        assert f"{email!r} is not an email address; use one like name@example.com." in result.output
        with app.app_context():
            assert db.session.scalars(select(User)).all() == []

    def test_an_unknown_role_names_the_known_ones(self, app: Flask) -> None:
        result = run(app, "users", "grant", "me@shop.test", "admin")
        assert result.exit_code == 2
        assert "'viewer', 'operator', 'owner'" in result.output


class TestAuditVerify:
    def test_a_sound_log(self, app: Flask) -> None:
        grant(app, "me@shop.test", "owner")
        assert run(app, "audit", "verify").output == "The audit log is sound.\n"
        assert json.loads(run(app, "audit", "verify", "--json").output) == {"sound": True, "problems": []}

    def test_a_broken_one_fails_and_names_the_row(self, app: Flask) -> None:
        from app.extensions import db

        grant(app, "me@shop.test", "owner")
        with app.app_context():
            db.session.execute(text("UPDATE audit_rows SET actor = 'nobody'"))
            db.session.commit()
        result = run(app, "audit", "verify")
        assert result.exit_code == 1
        assert result.output == "row 1: the row was changed after it was written\n"
        answer = json.loads(run(app, "audit", "verify", "--json").output)
        assert answer["sound"] is False and answer["problems"][0]["row"] == 1


class TestFraudLists:
    def test_a_network_is_listed_once_in_its_one_form(self, app: Flask) -> None:
        for network in ("203.0.113.7/24", "203.0.113.0/24"):
            result = run(app, "fraud", "list-add", "high_risk", network, "--note", "scans")
            assert result.output == "203.0.113.0/24 is on high_risk.\n"

    def test_what_is_no_network_is_refused(self, app: Flask) -> None:
        result = run(app, "fraud", "list-add", "refuse", "shop.example")
        assert result.exit_code == 1
        assert "shop.example is not a network" in result.output


def test_new_keys_boot_a_production(app: Flask) -> None:
    said = dict(line.split("=", 1) for line in run(app, "keys", "new").output.splitlines())
    assert len(said["SECRET_KEY"]) >= 32
    [key] = json.loads(said["FIELD_KEYS"].strip("'"))
    Fernet(key)
    assert run(app, "keys", "new").output != run(app, "keys", "new").output


class TestCatalog:
    def test_a_file_that_cannot_be_used_says_where(self, app: Flask, tmp_path: Path) -> None:
        file = tmp_path / "catalog.toml"
        file.write_text('[merchant]\nname = "X"\n[[offer]]\nslug = "A b"\n')
        result = run(app, "catalog", "push", str(file))
        assert result.exit_code == 1
        assert result.output.startswith("Error: The catalogue cannot be used:\n  ")

    def test_pushing_again_makes_nothing_new(self, stack: Stack) -> None:
        assert stack.flask("catalog", "push", "catalog.toml").strip().endswith("0 new objects at Stripe.")


class TestStripe:
    def test_the_doctor_finds_a_working_shop_well(self, stack: Stack) -> None:
        said = stack.flask("stripe", "doctor")
        assert "Mode: test, no real money moves" in said
        assert "The key works" in said
        assert "1 webhook secret(s) set." in said

    def test_setup_makes_the_endpoint_and_prints_its_secret(self, stack: Stack) -> None:
        said = stack.flask("stripe", "setup", "--url", "https://shop.example.com")
        assert re.search(r"STRIPE_WEBHOOK_SECRETS='\[\"whsec_\w+\"\]'", said)
        identity = re.search(r"we_\w+", said)
        assert identity
        made = stack.stripe(f"/v1/webhook_endpoints/{identity[0]}", method="GET")
        assert made["url"] == "https://shop.example.com/webhooks/stripe"
        assert "checkout.session.completed" in made["enabled_events"]
        stack.stripe(f"/v1/webhook_endpoints/{identity[0]}", method="DELETE")

    def test_the_doctor_says_what_is_missing(self, stack: Stack) -> None:
        for changes, said in (
            ({"STRIPE_WEBHOOK_SECRETS": "[]"}, "STRIPE_WEBHOOK_SECRETS is empty: run"),
            ({"STRIPE_API_BASE": "http://127.0.0.1:9"}, "Stripe refused or did not answer"),
        ):
            done = subprocess.run(
                [sys.executable, "-m", "flask", "--app", "wsgi", "stripe", "doctor"],
                cwd=ROOT,
                env={**stack.environment(), **changes},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 1
            assert said in done.stderr and "Traceback" not in done.stderr


def test_a_withdrawn_code_stops_at_stripe_and_works_again_when_listed_again(open_stack: OpenStack) -> None:
    shop = open_stack("sqlite", measured=True)
    without = shop.folder / "without.toml"
    without.write_text((ROOT / "catalog.toml").read_text().split("[[promotion_code]]")[0])

    def works() -> bool:
        [code] = shop.stripe("/v1/promotion_codes", method="GET")["data"]
        return code["active"]

    assert works()
    for file, new, working in ((str(without), 1, False), (str(without), 0, False), ("catalog.toml", 1, True)):
        assert f"{new} new objects" in shop.flask("catalog", "push", file)
        assert works() is working


def test_a_local_shop_travels_with_its_simulator(open_stack: OpenStack) -> None:
    shop = open_stack("sqlite", measured=True)
    before = shop.stripe("/_sim/clock", method="GET")["now"]
    assert "in this shop" in shop.flask("travel", "--days", "2")
    assert shop.stripe("/_sim/clock", method="GET")["now"] - before >= 2 * 86400
    assert shop.sql("SELECT clock_offset_seconds AS n FROM shop")[0]["n"] == 2 * 86400


def test_only_a_local_shop_travels(app: Flask) -> None:
    refused = run(app, "travel", "--days", "1")
    assert refused.exit_code == 1
    assert "Only a local shop" in refused.output


@pytest.mark.parametrize(
    "arguments", [("worker",), ("catalog", "push"), ("users", "grant", "a@example.com", "owner")]
)
def test_an_empty_database_is_named_with_its_remedy(arguments: tuple[str, ...]) -> None:
    with databases.empty("sqlite") as url:
        app = create_app(Settings.from_env({"APP_ENV": "test", "DATABASE_URL": url, "LOG_LEVEL": "ERROR"}))
        refused = run(app, *arguments)
        assert refused.exit_code == 1
        assert "Run: flask --app wsgi db upgrade" in refused.output
