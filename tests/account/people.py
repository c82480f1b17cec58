"""Accounts and their passwords, signed in the way a person does it."""

from __future__ import annotations

import itertools

from flask import Flask

from tests.infra.shop import ClientRequest

PASSWORD = "correct horse battery"
_numbers = itertools.count(1)


def account(app: Flask, role: str | None = None, email: str | None = None) -> str:
    """Make an account with PASSWORD and that staff role; its address."""
    from flask_security import hash_password

    from app.extensions import db, mean_to_write, security

    email = email or f"{role or 'customer'}{next(_numbers)}@shop.test"
    with app.app_context():
        mean_to_write()
        store = security.datastore
        user = store.create_user(email=email, password=hash_password(PASSWORD))
        if role is not None:
            store.add_role_to_user(user, store.find_or_create_role(role))
        db.session.commit()
    return email


def signed_in(app: Flask, role: str | None = None, email: str | None = None) -> ClientRequest:
    """A browser in which a new account of that role has signed in."""
    visitor = ClientRequest(app.test_client())
    address = account(app, role, email)
    visitor.submit("/login", "main form", status=302, email=address, password=PASSWORD)
    return visitor


def token(visitor: ClientRequest) -> str:
    """What this browser's forms carry against forged requests; a form must have been shown to it."""
    from flask import session
    from flask_wtf.csrf import generate_csrf

    with visitor.client.session_transaction() as stored:
        raw = stored["csrf_token"]
    with visitor.client.application.test_request_context():
        session["csrf_token"] = raw
        return generate_csrf()
