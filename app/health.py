"""Whether the process lives and whether it can serve; and security.txt."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import Any

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Blueprint, Response, current_app
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.config import ROOT
from app.extensions import db
from app.models import QueueState, WebhookEvent

GUARD = "public"
blueprint = Blueprint("health", __name__)
LAG_LIMIT = timedelta(minutes=15)
SKEW_LIMIT = timedelta(seconds=30)  # leases and signatures are judged by clocks


@blueprint.get("/healthz")
def healthz() -> dict[str, str]:
    """The process is alive; nothing else is asked."""
    return {"status": "alive"}


@blueprint.get("/readyz")
def readyz() -> tuple[dict[str, Any], int]:
    """Whether this process can serve: database, migrations, clock, backlog, disk. 503 with what is missing.

    A backlog is told but refuses nobody: pages can be served while events wait.
    """
    checks: dict[str, str] = {}
    try:
        db.session.execute(text("SELECT 1"))
        checks["database"] = "ok"
        checks["migrations"] = "ok" if current_revision() == latest_revision() else "behind"
        checks["clock"] = "ok" if _skew() < SKEW_LIMIT else "skewed"
        checks["backlog"] = "ok" if lag() < LAG_LIMIT else "behind"
    except SQLAlchemyError:
        checks["database"] = "unreachable"
    checks["disk"] = "ok" if shutil.disk_usage(ROOT).free > 50 * 1024 * 1024 else "full"
    fatal = any(checks.get(name, "ok") != "ok" for name in ("database", "migrations", "clock", "disk"))
    return {"status": "unready" if fatal else "ready", "checks": checks}, 503 if fatal else 200


@blueprint.get("/.well-known/security.txt")
def security_txt() -> Response:
    """RFC 9116: where to report a weakness."""
    from app.billing import offers

    settings = current_app.config["SETTINGS"]
    contact = offers.merchant().get("support_email", "security@localhost")
    expires = (clock.now() + timedelta(days=180)).strftime("%Y-%m-%dT00:00:00Z")
    lines = [
        f"Contact: mailto:{contact}",
        f"Expires: {expires}",
        "Preferred-Languages: en, de",
        f"Canonical: {settings.public_url}/.well-known/security.txt",
    ]
    return Response("\n".join(lines) + "\n", mimetype="text/plain")


def _skew() -> timedelta:
    """How far this machine's clock stands from the database server's; SQLite has this machine's."""
    if db.session.get_bind().dialect.name != "postgresql":
        return timedelta()
    return clock.skew(
        float(db.session.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
    )


def current_revision() -> str | None:
    return MigrationContext.configure(db.session.connection()).get_current_revision()


def latest_revision() -> str | None:
    return ScriptDirectory(str(ROOT / "migrations")).get_current_head()


def lag() -> timedelta:
    """How long the oldest waiting event has waited."""
    oldest = db.session.scalar(
        select(func.min(WebhookEvent.queued_at)).where(WebhookEvent.state == QueueState.WAITING)
    )
    return clock.now() - oldest if oldest else timedelta()
