"""What a merchant sets in Stripe's Dashboard and the API cannot: kept with the store, turned under /_sim/settings."""

from __future__ import annotations

from typing import Any

import orjson

from app.simulator.errors import invalid
from app.simulator.transaction import Transaction

DEFAULTS: dict[str, Any] = {
    # Days between one attempt at a failing invoice and the next: eight retries in two weeks.
    "dunning_retries": [1, 1, 2, 2, 2, 2, 2, 2],
    # What becomes of a subscription whose last attempt failed: cancel, unpaid, past_due or pause.
    "dunning_end": "cancel",
    # How many days before a renewal invoice.upcoming tells of it.
    "upcoming_days": 7,
}
ENDS = ("cancel", "unpaid", "past_due", "pause")


def get(tx: Transaction, key: str) -> Any:
    """The value of a setting."""
    row = tx.sql.execute("SELECT value FROM meta WHERE key = ?", (f"setting.{key}",)).fetchone()
    return DEFAULTS[key] if row is None else orjson.loads(row[0])


def every(tx: Transaction) -> dict[str, Any]:
    """All settings with their values."""
    return {key: get(tx, key) for key in DEFAULTS}


def change(tx: Transaction, given: dict[str, Any]) -> dict[str, Any]:
    """Keep new values; raises 400 for a setting there is not and for a value it cannot have."""
    for key, value in given.items():
        if key not in DEFAULTS or not _possible(key, value):
            raise invalid(f"no such setting, or no such value of it: {key}", key)
        tx.sql.execute(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"setting.{key}", orjson.dumps(value).decode())
        )
    return every(tx)


def _possible(key: str, value: Any) -> bool:
    if key == "dunning_end":
        return value in ENDS
    if key == "upcoming_days":
        return type(value) is int and 0 <= value <= 60
    return isinstance(value, list) and len(value) <= 20 and all(type(d) is int and 0 < d <= 60 for d in value)
