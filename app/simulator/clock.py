"""The simulated clock: real time plus an offset that only grows, or a time that stands still until it is moved."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Unix seconds as this Stripe sees them."""

    def __init__(self, start: int | None = None) -> None:
        self.start = start
        self.offset = float(start or 0)

    @property
    def frozen(self) -> bool:
        """Whether time passes only when it is moved."""
        return self.start is not None

    def now(self) -> float:
        """Seconds since the epoch, with fractions while the clock runs."""
        return self.offset if self.frozen else time.time() + self.offset

    def reach(self, moment: float) -> None:
        """Make it at least `moment`; a moment that has passed changes nothing."""
        self.offset += max(0.0, moment - self.now())

    def reset(self) -> None:
        """Back to real time, or to where it stood at first."""
        self.offset = float(self.start or 0)

    def month(self) -> tuple[int, int]:
        """This year and month, in UTC."""
        moment = datetime.fromtimestamp(self.now(), UTC)
        return moment.year, moment.month
