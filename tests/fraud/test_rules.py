"""The rules: each fires exactly where it says, and the same signals always give the same verdict."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fraud import rules
from app.fraud.signals import Signals, network_of

NOBODY = Signals(visitor_hash="v", network_hash="n", recent_payments=1)

any_signals = st.builds(
    Signals,
    visitor_hash=st.text(max_size=64),
    network_hash=st.text(max_size=64),
    high_risk=st.booleans(),
    user_agent_length=st.integers(0, 8192),
    languages=st.integers(0, 99),
    usd_cents=st.none() | st.integers(0, 10**12) | st.integers(9_999_990, 10_000_010),
    recent_payments=st.integers(0, 20),
)


@given(any_signals)
def test_a_stored_decision_replays(signals: Signals) -> None:
    verdict, score, reasons = rules.judge(signals)
    assert rules.judge(Signals.restored(signals.stored())) == (verdict, score, reasons)
    assert rules.judge(signals) == (verdict, score, reasons)
    assert (verdict == "flag") == (score >= rules.FLAG_AT)
    assert 0 <= score <= 100
    assert (verdict == "allow") == (reasons == [])
    assert len(set(reasons)) == len(reasons)


@given(any_signals, st.sampled_from(["high_risk", "usd_cents", "recent_payments"]))
def test_more_of_a_signal_never_helps(signals: Signals, name: str) -> None:
    more = {"high_risk": True, "usd_cents": 10**12, "recent_payments": 100}[name]
    assert rules.judge(replace(signals, **{name: more}))[1] >= rules.judge(signals)[1] or (
        signals.usd_cents is None
    )


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({}, []),
        ({"usd_cents": 100_000_00}, []),
        ({"usd_cents": 100_000_01}, ["high_amount"]),
        ({"recent_payments": 5}, []),
        ({"recent_payments": 6}, ["rapid_payments"]),
        ({"high_risk": True}, ["suspicious_ip"]),
        ({"usd_cents": 10**9, "recent_payments": 6, "high_risk": True},
         ["high_amount", "rapid_payments", "suspicious_ip"]),
    ],
)  # fmt: skip
def test_a_reason_is_given_exactly_when_it_holds(change: dict[str, object], reasons: list[str]) -> None:
    assert rules.judge(replace(NOBODY, **change))[2] == reasons


def test_a_rule_that_fails_flags_and_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_signals: Signals) -> bool:
        raise ZeroDivisionError("no payments yet")

    broken = [rules.Rule("broken", 1, failing), rules.Rule("broken_too", 1, failing)]
    monkeypatch.setattr(rules, "RULES", (*broken, *rules.RULES))
    assert rules.judge(NOBODY) == ("flag", 50, ["screening_failed"])
    assert rules.judge(replace(NOBODY, high_risk=True)) == (
        "flag",
        100,
        ["screening_failed", "suspicious_ip"],
    )


def test_an_amount_nobody_could_count_flags() -> None:
    assert rules.judge(replace(NOBODY, usd_cents=None)) == ("flag", 50, ["screening_failed"])


def test_signals_of_another_release_are_read() -> None:
    stored = {**NOBODY.stored(), "velocity_of_tomorrow": 3}
    assert Signals.restored(stored) == NOBODY
    assert Signals.restored({"visitor_hash": "v", "network_hash": "n"}).recent_payments == 0


def test_signals_hold_nothing_personal() -> None:
    """Hashes, counts, amounts and marks; an address or a name has no place to be."""
    assert {field.name for field in fields(Signals)} == {
        "visitor_hash", "network_hash", "high_risk", "user_agent_length", "languages", "usd_cents",
        "recent_payments",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("", ""),
        ("203.0.113.77:4711", "203.0.113.77:4711"),
    ],
)
def test_an_address_stands_for_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


@given(st.ip_addresses().map(str) | st.text(max_size=60))
def test_no_address_is_too_strange(address: str) -> None:
    network_of(address)
