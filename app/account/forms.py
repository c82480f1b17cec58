"""The forms of signing in. What an error says never tells whether an account exists."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_security.forms import (
    EmailValidation,
    Form,
    IsString,
    ResetPasswordForm,
    email_required,
)
from flask_security.forms import LoginForm as SecurityLoginForm
from flask_security.utils import validate_redirect_url
from wtforms import EmailField


def address_field() -> EmailField:
    """An email address; the blanks around a pasted one are not part of it."""
    return EmailField(
        filters=[lambda value: value.strip() if isinstance(value, str) else value],
        validators=[IsString(), email_required, EmailValidation(verify=False)],
    )


class LoginForm(SecurityLoginForm):
    """Address and password. “Remember me” is not offered: the console is not for shared machines."""

    email = address_field()
    remember = None
    # What is wrong with the entries as such, before any account was looked for.
    unread: dict[str, str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.unread = {}
        if self.next.data and not validate_redirect_url(self.next.data):
            self.next.data = ""

    def validate(self, **kwargs: Any) -> bool:
        valid = bool(super().validate(**kwargs))
        if self.ifield is None:
            self.unread = {name: errors[0] for name, errors in self.errors.items() if name}
        return valid

    def validate_next(self, field: Any) -> None:
        """An address elsewhere is forgotten; signing in goes on."""


class ForgotPasswordForm(Form):
    """Only an address: whether it has an account is found out in the background."""

    email = address_field()


FORMS: dict[str, Any] = {
    "login_form": LoginForm,
    "forgot_password_form": ForgotPasswordForm,
    "reset_password_form": ResetPasswordForm,
}

# A summary lists its problems in the order of the page.
ORDER: dict[str | None, int] = {"email": 1, "password": 2, "password_confirm": 3}


def problems(form: Any) -> dict[str, str]:
    """What the page's summary lists: control id → message, one each."""
    unread: dict[str, str] = getattr(form, "unread", {})
    if unread:
        return {name: str(unread[name]) for name in sorted(unread, key=lambda name: ORDER.get(name, 0))}
    found: dict[str, str] = {}
    for name, messages in sorted(form.errors.items(), key=lambda item: ORDER.get(item[0], 0)):
        # What is wrong with the form as a whole stands at its first entry.
        found.setdefault(name or "email", str(messages[0]))
    return found if request.method == "POST" else {}
