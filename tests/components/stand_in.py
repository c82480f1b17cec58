"""A stand-in for the application's side of the templates: filters, globals and context, nothing else."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flask import Flask

from app.money import Money, format_money

ROOT = Path(__file__).resolve().parents[2]
STYLES = {"date": "%-d %B %Y", "datetime": "%-d %b %Y, %H:%M UTC", "short": "%-d %b, %H:%M"}
MERCHANT = SimpleNamespace(
    name="Fernhill Press",
    address=["Lindenstraße 4", "10969 Berlin", "Germany"],
    vat_id="DE123456789",
    support_email="desk@fernhill.example",
    terms_url="https://fernhill.example/terms",
)


def gettext(text: str, **values: Any) -> str:
    return text % values if values else text


def when(moment: date | datetime, style: str = "date") -> str:
    return moment.strftime(STYLES[style])


def make_app(*, merchant: Any = MERCHANT, user: Any = None) -> Flask:
    """A Flask application that knows the product's templates and static files, and no product code but Money."""
    app = Flask("gallery", root_path=str(ROOT), template_folder="templates", static_folder="static")
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        gettext, lambda one, many, n: one if n == 1 else many, newstyle=True
    )
    app.jinja_env.globals.update(csrf_token=lambda: "stand-in-token")
    app.jinja_env.filters.update(
        money=lambda m, locale="en", code=False: format_money(m, locale, code=code), when=when
    )
    who = user or SimpleNamespace(is_authenticated=False, email=None)

    @app.context_processor
    def context() -> dict[str, Any]:
        return {"merchant": merchant, "test_mode": True, "locale": "en", "current_user": who, "nav": []}

    return app


def euros(cents: int) -> Money:
    return Money(cents, "eur")


def at(day: int, hour: int = 10, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)
