"""Putting the application together: configuration, extensions, middleware, then one door after the other."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, request
from flask_security import SQLAlchemyUserDatastore
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.middleware.proxy_fix import ProxyFix

from app import (
    account,
    cli,
    clock,
    crypto,
    errors,
    filters,
    gateway,
    guards,
    headers,
    health,
    languages,
    logs,
    ops,
    requests,
    storefront,
    webhooks,
)
from app.config import ROOT, Settings
from app.extensions import (
    babel,
    csrf,
    db,
    engine_options,
    limiter,
    migrate,
    prepare_engine,
    security,
)
from app.fraud import guard
from app.models import Role, Shop, User, WebAuthn


def assemble(settings: Settings) -> Flask:
    """Each step builds on the ones above it."""
    logs.configure(settings.log_level)
    app = Flask("app", root_path=str(ROOT), template_folder="templates", static_folder="static")
    _configure(app, settings)
    crypto.use_keys(settings.field_keys)
    gateway.configure(settings.stripe_secret_key, settings.stripe_api_base)
    requests.init_app(app)  # before whatever may refuse a request: a refusal has its id and its log line, too
    _bind_extensions(app, settings)
    headers.init_app(app, settings)
    errors.init_app(app)
    filters.init_app(app)
    _follow_clock(app, settings)
    guard.init_app(app)
    for blueprint, access in (
        (health.blueprint, health.GUARD),
        (webhooks.blueprint, webhooks.GUARD),
        (storefront.blueprint, storefront.GUARD),
        (storefront.mailbox, storefront.MAILBOX_GUARD),
        (account.blueprint, account.GUARD),
        (ops.blueprint, ops.GUARD),
    ):
        guards.register(app, blueprint, access)
    csrf.exempt(webhooks.blueprint)
    cli.init_app(app)
    return app


def _configure(app: Flask, settings: Settings) -> None:
    secure = settings.public_url.startswith("https://")
    app.config.update(
        SETTINGS=settings,
        TESTING=settings.env == "test",
        SECRET_KEY=settings.secret_key,
        SECRET_KEY_FALLBACKS=list(settings.secret_key_fallbacks),
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database_url),
        SESSION_COOKIE_NAME="__Host-session" if secure else "session",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        PERMANENT_SESSION_LIFETIME=timedelta(days=7),
        MAX_CONTENT_LENGTH=1024 * 1024,
        MAX_FORM_MEMORY_SIZE=256 * 1024,
        MAX_FORM_PARTS=200,
        TRUSTED_HOSTS=[*settings.trusted_hosts, urlsplit(settings.public_url).hostname]
        if settings.production or settings.trusted_hosts
        else None,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
        BABEL_DEFAULT_LOCALE="en",
        BABEL_TRANSLATION_DIRECTORIES=str(ROOT / "app" / "translations"),
        RATELIMIT_STORAGE_URI=settings.redis_url or "memory://",
        RATELIMIT_STORAGE_OPTIONS={"socket_connect_timeout": 0.25, "socket_timeout": 0.25}
        if settings.redis_url
        else {},
        RATELIMIT_IN_MEMORY_FALLBACK_ENABLED=bool(settings.redis_url),
        RATELIMIT_SWALLOW_ERRORS=False,
        TEMPLATES_AUTO_RELOAD=False,
        **account.security_settings(settings),
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.policies["ext.i18n.trimmed"] = True  # as app/translations/babel.cfg gathers them
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=0)  # type: ignore[method-assign]  # how Flask is wrapped


def _bind_extensions(app: Flask, settings: Settings) -> None:
    if settings.database_url.startswith("sqlite:///"):
        Path(settings.database_url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)
    migrate.init_app(app, db, directory=str(ROOT / "migrations"))
    csrf.init_app(app)
    limiter.init_app(app)
    babel.init_app(app, locale_selector=languages.chosen)
    security.init_app(
        app,
        SQLAlchemyUserDatastore(db, User, Role, WebAuthn),
        register_blueprint=True,
        **account.security_parts(),
    )
    account.init_app(app, security)


def _follow_clock(app: Flask, settings: Settings) -> None:
    """A local or test shop's processes share one clock, which can be set ahead; production's cannot."""
    if settings.production:
        return

    def offset() -> timedelta:
        seconds = db.session.scalar(select(Shop.clock_offset_seconds).where(Shop.id == 1))
        db.session.rollback()
        return timedelta(seconds=seconds or 0)

    follow = clock.Follower(offset)
    app.extensions["follow_clock"] = follow

    @app.before_request
    def _follow() -> None:
        if request.endpoint in ("static", "health.healthz"):
            return
        try:
            follow()
        except SQLAlchemyError:
            db.session.rollback()  # whoever needs the database will find it gone, and says so in their own way
