"""Accounts: how people sign in, by Flask-Security with our pages, forms and mails. Their subscriptions come later."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, redirect, url_for
from flask_security import Security, current_user
from werkzeug.wrappers import Response

from app.account import reset, signing_in
from app.account.forms import FORMS
from app.account.settings import security_settings

__all__ = ["GUARD", "blueprint", "init_app", "security_parts", "security_settings"]

GUARD = "customer"
blueprint = Blueprint("account", __name__)


@blueprint.get("/account")
def home() -> Response:
    """Staff go to their console; the account's own home comes with accounts for customers."""
    target = "ops.home" if current_user.staff_role else "storefront.home"
    return redirect(url_for(target), 303)


def security_parts() -> dict[str, Any]:
    """What Flask-Security is given of ours: forms, and how a page is answered."""
    return {**FORMS, "render_template": signing_in.page}


def init_app(app: Flask, security: Security) -> None:
    """After Flask-Security is bound: limits on guessing, our reset request, links that follow the shop's clock."""
    reset.init_app(app, security)
    signing_in.limit(app)
