"""The console's blueprint and its lists: pages by key, newest first, filters from an allow-list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, request, url_for
from flask_security import current_user
from sqlalchemy import Select, select

from app.extensions import db

GUARD = "staff:viewer"
blueprint = Blueprint("ops", __name__, url_prefix="/ops")
PAGE = 50


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
    return Page(
        rows,
        _turn(after=key_of(rows[0])) if rows and more_newer else None,
        _turn(before=key_of(rows[-1])) if rows and more_older else None,
    )


def key_of(row: Any) -> str:
    """What a row is called outside."""
    return str(getattr(row, "public_id", None) or row.stripe_event_id)


def _id(model: Any, key: str) -> int:
    column = getattr(model, "public_id", None) or model.stripe_event_id
    found: int | None = db.session.scalar(select(model.id).where(column == key[:255]))
    return found if found is not None else abort(400)


def _turn(**cursor: str) -> str:
    kept = {name: value for name, value in request.args.items() if name not in ("before", "after")}
    return url_for(request.endpoint or "ops.home", **{**(request.view_args or {}), **kept, **cursor})


def actor() -> str:
    """Who acts, for the audit log: the staff user's number, not their address."""
    return f"user:{current_user.id}"


def chosen(name: str, allowed: Sequence[str]) -> str:
    """A filter from the address, one of `allowed` or empty; anything else is a 400."""
    value = request.args.get(name, "")
    if value and value not in allowed:
        abort(400)
    return value
