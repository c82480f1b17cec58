"""Webhook events in the console: what staff may see of them, and the replay."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from flask import Flask
from sqlalchemy import select

from tests.account.people import signed_in, token
from tests.billing.sessions import open_order, session_of
from tests.infra.shop import ClientRequest
from tests.ops.conftest import stored_event


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        ({"email": "a@b.test"}, {"email": "[personal]"}),
        ({"email": None}, {"email": None}),
        ({"a": [{"phone": "1"}, "x", 3]}, {"a": [{"phone": "[personal]"}, "x", 3]}),
        ({"customer_details": {"address": {"city": "X"}}}, {"customer_details": "[personal]"}),
        ({"billing_details": {}, "amount": 5}, {"billing_details": "[personal]", "amount": 5}),
        ({"address": [], "name": ""}, {"address": "[personal]", "name": "[personal]"}),
        (
            {"customer_email": "a", "customer_purchase_ip": "b"},
            dict.fromkeys(["customer_email", "customer_purchase_ip"], "[personal]"),
        ),
        (
            {"client_secret": "pi_1_secret_x", "unit_amount": 1, "zip": "z"},
            {"client_secret": "[secret]", "unit_amount": 1, "zip": "z"},
        ),
        ([], []),
        (None, None),
    ],
)
def test_personal_fields_are_blanked_wherever_they_stand(payload: Any, shown: Any) -> None:
    from app.ops.events import without_personal

    assert without_personal(payload) == shown


def test_a_real_session_shows_nothing_of_the_payer(shop: Flask, operator: ClientRequest) -> None:
    from app.extensions import mean_to_write

    with shop.app_context():
        mean_to_write()
        session = session_of(open_order())
    session["customer_details"]["name"] = "</code><script>alert(1)</script>"
    session["customer_email"] = "visitor@example.com"
    event = {"id": "evt_1", "type": "checkout.session.completed", "data": {"object": session}}
    stored_event(shop, body=event, type=event["type"], object_key=session["id"])
    page = operator.get("/ops/events/evt_1")
    shown = page.one("pre.json").text
    assert "visitor@example.com" not in shown and "alert" not in shown
    assert orjson.loads(shown)["data"]["object"]["customer_details"] == "[personal]"
    assert orjson.loads(shown)["data"]["object"]["amount_total"] == 2900
    assert page.select("aside a")[0]["href"].startswith("/ops/orders/ord_")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "waits for a worker"),
        ({"attempts": 3, "error": "Later"}, "was tried 3 times and is tried again at"),
        ({"state": "running", "attempts": 1}, "A worker is applying it."),
        ({"state": "done", "attempts": 1}, "Applied on"),
        ({"state": "ignored", "attempts": 1}, "Nothing here acts on this type"),
        ({"state": "refused"}, "of another account or mode"),
        ({"state": "dead", "attempts": 10, "error": "Traceback <b>"}, "gave up after 10 tries"),
    ],
)
def test_the_page_says_how_it_stands(
    shop: Flask, operator: ClientRequest, changes: dict[str, Any], sentence: str
) -> None:
    page = operator.get(f"/ops/events/{stored_event(shop, **changes)}")
    assert sentence in page.one(".lede").text
    if "error" in changes:
        assert page.select("pre.json")[0].text == changes["error"]
    replayable = changes.get("state") not in ("refused", "running")
    assert bool(page.select("aside form")) is replayable


def test_a_replay_waits_to_be_applied_and_is_logged(shop: Flask, operator: ClientRequest) -> None:
    from app.extensions import db
    from app.models import AuditRow, WebhookEvent

    event = stored_event(shop, state="dead", attempts=10, error="Later")
    path = f"/ops/events/{event}"
    operator.get(path)
    assert operator.post(f"{path}/replay", {"csrf_token": token(operator)}) == path
    assert "waits to be applied again" in operator.get(path).one("main .note").text
    with shop.app_context():
        row = db.session.scalars(select(WebhookEvent)).one()
        assert (row.state, row.attempts) == ("waiting", 0)
        logged = db.session.scalars(select(AuditRow).where(AuditRow.action == "event.replay")).one()
        assert logged.subject == event and logged.actor.startswith("user:")


def test_what_was_refused_is_never_applied(shop: Flask, operator: ClientRequest) -> None:
    from app.extensions import db
    from app.models import WebhookEvent

    event = stored_event(shop, state="refused")
    operator.get("/ops")
    operator.post(f"/ops/events/{event}/replay", {"csrf_token": token(operator)})
    assert "never applied" in operator.get(f"/ops/events/{event}").one("main .note").text
    with shop.app_context():
        assert db.session.scalars(select(WebhookEvent.state)).one() == "refused"


def test_a_viewer_cannot_replay(shop: Flask) -> None:
    event = stored_event(shop, state="dead")
    assert not signed_in(shop, "viewer").get(f"/ops/events/{event}").select("main form")
