"""What every noun shares: column types, Money as a property, states with a transition table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, DateTime, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from app.money import Money

# Wide keys on PostgreSQL; SQLite's rowid is an INTEGER and 64 bits wide anyway.
BigKey = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON().with_variant(JSONB(), "postgresql")


class Utc(TypeDecorator[datetime]):
    """An aware UTC moment; a naive one is refused rather than guessed at."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored moment needs a time zone; take it from clock.now()")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class StrictText(TypeDecorator[str]):
    """Text without NUL, which PostgreSQL cannot hold."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else value.replace("\x00", "")


def money(column: str) -> Any:
    """`total = money("total_amount")`: Money over an integer column and the row's one `currency`."""

    def read(self: Any) -> Money | None:
        amount = getattr(self, column)
        return None if amount is None else Money(amount, self.currency)

    def write(self: Any, value: Money | None) -> None:
        if value is not None and value.currency != self.currency:
            raise ValueError(f"this row counts in {self.currency}, not in {value.currency}")
        setattr(self, column, None if value is None else value.amount)

    return property(read, write)


class WrongTransition(ValueError):
    """A state was asked for that the present one does not lead to."""


class Stateful:
    """A row with a `state` and, beside its enum, the table of what may follow what."""

    TRANSITIONS: ClassVar[dict[Any, tuple[Any, ...]]]
    state: Any

    def can_move_to(self, state: str) -> bool:
        return state in self.TRANSITIONS[self.state]

    def change_state(self, state: str) -> bool:
        """Move to `state`; False when already there. Raises WrongTransition where no arrow leads."""
        if self.state == state:
            return False
        if not self.can_move_to(state):
            raise WrongTransition(f"{type(self).__name__} {self.state} does not lead to {state}")
        self.state = state
        return True
