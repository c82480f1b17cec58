"""The calendar of subscriptions as tables: ends of months, leap days, turns of the year, shares of a period."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.simulator.engines import periods


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("anchor", "interval", "count", "ends"),
    [
        ("2026-01-31", "month", 1, ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        ("2026-01-30", "month", 1, ["2026-02-28", "2026-03-30", "2026-04-30"]),
        ("2026-01-29", "month", 1, ["2026-02-28", "2026-03-29", "2026-04-29"]),
        ("2028-01-31", "month", 1, ["2028-02-29", "2028-03-31"]),
        ("2028-02-29", "year", 1, ["2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]),
        ("2026-11-30T23:59:59", "month", 3, ["2027-02-28T23:59:59", "2027-05-30T23:59:59"]),
        ("2026-12-31T12:00:00", "month", 1, ["2027-01-31T12:00:00", "2027-02-28T12:00:00"]),
        ("2026-12-28", "week", 2, ["2027-01-11", "2027-01-25"]),
        ("2028-02-28", "day", 1, ["2028-02-29", "2028-03-01"]),
        ("2026-08-31", "month", 6, ["2027-02-28", "2027-08-31"]),
    ],
)
def test_periods_end_where_the_anchor_says(anchor: str, interval: str, count: int, ends: list[str]) -> None:
    recurring = {"interval": interval, "interval_count": count}
    moment = at(anchor)
    for end in ends:
        following = periods.boundary(at(anchor), recurring, moment)
        assert following == at(end)
        assert periods.start_of(at(anchor), recurring, following) == moment
        moment = following


@given(
    st.integers(0, 4_000_000_000),
    st.sampled_from(["day", "week", "month", "year"]),
    st.integers(1, 12),
    st.integers(-200_000_000, 200_000_000),
)
def test_a_boundary_is_the_first_after_its_moment(anchor: int, interval: str, count: int, away: int) -> None:
    recurring = {"interval": interval, "interval_count": count}
    moment = anchor + away
    end = periods.boundary(anchor, recurring, moment)
    start = periods.start_of(anchor, recurring, end)
    assert start <= moment < end


@pytest.mark.parametrize(
    ("amount", "start", "moment", "end", "share"),
    [
        (5, 0, 5, 10, 2), (-5, 0, 5, 10, -3), (9, 0, 5, 10, 4), (-9, 0, 5, 10, -5), (1000, 0, 0, 10, 1000),
        (1000, 0, 10, 10, 0), (-1000, 0, 10, 10, 0), (0, 0, 5, 10, 0), (1000, 0, -5, 10, 1000), (7, 3, 3, 3, 0),
    ],
)  # fmt: skip
def test_shares_are_floored(amount: int, start: int, moment: int, end: int, share: int) -> None:
    assert periods.share(amount, start, moment, end) == share
