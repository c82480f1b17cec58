"""The middleware: scores every checkout request before its view runs, and refuses listed networks."""

from __future__ import annotations

from flask import Flask, g, request
from flask_babel import gettext as _

from app.errors import AppError
from app.fraud import lists, signals

GUARDED = frozenset({"storefront.checkout", "storefront.resume"})


def init_app(app: Flask) -> None:
    app.before_request(read_request)


def read_request() -> None:
    """Leave the request's signals at `g.signals` for `screen`; 403 for a network on the refuse list."""
    if request.endpoint not in GUARDED or request.method != "POST":
        return
    found = lists.on(request.remote_addr or "")
    if "refuse" in found:
        raise AppError(
            403,
            _("We cannot take this order"),
            _("Write to us if you think this is a mistake."),
            money=_("No money was taken."),
            code="refused",
        )
    g.signals = signals.read(request, high_risk="high_risk" in found)
