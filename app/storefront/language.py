"""The switch between languages: remembers the choice and leads back to the page it was made on."""

from __future__ import annotations

from datetime import timedelta

from flask import abort, current_app, redirect, request
from werkzeug.wrappers import Response

from app.languages import COOKIE, LANGUAGES, own_path
from app.storefront.pages import blueprint

KEPT_FOR = timedelta(days=365)


@blueprint.get("/language/<code>")
def language(code: str) -> Response:
    """Keep the choice for a year in a cookie of its own: it survives signing out and tells nothing else."""
    if code not in LANGUAGES:
        abort(404)
    answer = redirect(own_path(request.args.get("back", "/")), 303)
    answer.set_cookie(
        COOKIE,
        code,
        max_age=KEPT_FOR,
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )
    return answer
