"""The rules: each a reason code, the points it adds, and when it fires. Changing one raises VERSION."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from app.fraud.signals import Signals

log = structlog.get_logger("fraud")

VERSION = "1"
HIGH_AMOUNT_USD_CENTS = 100_000_00
RAPID_PAYMENTS = 5
RAPID_WINDOW_SECONDS = 3600
FLAG_AT = 50


@dataclass(frozen=True)
class Rule:
    code: str
    points: int
    fires: Callable[[Signals], bool]


def _high_amount(signals: Signals) -> bool:
    if signals.usd_cents is None:
        raise ValueError("the order's worth is not known")
    return signals.usd_cents > HIGH_AMOUNT_USD_CENTS


RULES = (
    Rule("high_amount", 60, _high_amount),
    Rule("rapid_payments", 50, lambda signals: signals.recent_payments > RAPID_PAYMENTS),
    Rule("suspicious_ip", 50, lambda signals: signals.high_risk),
)
# In place of a rule that cannot be told: what was not screened is never allowed in silence.
NOT_SCREENED = Rule("screening_failed", FLAG_AT, lambda _signals: True)


def judge(signals: Signals) -> tuple[str, int, list[str]]:
    """Verdict, score (0 to 100) and reason codes; the same signals always give the same."""
    outcomes = [_outcome(rule, signals) for rule in RULES]
    fired = list(dict.fromkeys(rule for rule in outcomes if rule is not None))
    score = min(100, sum(rule.points for rule in fired))
    return ("flag" if score >= FLAG_AT else "allow"), score, [rule.code for rule in fired]


def _outcome(rule: Rule, signals: Signals) -> Rule | None:
    try:
        return rule if rule.fires(signals) else None
    except Exception:
        log.exception("rule_failed", rule=rule.code)
        return NOT_SCREENED
