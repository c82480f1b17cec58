"""Canaries: whatever must not be kept is written to the log in every way there is, and none comes out."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from app import logs
from app.config import Settings

# What is written, and the tell-tale part of it that must not come out.
CANARIES = {
    "card number": ("4242424242424242", "42424242"),
    "card number in groups": ("4242 4242 4242 4242", "4242 4242"),
    "card number with dashes": ("5555-5555-5555-4444", "5555-5555"),
    "American Express": ("378282246310005", "37828"),
    "email address": ("amara.okafor@example.com", "okafor"),
    "address with umlauts": ("zoë.müller+shop@bücher.example", "müller"),
    "secret key": ("sk_live_51HxQ2eKs9dLmN3oP", "51HxQ2"),
    "test key with underscores": ("sk_test_countinghouse_canary", "canary"),
    "restricted key": ("rk_live_9aB8cD7eF6gH5iJ4", "9aB8cD"),
    "webhook secret": ("whsec_dGhpcyBpcyBhIHNlY3JldA+/xyz", "xyz"),
    "client secret": ("pi_3QabcdEfGh_secret_VerySecretPart", "VerySecretPart"),
    "database password": ("postgresql+psycopg://shop:hunter2canary@db.internal/shop", "hunter2canary"),
    "database password on this machine": ("postgresql+psycopg://shop:hunter2canary@localhost/shop", "hunter2canary"),
    "bearer token": ("Authorization: Bearer eyJhbGciOi.canary.token", "canary"),
    "reset link": ("https://shop.example.com/reset/WyJjMzM2MGYxNSJd.awGYpQ.canarytoken", "canarytoken"),
    "session cookie": ("Cookie: session=.eJwlzjcanarycookie", "canarycookie"),
}  # fmt: skip


Said = Callable[[], list[str]]


@pytest.fixture
def said() -> Iterator[Said]:
    """Logging as a process sets it up, and the lines written since the last look."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    structlog.contextvars.clear_contextvars()
    stream = io.StringIO()
    _listen(stream)

    def since() -> list[str]:
        lines = stream.getvalue().splitlines()
        stream.seek(0)
        stream.truncate()
        return lines

    yield since
    root.handlers[:] = before
    root.setLevel(level)


def _listen(stream: io.StringIO) -> None:
    logs.configure("INFO")
    [handler] = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)


def raised(text: str) -> Exception:
    try:
        raise RuntimeError(text)
    except RuntimeError as error:
        return error


def ways(text: str) -> dict[str, Callable[[], Any]]:
    ours, library = structlog.get_logger("tests"), logging.getLogger("a.library")
    return {
        "as the event": lambda: ours.warning(text),
        "as a field": lambda: ours.warning("event", detail=f"before {text} after"),
        "in a list": lambda: ours.warning("event", details=[1, {"deep": [text]}]),
        "as a key": lambda: ours.warning("event", details={text: 1}),
        "as an error": lambda: ours.warning("event", error=RuntimeError(text)),
        "in a traceback": lambda: ours.warning("event", exc_info=raised(text)),
        "as bytes": lambda: ours.warning("event", body=text.encode()),
        "in a library's line": lambda: library.warning("failed for %s", text),
        "in a library's traceback": lambda: library.error("failed", exc_info=raised(text)),
    }


@pytest.mark.parametrize("name", CANARIES)
def test_no_canary_comes_out(said: Said, name: str) -> None:
    text, telltale = CANARIES[name]
    out = []
    for way, write in ways(text).items():
        write()
        [line] = said()
        kept = json.dumps(json.loads(line), ensure_ascii=False)
        if telltale in kept or telltale in kept.encode().decode("unicode_escape"):
            out.append(f"{way}: {kept[:400]}")
    assert not out, "\n".join(out)


def test_what_is_needed_stays(said: Said) -> None:
    needed = {
        "order": "ord_7Kd2mXq41T", "amount": 290000, "at": "2026-11-21T13:35:04.138505Z", "ms": 3.9,
        "intent": "pi_3QabcdEfGhIjKlMnOpQrStUv", "event_id": "evt_1Q2w3E4r5T6y7U8i", "problems": ["total_mismatch"],
        "request_id": "req_9e13726217f46f866987", "created": 1795267353, "session": "cs_test_a1B2c3D4e5F6",
        "path": "/webhooks/stripe", "url": "http://127.0.0.1:4242/v1/charges",
    }  # fmt: skip
    structlog.get_logger("tests").info("order_held", **needed)
    [written] = said()
    line = json.loads(written)
    assert {name: line[name] for name in needed} == needed


def test_a_requests_line_tells_neither_address_nor_query(settings: Settings) -> None:
    from app import create_app

    app = create_app(settings)  # which sets up logging
    stream = io.StringIO()
    _listen(stream)
    answer = app.test_client().get("/nope?email=amara@example.com", headers={"Cookie": "a=canary"})
    [line] = [line for line in map(json.loads, stream.getvalue().splitlines()) if line["event"] == "request"]
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert (line["method"], line["status"], line["endpoint"]) == ("GET", 404, "none")
    for word in ("amara", "canary", "127.0.0.1", "nope"):
        assert word not in json.dumps(line)
