"""Log lines: one JSON object each, ours and every library's, without personal data, secrets or card numbers."""

from __future__ import annotations

import io
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from app import logs

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """What was logged since, line by line."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    structlog.contextvars.clear_contextvars()
    logs.configure("INFO")
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], level = before
    root.setLevel(level)
    structlog.contextvars.clear_contextvars()


def failing() -> None:
    raise ValueError("no mail to bo@example.com with sk_live_4eC39HqLyjWDarjtT1zdp7dc")


def test_a_line_is_one_object_with_its_request(lines: Lines) -> None:
    structlog.contextvars.bind_contextvars(request_id="req_1")
    structlog.get_logger("web").info("request", status=200, ms=1.5)
    logging.getLogger("other").warning("%s\nand %s", "one", "two")
    ours, theirs = lines()
    assert ours == {
        "event": "request", "level": "info", "logger": "web", "request_id": "req_1", "status": 200, "ms": 1.5,
        "timestamp": ours["timestamp"],
    }  # fmt: skip
    assert (theirs["event"], theirs["level"], theirs["request_id"]) == ("one\nand two", "warning", "req_1")


def test_a_trace_is_inside_its_line_and_clean(lines: Lines) -> None:
    for report in (structlog.get_logger("ours").exception, logging.getLogger("theirs").exception):
        try:
            failing()
        except ValueError:
            report("failed")
    found = lines()
    assert len(found) == 2
    for line in found:
        assert "ValueError: no mail to [address] with sk_live_[redacted]" in line["exception"]


SECRETS = [
    ("bo.buyer+x@example.co.uk", "[address]"),
    ("mailto:bo@example.com", "mailto:[address]"),
    ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "sk_live_[redacted]"),
    ("rk_test_abcdEFGH1234", "rk_test_[redacted]"),
    ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_[redacted]"),
    ("whsec_of_a_test", "whsec_[redacted]"),
    ("pi_3Abc_secret_Xyz789", "pi_3Abc_secret_[redacted]"),
    ("4242424242424242", "[digits]"),
    ("4242 4242 4242 4242", "[digits]"),
    ("4242-4242-4242-4242", "[digits]"),
    ("3782 822463 10005", "[digits]"),
]
PLAIN = [
    "ord_7KdWq2",
    "pi_3Abc",
    "cs_test_a1b2c3",
    "evt_1",
    "12.34",
    "2026-11-21T13:48:32.097070Z",
    "127.0.0.1",
]


@pytest.mark.parametrize(("text", "shown"), SECRETS)
def test_what_is_secret_is_blanked_wherever_it_stands(lines: Lines, text: str, shown: str) -> None:
    structlog.get_logger("x").info(
        f"about {text} here",
        plain=text,
        nested={"deep": [{"er": text}]},
        many=(text,),
        error=ValueError(text),
    )
    (line,) = lines()
    assert line["event"] == f"about {shown} here"
    assert line["plain"] == line["nested"]["deep"][0]["er"] == line["many"][0] == line["error"] == shown


@pytest.mark.parametrize("text", PLAIN)
def test_what_an_operator_looks_for_stays(text: str) -> None:
    assert logs.redact(text) == text


def test_fields_that_are_personal_by_name_are_blanked(lines: Lines) -> None:
    structlog.get_logger("x").info("x", email="odd", name="Bo", more={"card": {"last4": "4242"}, "kept": 1})
    (line,) = lines()
    assert (line["email"], line["name"], line["more"]) == (
        "[redacted]", "[redacted]", {"card": "[redacted]", "kept": 1},
    )  # fmt: skip


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)))  # fmt: skip
def test_whatever_is_logged_can_be_written(value: Any) -> None:
    logs._clean({"value": value})


def test_a_long_line_costs_no_time() -> None:
    began = time.perf_counter()
    for text in (
        "a" * 200_000,
        "a@" * 100_000,
        "1" * 200_000,
        "1 " * 100_000,
        "a@b." * 50_000,
        "sk_" * 60_000,
    ):
        logs.redact(text)
    assert time.perf_counter() - began < 5


def test_a_request_is_told_without_its_query(app: Flask, lines: Lines) -> None:
    answer = app.test_client().get("/help?email=bo@example.com", headers={"X-Request-Id": "given-id-1234"})
    assert answer.headers["X-Request-Id"] == "given-id-1234"
    (line,) = [line for line in lines() if line["event"] == "request"]
    assert (line["request_id"], line["endpoint"], line["status"]) == ("given-id-1234", "storefront.help", 200)
    assert "example" not in json.dumps(line)


@pytest.mark.parametrize(
    "given_id", ["short", "x" * 65, "spaces in it", 'quote"s-in-it', "<script>x</script>"]
)
def test_a_strange_request_id_is_replaced(app: Flask, given_id: str) -> None:
    answer = app.test_client().get("/healthz", headers={"X-Request-Id": given_id})
    assert answer.headers["X-Request-Id"].startswith("req_")
