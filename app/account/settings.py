"""How Flask-Security is set up: argon2, generic answers, links on our own origin, no registration yet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from app.config import ROOT, Settings

PASSWORD_LENGTH = 15
LINK_LIFETIME = timedelta(hours=1)


def N_(text: str) -> str:
    """Marks a text for translation where it is stored before it is shown; Flask-Security translates it."""
    return text


def security_settings(settings: Settings) -> dict[str, Any]:
    """The SECURITY_… keys of the application's configuration."""
    return {
        "SECURITY_PASSWORD_HASH": "argon2",
        "SECURITY_PASSWORD_SCHEMES": ["argon2"],
        "SECURITY_PASSWORD_SALT": settings.secret_key,
        "SECURITY_PASSWORD_SINGLE_HASH": ["argon2"],
        "SECURITY_PASSWORD_LENGTH_MIN": PASSWORD_LENGTH,
        "SECURITY_PASSWORD_NORMALIZE_FORM": "NFKC",
        "SECURITY_REGISTERABLE": False,
        "SECURITY_RECOVERABLE": True,
        "SECURITY_CHANGEABLE": False,
        "SECURITY_TRACKABLE": False,
        "SECURITY_RETURN_GENERIC_RESPONSES": True,
        "SECURITY_SEND_REGISTER_EMAIL": False,
        "SECURITY_SEND_PASSWORD_RESET_EMAIL": False,
        "SECURITY_SEND_PASSWORD_RESET_NOTICE_EMAIL": False,
        # DNS is not asked whether mail arrives, and addresses under .test, reserved for trying things out, will do.
        "SECURITY_EMAIL_VALIDATOR_ARGS": {"check_deliverability": False, "test_environment": True},
        "SECURITY_RESET_PASSWORD_WITHIN": LINK_LIFETIME,
        "SECURITY_POST_LOGIN_VIEW": "/account",
        "SECURITY_POST_LOGOUT_VIEW": "/",
        "SECURITY_POST_RESET_VIEW": "/login",
        "SECURITY_AUTO_LOGIN_AFTER_RESET": False,
        "SECURITY_LOGOUT_METHODS": ["POST"],
        "SECURITY_DEFAULT_REMEMBER_ME": False,
        "SECURITY_LOGIN_USER_TEMPLATE": "account/login.html",
        "SECURITY_FORGOT_PASSWORD_TEMPLATE": "account/forgot_password.html",
        "SECURITY_RESET_PASSWORD_TEMPLATE": "account/reset_password.html",
        # Its own would read "no-store=True"; app/headers.py says it as caches understand it.
        "SECURITY_CACHE_CONTROL": {},
        "SECURITY_I18N_DOMAIN": "messages",
        "SECURITY_I18N_DIRNAME": str(ROOT / "app" / "translations"),
        **{f"SECURITY_MSG_{key}": message for key, message in MESSAGES.items()},
    }


MESSAGES = {
    "GENERIC_AUTHN_FAILED": (N_("The email address or the password is not right"), "bad"),
    "INVALID_EMAIL_ADDRESS": (N_("Enter an email address like name@example.com"), "bad"),
    "EMAIL_NOT_PROVIDED": (N_("Enter an email address like name@example.com"), "bad"),
    "PASSWORD_NOT_PROVIDED": (N_("Enter your password"), "bad"),
    "PASSWORD_INVALID_LENGTH": (N_("Choose a password of at least %(length)s characters"), "bad"),
    "RETYPE_PASSWORD_MISMATCH": (N_("Repeat the same password"), "bad"),
    "PASSWORD_RESET_NO_LOGIN": (N_("Your new password is set. Sign in with it."), "good"),
    "PASSWORD_RESET_REQUEST": (
        N_("If %(email)s has an account, a link to set a new password is on its way there."),
        "good",
    ),
    "PASSWORD_RESET_EXPIRED": (N_("That link has expired. Ask for a new one here."), "warn"),
    "INVALID_RESET_PASSWORD_TOKEN": (
        N_("That link does not work, or was used before. Ask for a new one here."),
        "warn",
    ),
}
