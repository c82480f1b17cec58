"""The rules: each a reason code, the points it adds, and when it fires. Changing one raises VERSION."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.fraud.signals import Signals

VERSION = "1"
HIGH_AMOUNT_USD_CENTS = 100_000_00
RAPID_PAYMENTS = 5
RAPID_WINDOW_SECONDS = 3600


@dataclass(frozen=True)
class Rule:
    code: str
    points: int
    fires: Callable[[Signals], bool]


RULES = (
    Rule("high_amount", 60, lambda signals: signals.usd_cents > HIGH_AMOUNT_USD_CENTS),
    Rule("rapid_payments", 50, lambda signals: signals.recent_payments > RAPID_PAYMENTS),
    Rule("suspicious_ip", 50, lambda signals: signals.high_risk),
)
FLAG_AT = 50


def judge(signals: Signals) -> tuple[str, int, list[str]]:
    """Verdict, score (0 to 100) and reason codes; the same signals always give the same."""
    fired = [rule for rule in RULES if rule.fires(signals)]
    score = min(100, sum(rule.points for rule in fired))
    return ("flag" if score >= FLAG_AT else "allow"), score, [rule.code for rule in fired]
