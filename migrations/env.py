"""Alembic's environment: the application's engine, one transaction a migration, batch mode for SQLite."""

from __future__ import annotations

from typing import Any

from alembic import context
from flask import current_app

from app.extensions import mean_to_write

database = current_app.extensions["migrate"].db


def _renders(_type: str, item: Any, _autogen: Any) -> str | bool:
    """Column types of ours are written as the plain types they are stored as."""
    if _type == "type" and type(item).__module__.startswith(("app.", "flask_security.")):
        return "sa.DateTime(timezone=True)" if hasattr(item.impl, "timezone") else f"sa.{item.impl!r}"
    return False


def run() -> None:
    """Upgrade or downgrade over one connection."""
    mean_to_write()
    with database.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            # A migration may take its time, but nobody waits behind its lock: it gives up and is run again.
            connection.exec_driver_sql("SET statement_timeout = 0")
            connection.exec_driver_sql("SET lock_timeout = '2s'")
            connection.commit()
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            render_as_batch=True,
            compare_type=True,
            compare_server_default=True,
            render_item=_renders,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
