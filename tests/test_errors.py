"""Every refusal and failure: as a page and as problem+json, with the same headers, calm, and with a reference."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, abort
from werkzeug.exceptions import TooManyRequests
from werkzeug.test import TestResponse

from app.errors import SENTENCES
from tests.infra import html, pages

STATUSES = (400, 403, 404, 405, 413, 422, 429, 500, 503)
CANARY = "canary-7f3a secret detail"


@pytest.fixture
def failing(app: Flask) -> Flask:
    """The application with a page for each way to fail."""
    from sqlalchemy.exc import OperationalError

    def fail(status: int) -> Any:
        if status == 500:
            raise RuntimeError(CANARY)
        if status == 503:
            raise OperationalError(CANARY, {}, Exception(CANARY))
        if status == 429:
            raise TooManyRequests(CANARY, retry_after=60)
        abort(status, CANARY)

    app.add_url_rule("/fail/<int:status>", "fail", fail)
    app.add_url_rule("/api/fail/<int:status>", "fail_api", fail)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


def as_page(app: Flask, status: int) -> TestResponse:
    return app.test_client().get(f"/fail/{status}", headers={"Accept": "text/html,*/*;q=0.8"})


@pytest.mark.parametrize("status", STATUSES)
def test_a_person_is_told_what_happened_and_what_to_do(failing: Flask, status: int) -> None:
    answer = as_page(failing, status)
    text = answer.get_data(as_text=True)
    page = html.parse(text)
    pages.check(page)
    assert answer.status_code == status
    assert page.one("h1").text == str(SENTENCES[status].title)
    assert str(SENTENCES[status].what_next) in page.one("main").text
    assert answer.headers["X-Request-Id"] in page.one("main").text
    assert CANARY not in text and "Traceback" not in text


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("how", ["path", "problem", "json"])
def test_a_program_is_told_the_same_as_problem_json(failing: Flask, status: int, how: str) -> None:
    accept = {"path": "*/*", "problem": "application/problem+json", "json": "application/json"}[how]
    path = f"/{'api/' if how == 'path' else ''}fail/{status}"
    answer = failing.test_client().get(path, headers={"Accept": accept})
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    body = answer.get_json(force=True)
    assert body["status"] == status and body["title"] == str(SENTENCES[status].title)
    assert body["type"] and body["detail"] and body["code"]
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert CANARY not in answer.get_data(as_text=True)
    page = as_page(failing, status)
    skipped = ("Content-Type", "Content-Length", "X-Request-Id", "Vary")
    for name, value in page.headers:
        if name not in skipped and not name.startswith("Set-Cookie"):
            assert answer.headers.get(name) == value, name


@pytest.mark.parametrize("status", STATUSES)
def test_the_policy_holds_on_error_pages(failing: Flask, status: int) -> None:
    headers = as_page(failing, status).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"


class TestWhereTheyHappen:
    """The same answers from the product's own doors."""

    def test_a_lost_page(self, app: Flask) -> None:
        assert "There is nothing at this address" in app.test_client().get("/nope").text

    def test_the_wrong_kind_of_request_names_the_right_ones(self, app: Flask) -> None:
        answer = app.test_client().delete("/healthz")
        assert answer.status_code == 405
        assert "GET" in answer.headers["Allow"]

    def test_a_form_without_its_token(self, app: Flask) -> None:
        answer = app.test_client().post("/login", data={"email": "a@b.test"})
        assert answer.status_code == 400
        assert "The page was open too long, or cookies are off" in answer.text

    def test_too_much(self, app: Flask) -> None:
        answer = app.test_client().post("/login", data={"email": "x" * (1024 * 1024)})
        assert answer.status_code == 413
        assert "That is too large" in answer.text

    def test_a_forged_event_is_answered_for_a_program(self, app: Flask) -> None:
        answer = app.test_client().get("/webhooks/stripe")
        assert (answer.status_code, answer.content_type) == (405, "application/problem+json")


def test_too_many_requests_say_when_to_come_back(failing: Flask) -> None:
    assert as_page(failing, 429).headers["Retry-After"] == "60"


def test_a_status_without_a_sentence_still_has_a_page(failing: Flask) -> None:
    answer = as_page(failing, 418)
    assert answer.status_code == 418
    assert "418" in answer.text


def test_a_reference_given_by_the_proxy_is_kept_only_if_it_is_one(app: Flask) -> None:
    client = app.test_client()
    for given, kept in (
        ("req-from-proxy-1", True),
        ("short", False),
        ("<script>alert(1)</script>", False),
        ("x" * 65, False),
    ):
        answer = client.get("/nope", headers={"X-Request-Id": given})
        assert (answer.headers["X-Request-Id"] == given) is kept
        assert "<script>alert" not in answer.text
