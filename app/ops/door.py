"""The console's blueprint and its lists: pages by key, newest first, filters from an allow-list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, request, url_for
from flask_babel import gettext as _
from flask_security import current_user
from sqlalchemy import Select, select

from app.extensions import db
from app.ops import words

GUARD = "staff:viewer"
blueprint = Blueprint("ops", __name__, url_prefix="/ops")
PAGE = 50
FILTERS = ("q", "state")


@blueprint.context_processor
def _console() -> dict[str, Any]:
    return {
        "ops_nav": [
            ("ops.home", _("Overview")),
            ("ops.orders", _("Orders")),
            ("ops.payments", _("Payments")),
            ("ops.flagged", _("Flagged")),
            ("ops.events", _("Events")),
        ],
        "words": words,
    }


@dataclass(frozen=True)
class Page:
    """One page of a list: its rows, and the addresses of the pages on either side (None at an end)."""

    rows: Sequence[Any]
    newer_url: str | None
    older_url: str | None


def page_of(model: Any, narrow: Callable[[Select[Any]], Select[Any]]) -> Page:
    """The asked-for page of `model`, newest first. `before` and `after` name a row by its public id; an unknown
    one is a 400.
    """
    before, after = request.args.get("before"), request.args.get("after")
    query = narrow(select(model))
    if after:
        rows = list(
            db.session.scalars(query.where(model.id > _id(model, after)).order_by(model.id).limit(PAGE + 1))
        )
        more_newer, more_older = len(rows) > PAGE, True
        rows = rows[:PAGE][::-1]
    else:
        if before:
            query = query.where(model.id < _id(model, before))
        rows = list(db.session.scalars(query.order_by(model.id.desc()).limit(PAGE + 1)))
        more_newer, more_older = bool(before), len(rows) > PAGE
        rows = rows[:PAGE]
    if not rows:
        return Page(rows, _turn() if before or after else None, None)
    return Page(
        rows,
        _turn(after=key_of(rows[0])) if more_newer else None,
        _turn(before=key_of(rows[-1])) if more_older else None,
    )


def key_of(row: Any) -> str:
    """What a row is called outside."""
    return str(getattr(row, "public_id", None) or row.stripe_event_id)


def _id(model: Any, key: str) -> int:
    column = getattr(model, "public_id", None) or model.stripe_event_id
    found: int | None = db.session.scalar(select(model.id).where(column == key[:255]))
    return found if found is not None else abort(400)


def _turn(**cursor: str) -> str:
    """The address of another page of this list: of what was asked, only the filters go along."""
    kept: dict[str, Any] = {name: request.args[name] for name in FILTERS if request.args.get(name)}
    return url_for(request.endpoint or "ops.home", **(kept | cursor))


def actor() -> str:
    """Who acts, for the audit log: the staff user's number, not their address."""
    return f"user:{current_user.id}"


def sought() -> str:
    """The words in the search box."""
    return request.args.get("q", "").strip()[:200]


def chosen(name: str, allowed: Sequence[str]) -> str:
    """A filter from the address, one of `allowed` or empty; anything else is a 400."""
    value = request.args.get(name, "")
    if value and value not in allowed:
        abort(400)
    return value
