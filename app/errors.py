"""AppError and its two answers: a page for a person, RFC 9457 problem+json for a program.

A person reads what happened, whether money moved and what to do next; never a trace or a raw message.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from flask import Flask, Response, g, make_response, render_template, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, SecurityError

log = structlog.get_logger("errors")


class AppError(Exception):
    """A refusal that is told to a person: an HTTP status, what happened, and what to do next.

    `money` says whether money moved; None where no money is in question.
    """

    def __init__(
        self, status: int, title: str, what_next: str = "", *, money: str | None = None, code: str = "error"
    ) -> None:
        super().__init__(str(title))
        self.status = status
        self.title = title
        self.what_next = what_next
        self.money = money
        self.code = code


@dataclass(frozen=True)
class Sentence:
    title: str
    what_happened: str
    what_next: str


SENTENCES = {
    400: Sentence(
        _l("That request could not be read"),
        _l("Something in the request is not as it should be."),
        _l("Go back, load the page again and try once more."),
    ),
    403: Sentence(
        _l("You may not open this page"),
        _l("Your account does not have the right to do this."),
        _l("Sign in with another account, or ask the owner for access."),
    ),
    404: Sentence(
        _l("There is nothing at this address"),
        _l("The page does not exist, or it is not yours to see."),
        _l("Check the address, or start from the front page."),
    ),
    405: Sentence(
        _l("This page does not take that request"),
        _l("The address exists, but not for this kind of request."),
        _l("Start again from the front page."),
    ),
    413: Sentence(
        _l("That is too large"),
        _l("The request holds more than this page accepts."),
        _l("Send less and try again."),
    ),
    422: Sentence(
        _l("Some entries need another look"),
        _l("The form could not be accepted as it is."),
        _l("Go back and correct the marked entries."),
    ),
    429: Sentence(
        _l("Too many requests"),
        _l("This address has sent more requests than we accept in a short time."),
        _l("Wait a minute, then try again."),
    ),
    500: Sentence(
        _l("Something failed on our side"),
        _l("The page could not be made. The failure is recorded."),
        _l("Try again in a minute. If it stays, write to us and quote the reference."),
    ),
    503: Sentence(
        _l("We are not able to answer right now"),
        _l("A part of the shop cannot be reached at the moment."),
        _l("Try again in a minute. Anything you already paid for is safe."),
    ),
}
# Whoever raises another status says what happened in its title.
OTHERWISE = Sentence(_l("This did not work"), "", _l("Start again from the front page."))


def init_app(app: Flask) -> None:
    app.register_error_handler(AppError, _answer_app_error)
    app.register_error_handler(HTTPException, _answer_http)
    for gone in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(gone, _answer_database)
    app.register_error_handler(Exception, _answer_unexpected)


def wants_json() -> bool:
    """Programs get problem+json: the webhook, the API, and whoever prefers JSON to HTML."""
    if request.path.startswith(("/webhooks/", "/api/")):
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json", "application/problem+json"])
    return (
        best is not None and best != "text/html" and "text/html" not in request.accept_mimetypes.to_header()
    )


def answer(error: AppError) -> Response:
    """The answer to `error` for whoever asked."""
    sentence = SENTENCES.get(error.status, OTHERWISE)
    if wants_json():
        body = {
            "type": "about:blank",
            "title": str(error.title or sentence.title),
            "status": error.status,
            "code": error.code,
            "detail": str(error.what_next or sentence.what_happened or sentence.what_next),
            "request_id": g.get("request_id", ""),
        }
        response = make_response(body, error.status)
        response.mimetype = "application/problem+json"
        return response
    page = render_template(
        "errors/error.html",
        status=error.status,
        title=error.title or sentence.title,
        what_happened=sentence.what_happened,
        money=error.money,
        what_next=error.what_next or sentence.what_next,
        reference=g.get("request_id", ""),
        action=(_("Go to the front page"), "/"),
    )
    return make_response(page, error.status)


def _answer_app_error(error: AppError) -> Response:
    return answer(error)


def _answer_http(error: HTTPException) -> Response:
    if isinstance(error, SecurityError):
        # A Host that is not ours: no page can be made, for it would hold addresses on that host.
        return Response("This shop is not served under that name.\n", 400, mimetype="text/plain")
    status = error.code or 500
    if status < 400:
        return error.get_response()  # type: ignore[return-value]  # werkzeug's own redirect
    refusal = AppError(status, SENTENCES.get(status, OTHERWISE).title)
    if isinstance(error, CSRFError):
        refusal.what_next = _(
            "The page was open too long, or cookies are off. Load it again and press once more."
        )
        refusal.money = _("No money was taken.") if request.path.startswith("/checkout") else None
    response = answer(refusal)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After", "WWW-Authenticate"):
            response.headers[name] = value
    return response


def _answer_database(error: SQLAlchemyError) -> Response:
    log.error("database_unavailable", exc_info=error)
    g._login_user = None  # or Flask-Login would ask the database who reads this page
    return answer(AppError(503, SENTENCES[503].title, code="database_unavailable"))


def _answer_unexpected(error: Exception) -> Response:
    log.error("unexpected_error", exc_info=error)
    return answer(AppError(500, SENTENCES[500].title, code="unexpected"))
