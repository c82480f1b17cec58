"""The headers of every answer: the same strict set on pages, files, errors and redirects, for people and programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from sqlalchemy.orm import scoped_session
from werkzeug.test import TestResponse

from app import create_app
from app.config import LOCAL_FIELD_KEY, Settings
from app.extensions import limiter
from tests.billing.sessions import stock_shop

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self' https://checkout.stripe.com "
    "https://billing.stripe.com{simulator}; frame-ancestors 'none'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
SIMULATED = POLICY.format(simulator=" http://localhost:9 http://127.0.0.1:9")
SHEET = "/static/css/base.css"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return {**environ, "STRIPE_API_BASE": "http://127.0.0.1:9", "LOG_LEVEL": "ERROR"}


@pytest.fixture
def app(app: Flask) -> Flask:
    """With two doors more, for failures that the shop itself does not offer."""
    with app.app_context():
        stock_shop()
    limiter.reset()
    app.add_url_rule("/test/500", "test_500", lambda: 1 / 0)
    app.add_url_rule("/test/<int:status>", "test_status", lambda status: abort(status))
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


def throttled(client: FlaskClient) -> TestResponse:
    for _ in range(31):
        answer = client.post("/webhooks/stripe", data=b"{}")
    return answer


ANSWERS: dict[str, tuple[int, Callable[[FlaskClient], TestResponse]]] = {
    "page": (200, lambda client: client.get("/")),
    "offer": (200, lambda client: client.get("/offers/field-guide")),
    "head": (200, lambda client: client.head("/")),
    "file": (200, lambda client: client.get(SHEET, buffered=True)),
    "json": (200, lambda client: client.get("/healthz")),
    "text": (200, lambda client: client.get("/.well-known/security.txt")),
    "redirect": (302, lambda client: client.get("/ops")),
    "400": (400, lambda client: client.post("/checkout", data={})),
    "400-json": (400, lambda client: client.post("/webhooks/stripe", data=b"x")),
    "403": (403, lambda client: client.get("/test/403")),
    "404": (404, lambda client: client.get("/nowhere")),
    "404-file": (404, lambda client: client.get("/static/nothing.css?v=1")),
    "404-json": (404, lambda client: client.get("/api/v1/nothing", headers={"Accept": "application/json"})),
    "405": (405, lambda client: client.delete("/")),
    "405-file": (405, lambda client: client.post(SHEET)),
    "413": (413, lambda client: client.post("/webhooks/stripe", data=b"x" * (1024 * 1024 + 1))),
    "429": (429, throttled),
    "500": (500, lambda client: client.get("/test/500")),
    "503": (503, lambda client: client.get("/test/503")),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_carries_the_same_set(app: Flask, client: FlaskClient, name: str) -> None:
    status, ask = ANSWERS[name]
    answer = ask(client)
    assert answer.status_code == status
    assert {header: answer.headers.get(header) for header in EVERYWHERE} == EVERYWHERE
    assert answer.headers.getlist("Content-Security-Policy") == [SIMULATED]
    assert answer.headers["X-Request-Id"]
    for header in ("Strict-Transport-Security", "Server", "X-Powered-By", "Access-Control-Allow-Origin"):
        assert header not in answer.headers


@pytest.mark.parametrize(
    ("path", "caching"),
    [
        ("/", "no-store"),
        ("/healthz", "no-store"),
        ("/nowhere", "no-store"),
        (SHEET, "no-cache"),
        (SHEET + "?v=abc", "public, max-age=31536000, immutable"),
        ("/static/nothing.css", "no-store"),
        ("/static/nothing.css?v=abc", "no-store"),  # a file that is missing during a deployment comes back
        ("/static/../wsgi.py?v=abc", "no-store"),
    ],
)
def test_only_files_that_exist_are_kept_by_browsers(
    app: Flask, client: FlaskClient, path: str, caching: str
) -> None:
    assert client.get(path, buffered=True).headers["Cache-Control"] == caching


def test_a_file_that_did_not_change_is_not_sent_again(app: Flask, client: FlaskClient) -> None:
    first = client.get(SHEET, buffered=True)
    again = client.get(SHEET, headers={"If-None-Match": first.headers["ETag"]}, buffered=True)
    assert (again.status_code, again.headers["Cache-Control"]) == (304, "no-cache")
    assert again.headers["Content-Security-Policy"] == SIMULATED


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:8000"])
def test_no_other_origin_reads_our_answers(app: Flask, client: FlaskClient, origin: str) -> None:
    preflight = {"Access-Control-Request-Method": "POST", "Origin": origin}
    for answer in (
        client.get("/", headers={"Origin": origin}),
        client.post("/checkout", headers={"Origin": origin}, data={}),
        client.options("/checkout", headers=preflight),
        client.options("/webhooks/stripe", headers=preflight),
    ):
        assert not [name for name, _ in answer.headers if name.lower().startswith("access-control-")]


def settings(database: str, **changes: str) -> Settings:
    """A production shop's, but for its database."""
    return Settings.from_env(
        {
            "APP_ENV": "production",
            "DATABASE_URL": database,
            "ALLOW_SQLITE_IN_PRODUCTION": "1",
            "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz",
            "FIELD_KEYS": '["' + LOCAL_FIELD_KEY.replace("bG9j", "cG9j") + '"]',
            "PUBLIC_URL": "https://shop.example",
            "STRIPE_SECRET_KEY": "sk_live_0123456789",
            "STRIPE_WEBHOOK_SECRETS": '["whsec_0123456789abcdef"]',
            "MAIL_URL": "smtp://mail.example:587",
            "LOG_LEVEL": "ERROR",
            **changes,
        }
    )


