"""Log lines: one JSON object each, with the request id, without personal data, secrets or card data."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

SECRET = re.compile(r"\b((?:sk|rk|whsec|pk)_(?:test_|live_)?)[A-Za-z0-9]{4,}")
EMAIL = re.compile(r"[^\s@\"'<>=:]+@[^\s@\"'<>]+\.[A-Za-z]{2,}")
CARD = re.compile(r"\b\d(?:[ -]?\d){12,18}\b")
PRIVATE_KEYS = frozenset(
    {"email", "name", "password", "token", "card", "authorization", "cookie", "csrf_token"}
)


def redact(text: str) -> str:
    """`text` with addresses, keys and anything like a card number blanked."""
    text = SECRET.sub(r"\1[redacted]", text)
    text = EMAIL.sub("[address]", text)
    return CARD.sub("[digits]", text)


def _redact_event(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key in PRIVATE_KEYS:
            event[key] = "[redacted]"
        elif isinstance(value, str):
            event[key] = redact(value)
    return event


def configure(level: str) -> None:
    """Send our own lines and the standard library's through one JSON stream on stderr."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(
                    serializer=lambda event, **_: orjson.dumps(event, default=str).decode()
                ),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("urllib3", "alembic", "stripe", "fontTools", "css_inline", "flask-limiter"):
        logging.getLogger(chatty).setLevel("WARNING")
