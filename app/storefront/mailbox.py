"""/dev/mail: the mails a local shop would have sent. Exists in local mode only."""

from __future__ import annotations

from flask import Blueprint, Response, abort, current_app, make_response, render_template
from sqlalchemy import select

from app.extensions import db
from app.headers import content_policy
from app.models import Mail

GUARD = "local"
blueprint = Blueprint("mailbox", __name__, url_prefix="/dev/mail")


@blueprint.get("")
def index() -> str:
    mails = db.session.scalars(select(Mail).order_by(Mail.id.desc()).limit(100)).all()
    return render_template("mailbox/index.html", mails=mails)


@blueprint.get("/<mail_id>")
def message(mail_id: str) -> Response:
    """One mail: its HTML in a frame, and its text."""
    response = make_response(render_template("mailbox/message.html", mail=_find(mail_id)))
    policy = content_policy(current_app.config["SETTINGS"])
    response.headers["Content-Security-Policy"] = policy + "; frame-src 'self'"
    return response


@blueprint.get("/<mail_id>/html")
def html(mail_id: str) -> Response:
    """The HTML part by itself, with only the inline style a mail has; its links open outside the frame."""
    markup = (_find(mail_id).html or "").replace("<head>", '<head><base target="_top">', 1)
    response = Response(markup, mimetype="text/html")
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
    )
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


def _find(mail_id: str) -> Mail:
    return db.session.scalar(select(Mail).where(Mail.public_id == mail_id)) or abort(404)
