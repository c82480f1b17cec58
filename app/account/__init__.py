"""Accounts: how people sign in, by Flask-Security with our pages; the account's own pages come with issue work."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, url_for
from flask_security import current_user
from flask_security.forms import LoginForm as SecurityLoginForm
from werkzeug.wrappers import Response

from app.config import Settings

GUARD = "customer"
blueprint = Blueprint("account", __name__)


class LoginForm(SecurityLoginForm):
    """Address and password; “remember me” is not offered to staff."""


@blueprint.get("/account")
def home() -> Response:
    """Staff go to their console; the account's own home comes with accounts for customers."""
    target = "ops.home" if current_user.staff_role else "storefront.home"
    return redirect(url_for(target))


def security_settings(settings: Settings) -> dict[str, Any]:
    """Flask-Security: argon2, generic answers, links on our own origin, no registration yet."""
    return {
        "SECURITY_PASSWORD_HASH": "argon2",
        "SECURITY_PASSWORD_SCHEMES": ["argon2"],
        "SECURITY_PASSWORD_SALT": settings.secret_key,
        "SECURITY_PASSWORD_SINGLE_HASH": ["argon2"],
        "SECURITY_PASSWORD_LENGTH_MIN": 15,
        "SECURITY_PASSWORD_NORMALIZE_FORM": "NFKC",
        "SECURITY_REGISTERABLE": False,
        "SECURITY_RECOVERABLE": True,
        "SECURITY_CHANGEABLE": False,
        "SECURITY_TRACKABLE": False,
        "SECURITY_RETURN_GENERIC_RESPONSES": True,
        "SECURITY_SEND_REGISTER_EMAIL": False,
        "SECURITY_SEND_PASSWORD_RESET_EMAIL": False,
        "SECURITY_SEND_PASSWORD_RESET_NOTICE_EMAIL": False,
        "SECURITY_EMAIL_VALIDATOR_ARGS": {"check_deliverability": False},
        "SECURITY_RESET_PASSWORD_WITHIN": "1 hours",
        "SECURITY_POST_LOGIN_VIEW": "/account",
        "SECURITY_POST_LOGOUT_VIEW": "/",
        "SECURITY_POST_RESET_VIEW": "/login",
        "SECURITY_AUTO_LOGIN_AFTER_RESET": False,
        "SECURITY_LOGOUT_METHODS": ["POST"],
        "SECURITY_DEFAULT_REMEMBER_ME": False,
        "SECURITY_LOGIN_USER_TEMPLATE": "account/login.html",
        "SECURITY_FORGOT_PASSWORD_TEMPLATE": "account/forgot_password.html",
        "SECURITY_RESET_PASSWORD_TEMPLATE": "account/reset_password.html",
        "SECURITY_MSG_INVALID_EMAIL_ADDRESS": ("Enter an email address like name@example.com", "error"),
    }
