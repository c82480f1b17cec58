"""The calendar of subscriptions, in UTC: when the n-th period ends, whatever the length of months.

A period that begins on the 31st ends on the last day of shorter months and returns to the 31st after them.
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

from app.simulator.registry import Doc

# Moments beyond it are refused where they come in, so that no period ends after the calendar does.
LAST = 7258118400  # 1 January 2200
_LONGEST = {"day": 1095, "week": 156, "month": 36, "year": 3}
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}


def after(anchor: int, interval: str, count: int) -> int:
    """The moment `count` intervals after `anchor` (before it, when negative)."""
    start = datetime.fromtimestamp(anchor, UTC)
    if interval in _DAYS:
        return int((start + timedelta(days=_DAYS[interval] * count)).timestamp())
    months = start.year * 12 + start.month - 1 + _MONTHS[interval] * count
    year, month = divmod(months, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return int(start.replace(year=year, month=month + 1, day=day).timestamp())


def too_long(recurring: Doc) -> bool:
    """Whether an interval is longer than the three years Stripe allows, or none at all."""
    return not 0 < recurring.get("interval_count", 1) <= _LONGEST[recurring["interval"]]


def boundary(anchor: int, recurring: Doc, moment: int) -> int:
    """The first end of a period later than `moment`, counted from `anchor`, which may lie on either side."""
    interval, step = recurring["interval"], recurring["interval_count"]
    n = _whole(anchor, moment, interval) // step
    while after(anchor, interval, n * step) > moment:
        n -= 1
    while after(anchor, interval, n * step) <= moment:
        n += 1
    return after(anchor, interval, n * step)


def start_of(anchor: int, recurring: Doc, end: int) -> int:
    """The beginning of the whole period that ends at the boundary `end`."""
    interval, step = recurring["interval"], recurring["interval_count"]
    n = _whole(anchor, end, interval) // step + 2
    while after(anchor, interval, n * step) >= end:
        n -= 1
    return after(anchor, interval, n * step)


def configured(now: int, config: Doc, recurring: Doc) -> int:
    """The first moment from now on with the day of month (and month, for years) and time of day asked for."""
    moment = datetime.fromtimestamp(now, UTC)
    clock = {k: config.get(k, getattr(moment, k)) for k in ("hour", "minute", "second")}
    month = config.get("month", moment.month) if recurring["interval"] == "year" else moment.month
    step = 12 if recurring["interval"] == "year" else 1
    for n in range(0, 25, step):
        year, index = divmod(moment.year * 12 + month - 1 + n, 12)
        day = min(config["day_of_month"], calendar.monthrange(year, index + 1)[1])
        found = int(datetime(year, index + 1, day, tzinfo=UTC, **clock).timestamp())
        if found >= now:
            return found
    return now


def _whole(anchor: int, moment: int, interval: str) -> int:
    """About how many intervals lie between the two: an estimate to begin counting from."""
    if interval in _DAYS:
        return (moment - anchor) // (86400 * _DAYS[interval])
    first, last = (datetime.fromtimestamp(t, UTC) for t in (anchor, moment))
    return ((last.year - first.year) * 12 + last.month - first.month) // _MONTHS[interval]


def share(amount: int, start: int, moment: int, end: int) -> int:
    """The part of `amount` that the time from `moment` to `end` is of the period: rounded down, also below zero."""
    whole = end - start
    return amount * min(max(end - moment, 0), whole) // whole if whole > 0 else 0
