"""Stripe's door: only what Stripe signed, freshly, is stored; once; and refused requests starve nobody."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from sqlalchemy.orm import scoped_session
from stripe import WebhookSignature
from werkzeug.test import TestResponse

from app import clock
from app.extensions import db, limiter
from app.models import QueueState, WebhookEvent
from tests.infra import databases
from tests.infra.shop import WEBHOOK_SECRET

PATH = "/webhooks/stripe"
Deliver = Callable[..., TestResponse]


def event(**changes: Any) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "object": "event",
        "type": "checkout.session.completed",
        "created": 1_790_000_000,
        "livemode": False,
        "api_version": "2026-10-28.endive",
        "data": {"object": {"id": "cs_test_1", "object": "checkout.session"}},
        **changes,
    }


def signed(body: str, *, secret: str = WEBHOOK_SECRET, age: int = 0) -> str:
    return WebhookSignature.generate_signature_header(body, secret, clock.timestamp() - age)


@pytest.fixture
def deliver(client: FlaskClient) -> Deliver:
    limiter.reset()

    def deliver(content: Any = None, header: str | None = None, **options: Any) -> TestResponse:
        body = content if isinstance(content, str | bytes) else json.dumps(content or event(), indent=2)
        if header is None:
            header = signed(body, **options)
        return client.post(PATH, data=body, headers={"Stripe-Signature": header})

    return deliver


@pytest.fixture
def stored(db_session: scoped_session) -> Callable[[], int]:
    return lambda: db_session.scalar(select(func.count()).select_from(WebhookEvent))


@databases.both
def test_a_signed_event_is_stored_once_however_often_it_comes(
    deliver: Deliver, stored: Callable[[], int]
) -> None:
    for _ in range(5):
        answer = deliver()
        assert (answer.status_code, answer.json) == (200, {"received": True})
    assert stored() == 1
    row = db.session.scalars(select(WebhookEvent)).one()
    assert (row.state, row.object_key, row.created) == (QueueState.WAITING, "cs_test_1", 1_790_000_000)
    assert json.loads(row.payload) == event()
    raw = db.session.execute(text("SELECT payload FROM webhook_events")).scalar_one()
    assert b"cs_test_1" not in bytes(raw)


def test_what_stripe_did_not_sign_is_refused(deliver: Deliver, stored: Callable[[], int]) -> None:
    body = json.dumps(event())
    genuine = signed(body)
    headers = [
        "",
        "t=1",
        "v1=abc",
        "nonsense",
        genuine.replace("v1=", "v0="),
        genuine + "\u00e9".encode().decode("latin-1"),
        signed(body, secret="whsec_somebody_elses"),
        "t=99999999999999,v1=" + "0" * 64,
    ]
    for header in headers:
        answer = deliver(body, header)
        assert answer.status_code == 400, header
        assert answer.json == {"error": "Webhook signature verification failed"}
    assert stored() == 0


def test_one_changed_byte_is_refused(deliver: Deliver, stored: Callable[[], int], rng: random.Random) -> None:
    body = json.dumps(event()).encode()
    header = signed(body.decode())
    for _ in range(25):
        changed = bytearray(body)
        changed[rng.randrange(len(body))] ^= 1 << rng.randrange(7)
        assert deliver(bytes(changed), header).status_code == 400
    assert stored() == 0


@pytest.mark.parametrize(
    ("age", "status"), [(0, 200), (290, 200), (310, 400), (-290, 200), (-310, 400), (10**9, 400)]
)
def test_age_is_checked_both_ways(deliver: Deliver, age: int, status: int) -> None:
    assert deliver(age=age).status_code == status


def test_several_secrets_are_live_while_one_is_rolled(deliver: Deliver) -> None:
    body = json.dumps(event())
    both = signed(body, secret="whsec_new_one") + "," + signed(body).split(",")[1]
    assert deliver(body, both).status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        "not json",
        "[]",
        "{}",
        '"text"',
        json.dumps({**event(), "object": "v2.core.event"}),
        json.dumps({**event(), "id": 5}),
        json.dumps({**event(), "created": "soon"}),
        json.dumps({**event(), "data": {"object": None}}),
        b"\xff\xfe",
    ],
)
def test_signed_nonsense_is_refused_without_a_failure(
    deliver: Deliver, stored: Callable[[], int], content: str | bytes
) -> None:
    text_of = content.decode("latin-1") if isinstance(content, bytes) else content
    assert deliver(content, signed(text_of)).status_code == 400
    assert stored() == 0


@pytest.mark.usefixtures("db_session")
def test_the_last_of_two_equal_keys_is_the_one_that_counts_everywhere(deliver: Deliver) -> None:
    body = json.dumps(event()).replace('"id": "evt_1"', '"id": "evt_1", "id": "evt_2"', 1)
    assert deliver(body).status_code == 200
    row = db.session.scalars(select(WebhookEvent)).one()
    assert row.stripe_event_id == "evt_2"
    assert json.loads(row.payload)["id"] == "evt_2"


@pytest.mark.usefixtures("db_session")
@pytest.mark.parametrize("change", [{"livemode": True}, {"account": "acct_1"}])
def test_another_mode_or_account_is_kept_but_never_applied(deliver: Deliver, change: dict[str, Any]) -> None:
    assert deliver(event(**change)).status_code == 200
    assert db.session.scalars(select(WebhookEvent)).one().state == QueueState.REFUSED


def test_a_body_over_the_limit_is_413(deliver: Deliver, stored: Callable[[], int]) -> None:
    assert deliver("x" * (1024 * 1024 + 1)).status_code == 413
    assert stored() == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post(client: FlaskClient, method: str) -> None:
    answer = client.open(PATH, method=method)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert "Set-Cookie" not in answer.headers


def test_forged_requests_are_throttled_and_genuine_ones_never(deliver: Deliver) -> None:
    answers = [deliver("{}", "t=1,v1=0").status_code for _ in range(40)]
    assert answers.count(400) == 30
    assert answers.count(429) == 10
    for number in range(200):
        assert deliver(event(id=f"evt_{number}")).status_code == 200


def test_an_event_that_could_not_be_stored_is_sent_again(deliver: Deliver, stored: Callable[[], int]) -> None:
    db.session.execute(text("ALTER TABLE webhook_events RENAME TO elsewhere"))
    db.session.commit()
    answer = deliver()
    assert (answer.status_code, answer.json) == (500, {"error": "Webhook processing failed"})
    db.session.execute(text("ALTER TABLE elsewhere RENAME TO webhook_events"))
    db.session.commit()
    assert deliver().status_code == 200
    assert stored() == 1
