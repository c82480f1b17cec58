"""The extensions, created here and bound in create_app; and how a transaction begins on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from flask_babel import Babel
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_migrate import Migrate
from flask_security import Security
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import Engine, MetaData, event
from sqlalchemy.orm import DeclarativeBase

# Whether the transaction that begins next means to write; see the rule on SQLite in docs/architecture.md.
_writing: ContextVar[bool] = ContextVar("writing", default=False)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


# What a transaction wrote stays readable after its commit: no route reloads a row only to name it.
db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})
if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model

migrate = Migrate()
csrf = CSRFProtect()
babel = Babel()
security = Security()
limiter = Limiter(key_func=get_remote_address, headers_enabled=True)


def mean_to_write(intent: bool = True) -> None:
    """Transactions that begin from here on, in this request or thread, mean to write (or not)."""
    _writing.set(intent)


@contextmanager
def writing() -> Iterator[None]:
    """A GET that has to write ends its read transaction and begins one that writes."""
    db.session.rollback()
    token = _writing.set(True)
    try:
        yield
    finally:
        _writing.reset(token)


def wrote() -> bool:
    """Whether this session's transaction holds changes that are not committed."""
    session = db.session()
    return bool(session.new or session.dirty or session.deleted or session.info.get("wrote"))


def leave_transaction() -> None:
    """End a transaction that only read, before something slow; refuses to drop what was written."""
    if wrote():
        raise RuntimeError("nothing calls Stripe inside a transaction: commit first")
    db.session.rollback()


@event.listens_for(db.session, "after_flush")
def _flushed(session: Any, _context: Any) -> None:
    session.info["wrote"] = True


@event.listens_for(db.session, "do_orm_execute")
def _executed(state: Any) -> None:
    if not state.is_select:
        state.session.info["wrote"] = True


@event.listens_for(db.session, "after_transaction_end")
def _ended(session: Any, transaction: Any) -> None:
    if transaction.parent is None:
        session.info.pop("wrote", None)


def engine_options(database_url: str) -> dict[str, Any]:
    """Bounds on what one request may wait for, by kind of database."""
    if database_url.startswith("sqlite"):
        return {"connect_args": {"timeout": 10, "check_same_thread": False}}
    return {
        "pool_size": 10,
        "max_overflow": 10,
        "pool_timeout": 5,
        "pool_recycle": 1800,
        "pool_pre_ping": True,
        "connect_args": {
            "connect_timeout": 5,
            "options": "-c statement_timeout=10000 -c lock_timeout=5000 -c timezone=UTC",
        },
    }


def prepare_engine(engine: Engine) -> None:
    """SQLite: WAL, foreign keys, and BEGIN IMMEDIATE for whoever means to write.

    A read transaction that turns into a write fails at once when another writer came between, whatever
    the timeout; one that begins as a writer waits its turn.
    """
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL", "busy_timeout=10000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if _writing.get() else "BEGIN")
