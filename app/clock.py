"""The only clock. Every process of a local shop travels together; production's time is the machine's.

The offset is in the database's `shop` row; outside production a Follower keeps each process to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

_offset = timedelta()


def now() -> datetime:
    """This moment, in aware UTC."""
    return datetime.now(UTC) + _offset


def timestamp() -> int:
    """This moment in whole seconds since 1970, the unit of Stripe's `created`."""
    return int(now().timestamp())


def from_timestamp(seconds: int) -> datetime:
    """The aware UTC moment of one of Stripe's timestamps."""
    return datetime.fromtimestamp(seconds, UTC)


def skew(seconds: float) -> timedelta:
    """How far another machine's clock, at `seconds` since 1970, stands from this machine's own."""
    return abs(datetime.fromtimestamp(seconds, UTC) - datetime.now(UTC))


def zone(name: str) -> tzinfo:
    """The merchant's time zone by its name; UTC where the name is empty or this machine does not know it."""
    try:
        return ZoneInfo(name) if name else UTC
    except (LookupError, ValueError, OSError):
        return UTC


def travel_to(offset: timedelta) -> None:
    """Set how far this process's clock stands from the machine's."""
    global _offset
    _offset = offset


class Follower:
    """Takes over the shared offset, looking at most once a second (`read` is a database query)."""

    def __init__(self, read: Callable[[], timedelta]) -> None:
        self.read = read
        self.looked = -1.0

    def __call__(self) -> None:
        if time.monotonic() - self.looked >= 1:
            travel_to(self.read())
            self.looked = time.monotonic()
