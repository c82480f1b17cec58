"""Signing in: how Flask-Security's pages are answered, and how often one network may guess."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, make_response, render_template, request

from app.account.forms import problems
from app.extensions import limiter
from app.fraud.signals import network_of

# The coarse fence, for each network and process. The limit for each account, counted in the database, comes with
# the issue on accounts; it goes where the password is verified.
GUESSES = "10/5minutes"
REQUESTS = "10/5minutes"


def page(template: str, **values: Any) -> Response:
    """A page of Flask-Security's: 422 when its form was sent and is not in order."""
    form = next((value for name, value in values.items() if name.endswith("_form")), None)
    errors = problems(form) if form is not None else {}
    return make_response(
        render_template(template, form=form, errors=errors, **values), 422 if errors else 200
    )


def limit(app: Flask) -> None:
    """Put the fence around the two POSTs a stranger may try again and again."""
    for endpoint, rate, counts in (
        ("security.login", GUESSES, _refused),
        ("security.reset_password", GUESSES, _refused),
        ("security.forgot_password", REQUESTS, None),
    ):
        fence = limiter.limit(rate, key_func=_network, methods=["POST"], deduct_when=counts)
        view: Any = app.view_functions[endpoint]
        app.view_functions[endpoint] = fence(view)


def _network() -> str:
    return network_of(request.remote_addr or "")


def _refused(response: Response) -> bool:
    """Only wrong guesses count: an office that shares an address signs in as often as it likes."""
    return response.status_code != 302
