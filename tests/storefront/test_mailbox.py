"""/dev/mail: in local mode only, with the mail in a frame under a policy of its own."""

import pytest
from flask import Flask

from app import mail
from app.extensions import db, mean_to_write
from app.models import Mail
from tests.infra.shop import ClientRequest


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return {**environ, "APP_ENV": "local", "PUBLIC_URL": "http://localhost:8000"}


@pytest.fixture
def written(app: Flask) -> str:
    """A mail that waits for the worker; its public id."""
    with app.app_context():
        mean_to_write()
        mail.send("receipt", "amara@example.com", key="one")
        db.session.commit()
        return db.session.scalars(db.select(Mail)).one().public_id


def test_an_empty_box_says_what_will_come(client_request: ClientRequest):
    page = client_request.get("/dev/mail")
    assert page.one(".empty h3").text == "No mails yet"


def test_a_mail_waits_then_shows_in_a_frame(app: Flask, client_request: ClientRequest, written: str):
    assert "Queued" in client_request.get("/dev/mail").one("table").text
    assert "waiting for the worker" in client_request.get(f"/dev/mail/{written}").one(".lede").text

    with app.app_context():
        mean_to_write()
        message = db.session.scalars(db.select(Mail)).one()
        message.subject, message.text = "Hello", "See https://example.com/<x>"
        message.html = "<html><head></head><body><p>Hello</p></body></html>"
        db.session.commit()
    page = client_request.get(f"/dev/mail/{written}")
    assert page.one("iframe")["src"] == f"/dev/mail/{written}/html"
    assert "<x>" in page.one("pre").text
    policy = client_request.response.headers["Content-Security-Policy"]
    assert "frame-src 'self'" in policy and "unsafe" not in policy
    frame = client_request.client.get(f"/dev/mail/{written}/html")
    assert frame.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "script" not in frame.headers["Content-Security-Policy"]
    assert '<base target="_top">' in frame.get_data(as_text=True)
    client_request.get("/dev/mail/mail_nothing", 404)


def test_other_pages_frame_nothing(client_request: ClientRequest):
    client_request.get("/help")
    assert "frame-src" not in client_request.response.headers["Content-Security-Policy"]


class TestElsewhere:
    @pytest.fixture
    def environ(self, database: str) -> dict[str, str]:
        return {"APP_ENV": "test", "DATABASE_URL": database, "LOG_LEVEL": "WARNING"}

    def test_there_is_no_such_page_outside_local_mode(self, client_request: ClientRequest):
        for path in ("/dev/mail", "/dev/mail/x", "/dev/mail/x/html"):
            client_request.get(path, 404)
