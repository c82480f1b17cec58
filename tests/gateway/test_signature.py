"""Stripe-Signature: what Stripe signs is taken, freshly; nothing else, however it is spelt."""

from __future__ import annotations

from datetime import timedelta

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st
from stripe import WebhookSignature

from app import clock
from app.gateway import RefusedSignature, verify

OLD, NEW = "whsec_old_secret_of_ours", "whsec_new_secret_of_ours"
BODY = '{"id": "evt_1", "object": "event", "note": "Zażółć 漢字 🎟"}'


def signature(at: int, body: str = BODY, secret: str = OLD) -> str:
    """The hex digest Stripe would put after `v1=`."""
    return WebhookSignature.generate_signature_header(body, secret, at).partition("v1=")[2]


def accepted(header: str, body: bytes = BODY.encode(), tolerance: int = 300) -> bool:
    try:
        verify(body, header, (NEW, OLD), tolerance=tolerance)
    except RefusedSignature:
        return False
    return True


def table() -> list[tuple[str, str, bool]]:
    now = clock.timestamp()
    good = signature(now)
    past, future = now - 301, now + 302
    return [
        ("as Stripe sends it", f"t={now},v1={good}", True),
        ("with the test scheme beside it", f"t={now},v1={good},v0={'0' * 64}", True),
        ("several v1 while a secret is rolled", f"t={now},v1={'0' * 64},v1={good}", True),
        ("by the newer secret", f"t={now},v1={signature(now, secret=NEW)}", True),
        ("the time at the end", f"v1={good},t={now}", True),
        ("just young enough", f"t={now - 290},v1={signature(now - 290)}", True),
        ("a clock a little ahead", f"t={now + 290},v1={signature(now + 290)}", True),
        ("too old", f"t={past},v1={signature(past)}", False),
        ("from the future", f"t={future},v1={signature(future)}", False),
        ("v0 only", f"t={now},v0={good}", False),
        ("no signature", f"t={now}", False),
        ("no time", f"v1={good}", False),
        ("another time than the signed one", f"t={now - 1},v1={good}", False),
        ("somebody else's secret", f"t={now},v1={signature(now, secret='whsec_theirs')}", False),
        ("another body's", f"t={now},v1={signature(now, BODY + ' ')}", False),
        ("upper case", f"t={now},v1={good.upper()}", False),
        ("a fresh time before an old signature's", f"v0=, t={now},t={past},v1={signature(past)}", False),
        ("a fresh time after an old signature's", f"t={past},t={now},v1={signature(past)}", False),
        ("a fresh time, spaced, after", f"t={past}, t={now},v1={signature(past)}", False),
        ("the same time twice", f"t={now},t={now},v1={good}", False),
        ("time with a sign", f"t=+{now},v1={good}", False),
        ("time with an underscore", f"t={now // 1000}_{now % 1000:03},v1={good}", False),
        ("time in other digits", f"t={str(now).translate(ARABIC)},v1={good}", False),
        ("time with a point", f"t={now}.0,v1={good}", False),
        ("endless time", f"t={'9' * 4000},v1={good}", False),
        ("not ASCII", f"t={now},v1={good[:-1]}é", False),
        ("not ASCII beside it", f"t={now},v1={good},v1=é", False),
        ("empty", "", False),
        ("commas", ",,,", False),
    ]


ARABIC = {ord(str(digit)): 0x0660 + digit for digit in range(10)}


@pytest.mark.parametrize("name", [row[0] for row in table()])
def test_a_header(name: str) -> None:
    (header, wanted), *_ = [(header, wanted) for found, header, wanted in table() if found == name]
    assert accepted(header) is wanted
    if wanted:  # the SDK agrees
        stripe.Webhook.construct_event(
            BODY, header, NEW if signature(clock.timestamp(), secret=NEW) in header else OLD
        )


def test_no_secret_opens_nothing() -> None:
    now = clock.timestamp()
    with pytest.raises(RefusedSignature):
        verify(BODY.encode(), f"t={now},v1={signature(now)}", (), tolerance=300)
    empty = WebhookSignature.generate_signature_header(BODY, "", now)
    with pytest.raises(RefusedSignature):
        verify(BODY.encode(), empty, ("",), tolerance=300)


def test_the_bytes_are_what_is_signed() -> None:
    now = clock.timestamp()
    header = f"t={now},v1={signature(now)}"
    assert accepted(header)
    assert not accepted(header, BODY.encode() + b"\n")
    assert not accepted(header, BODY.encode("utf-16"))
    assert not accepted(header, b"\xff" + BODY.encode())


def test_age_is_told_by_our_clock() -> None:
    at = clock.timestamp() + 86_400
    header = f"t={at},v1={signature(at)}"
    assert not accepted(header)
    clock.travel_to(timedelta(days=1))
    try:
        assert accepted(header)
    finally:
        clock.travel_to(timedelta())


@given(st.text(max_size=200), st.binary(max_size=50))
def test_whatever_stands_there_is_refused_quietly(header: str, body: bytes) -> None:
    assert not accepted(header, body)


@given(st.lists(st.sampled_from(["t=1", "v1=x", " t=2", "t=", "v1", "=", "t", "v0=1", "é"]), max_size=6))
def test_pieces_of_a_header_are_refused_quietly(pieces: list[str]) -> None:
    assert not accepted(",".join(pieces))
