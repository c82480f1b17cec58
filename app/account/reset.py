"""A new password: the request, the mail with its link, and what is recorded when one is set.

Whether an address has an account shows neither in the answer nor in its timing: the request only queues a task.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, current_app, flash, redirect, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_security import Security, password_reset
from flask_security.utils import get_message
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from app import audit, clock, crypto, mail, tasks
from app.account.forms import ForgotPasswordForm
from app.account.settings import LINK_LIFETIME
from app.account.signing_in import page
from app.extensions import db, security
from app.models import Mail, User

# One address gets at most one mail in this many seconds, however often it is entered.
SPACING = 120


class ShopTimeSigner(TimestampSigner):
    """Links age by the shop's clock, which a local shop can set ahead."""

    def get_timestamp(self) -> int:
        return clock.timestamp()


def init_app(app: Flask, bound: Security) -> None:
    app.view_functions["security.forgot_password"] = forgot_password
    keys = [app.config["SECRET_KEY"], *app.config["SECRET_KEY_FALLBACKS"]]
    bound.reset_serializer = URLSafeTimedSerializer(
        keys, salt=app.config["SECURITY_RESET_SALT"], signer=ShopTimeSigner
    )
    password_reset.connect(_record, app)


def forgot_password() -> Response:
    """Take an address and answer the same whether or not it has an account."""
    form = ForgotPasswordForm()
    if not form.validate_on_submit():
        return page(current_app.config["SECURITY_FORGOT_PASSWORD_TEMPLATE"], forgot_password_form=form)
    address = form.email.data
    tasks.enqueue(
        "send_reset_link",
        unique_key=f"reset:{crypto.lookup(crypto.normal_email(address))}:{clock.timestamp() // SPACING}",
        address=crypto.encrypt(address.encode()).decode(),
        locale=str(get_locale() or "en"),
    )
    db.session.commit()
    flash(*get_message("PASSWORD_RESET_REQUEST", email=address))
    return redirect(url_for("security.forgot_password"), 303)


@tasks.task("send_reset_link", priority=tasks.MAIL)
def send_reset_link(address: str, locale: str = "en") -> dict[str, Any]:
    """Mail the link to the account of this (encrypted) address, if there is one, in the language of the request."""
    user = security.datastore.find_user(
        email=crypto.decrypt(address.encode()).decode(), case_insensitive=True
    )
    if user is None or not user.active:
        return {"mailed": False}
    key = f"reset:{user.fs_uniquifier}:{clock.timestamp() // SPACING}"
    mail.send("reset", user.email, key=key, locale=locale, user_id=user.id)
    return {"mailed": True}


@mail.context("reset")
def _reset_context(message: Mail) -> dict[str, Any]:
    """The link is made when the mail is written; it is stored nowhere but in the encrypted mail."""
    user = db.session.get_one(User, message.context["user_id"])
    return {
        "subject": _("Set a new password"),
        "link": link(user),
        "minutes": int(LINK_LIFETIME.total_seconds() // 60),
    }


def link(user: User) -> str:
    """A link on our own origin that sets a password once, within LINK_LIFETIME."""
    # The identity changes with the password, so that this link and all others of its time die with its use.
    token = security.reset_serializer.dumps([str(user.fs_uniquifier)])
    return f"{current_app.config['SETTINGS'].public_url}/reset/{token}"


def _record(_app: Flask, user: User, **_more: Any) -> None:
    """In the transaction that sets the password."""
    audit.record("user.password_set", f"user:{user.id}", actor=f"user:{user.id}")
