"""The application inside the test's process: its settings, its database session, a client that reads pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.infra import html, pages

if TYPE_CHECKING:
    # Importing the app takes a second, which a test that does not use it need not pay.
    from flask import Flask
    from flask.testing import FlaskClient
    from sqlalchemy.orm import scoped_session
    from werkzeug.test import TestResponse

    from app.config import Settings

Travel = Callable[..., None]
WEBHOOK_SECRET = "whsec_countinghouse_tests_only"


@pytest.fixture
def environ(database: str) -> dict[str, str]:
    """The environment the app is configured from; a test or room may override it to add to it."""
    return {
        "APP_ENV": "test",
        "DATABASE_URL": database,
        "STRIPE_WEBHOOK_SECRETS": f'["{WEBHOOK_SECRET}"]',
        "LOG_LEVEL": "WARNING",
    }


@pytest.fixture
def settings(environ: Mapping[str, str]) -> Settings:
    from app.config import Settings

    return Settings.from_env(environ)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The application on a migrated database of its own (`@databases.both` for each kind)."""
    from app import clock, create_app
    from app.extensions import db

    app = create_app(settings)
    yield app
    clock.travel_to(timedelta())
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def db_session(app: Flask) -> Iterator[scoped_session]:
    """The session inside an application context, for tests of verbs; what is not committed is lost."""
    from app.extensions import db

    with app.app_context():
        yield db.session
        db.session.rollback()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def travel(app: Flask) -> Travel:
    """`travel(days=3)` moves this shop's clock, in this process and for whoever shares the database."""
    from app import clock
    from app.extensions import db
    from app.models import Shop

    offset = timedelta()

    def travel(**distance: float) -> None:
        nonlocal offset
        offset += timedelta(**distance)
        with app.app_context():
            shop = db.session.get(Shop, 1) or Shop(id=1, merchant={})
            shop.clock_offset_seconds = int(offset.total_seconds())
            db.session.add(shop)
            db.session.commit()
        clock.travel_to(offset)

    return travel


class ClientRequest:
    """A visitor without a browser, who looks at every page for what no page may do."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.response: TestResponse | None = None

    def get(self, path: str, status: int = 200, **options: Any) -> html.Element | str:
        """The parsed page at the path, checked by tests.infra.pages, or the address it leads to (302, say).

        The answer itself is in `response`.
        """
        self.response = self.client.get(path, **options)
        return self._page_or_address(path, status)

    def post(
        self, path: str, data: Mapping[str, Any], status: int = 303, **options: Any
    ) -> html.Element | str:
        """The address a POST leads to, or the parsed page when it answers with one (422, say).

        The data goes out as it is; `submit` fills in a form the way a browser does.
        """
        self.response = self.client.post(path, data=data, **options)
        return self._page_or_address(path, status)

    def submit(
        self, path: str, form: str = "form[method=post]", status: int = 303, **values: Any
    ) -> html.Element | str:
        """Open the page, fill in its form (a selector) over what it already holds, and send it."""
        found = self.get(path).one(form)
        data = {**filled(found), **{name: value for name, value in values.items() if value is not None}}
        for name, value in values.items():
            if value is None:
                data.pop(name, None)
        return self.post(found.get("action") or path, data, status)

    def _page_or_address(self, path: str, status: int) -> html.Element | str:
        assert self.response.status_code == status, self._unexpected(path, status)
        if 300 <= status < 400:
            return self.response.location
        page = html.parse(self.response.get_data(as_text=True))
        pages.check(page)
        return page

    def _unexpected(self, path: str, status: int) -> str:
        answer = self.response
        said = html.parse(answer.get_data(as_text=True)).text[:600]
        with suppress(KeyError):
            said = f"{answer.headers['Location']} {said}"
        return f"{path} answered {answer.status_code}, expected {status}: {said}"


def filled(form: html.Element) -> dict[str, str]:
    """What a browser would send for the form as it stands, its first submit button left out."""
    data = {}
    for field in _fields(form, "input", "textarea"):
        kind = field.get("type", "text")
        if kind in ("submit", "button", "image", "file") or "disabled" in field.attributes:
            continue
        if kind in ("checkbox", "radio") and "checked" not in field.attributes:
            continue
        data[field["name"]] = field.get("value", "on" if kind == "checkbox" else "")
        if field.tag == "textarea":
            data[field["name"]] = field.text
    for field in _fields(form, "select"):
        options = field.select("option")
        chosen = [option for option in options if "selected" in option.attributes] or options[:1]
        for option in chosen:
            data[field["name"]] = option.get("value", option.text)
    return data


def _fields(form: html.Element, *tags: str) -> list[html.Element]:
    """The form's named fields: those inside it, and those elsewhere that name it in their `form` attribute."""
    inside = form.select(", ".join(f"{tag}[name]" for tag in tags))
    if not form.get("id"):
        return inside
    page = list(form.ancestors())[-1]
    return inside + page.select(", ".join(f"{tag}[name][form={form['id']}]" for tag in tags))


@pytest.fixture
def client_request(client: FlaskClient) -> ClientRequest:
    """Fetch pages as a visitor; see ClientRequest."""
    return ClientRequest(client)


def path_of(location: str) -> str:
    """The path and query of a redirect's address."""
    parts = urlsplit(location)
    return parts.path + (f"?{parts.query}" if parts.query else "")