class Customer(FlaskClient):
    """Calls the shop by its name."""

    def open(self, *arguments: Any, **options: Any) -> TestResponse:
        return super().open(*arguments, **{"base_url": "https://shop.example", **options})


class TestInProduction:
    """Over https, with real Stripe, under one name."""

    @pytest.fixture
    def settings(self, database: str) -> Settings:
        return settings(database, TRUSTED_HOSTS='["www.shop.example", ".eu.shop.example"]')

    @pytest.fixture
    def client(self, app: Flask) -> FlaskClient:
        app.test_client_class = Customer
        return app.test_client()

    @pytest.mark.parametrize("name", [name for name in ANSWERS if name != "429"])
    def test_answers_insist_on_https_and_name_only_stripe(
        self, app: Flask, client: FlaskClient, name: str
    ) -> None:
        status, ask = ANSWERS[name]
        answer = ask(client)
        assert answer.status_code == status
        assert answer.headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"
        assert answer.headers["Content-Security-Policy"] == POLICY.format(simulator="")
        assert {header: answer.headers.get(header) for header in EVERYWHERE} == EVERYWHERE

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("shop.example", 200),
            ("shop.example:443", 200),
            ("www.shop.example", 200),
            ("de.eu.shop.example", 200),
            ("evil.example", 400),
            ("shop.example.evil.example", 400),
            ("evilshop.example", 400),
            ("shop.example@evil.example", 400),
            ("127.0.0.1", 400),
            ("localhost", 400),
            ("", 400),
        ],
    )
    def test_only_our_own_names_are_answered(
        self, app: Flask, client: FlaskClient, host: str, status: int
    ) -> None:
        for path in ("/", "/offers/field-guide", "/nowhere", "/webhooks/stripe"):
            answer = client.get(path, headers={"Host": host, "X-Forwarded-Host": "shop.example"})
            wanted = {"/nowhere": 404, "/webhooks/stripe": 405}.get(path, 200) if status == 200 else 400
            assert answer.status_code == wanted, path
            assert "evil" not in answer.get_data(as_text=True)
            if status == 400:
                assert answer.headers["X-Content-Type-Options"] == "nosniff"

    def test_cookies_are_bound_to_this_host_and_to_https(self, app: Flask, client: FlaskClient) -> None:
        answer = client.get("/offers/field-guide", base_url="https://shop.example")
        (cookie,) = [c for c in answer.headers.getlist("Set-Cookie") if "session" in c]
        assert cookie.startswith("__Host-session=")
        for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
            assert part in cookie
        assert "Domain" not in cookie

    def test_links_are_made_from_the_settings_not_from_the_request(
        self, app: Flask, client: FlaskClient
    ) -> None:
        answer = client.get("/.well-known/security.txt", headers={"Host": "www.shop.example"})
        assert "Canonical: https://shop.example/.well-known/security.txt" in answer.get_data(as_text=True)


def test_where_the_simulator_lives_is_named_by_both_its_names(database: str) -> None:
    from app.headers import content_policy

    local = {"APP_ENV": "local", "DATABASE_URL": database}
    assert "http://localhost:4242 http://127.0.0.1:4242" in content_policy(Settings.from_env(local))
    own_key = {**local, "STRIPE_SECRET_KEY": "sk_test_of_the_merchant"}
    assert content_policy(Settings.from_env(own_key)) == POLICY.format(simulator="")


def test_two_applications_keep_their_own_policies(
    app: Flask, database: str, db_session: scoped_session
) -> None:
    other = create_app(settings(database))
    assert other.test_client().get("/healthz", headers={"Host": "shop.example"}).headers[
        "Content-Security-Policy"
    ] == POLICY.format(simulator="")
    assert app.test_client().get("/healthz").headers["Content-Security-Policy"] == SIMULATED
    with other.app_context():
        from app.extensions import db

        db.engine.dispose()
