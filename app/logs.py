"""Log lines: one JSON object each, with the request id, without personal data, secrets or card data."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

SECRET = re.compile(r"(\b(?:sk|rk|whsec|pk)_(?:test_|live_)?|_secret_)[A-Za-z0-9_+/=]{4,}")
# What opens a door although it looks like nothing: a password in an address, a header's token, a cookie, a link.
KEY = re.compile(
    r"(://[^\s/:@]{0,64}:)[^\s@/]{1,255}(?=@)"
    r"|(\b(?:Bearer|Basic)\s{1,4})[^\s\"',]{1,4096}"
    r"|(\b(?:session|remember_token)=)[^\s;\"',]{1,4096}"
    r"|(/reset/)[^\s\"'<>]{1,4096}",
    re.IGNORECASE,
)
EMAIL = re.compile(
    r"[^\s@\"'<>=:]{1,64}@[^\s@\"'<>]{1,255}\.[A-Za-z]{2,}"
)  # bounded: a long line costs no minutes
CARD = re.compile(r"\b\d(?:[ -]?\d){12,18}\b")
PRIVATE_KEYS = frozenset(
    {"email", "name", "password", "token", "card", "authorization", "cookie", "csrf_token"}
)


def redact(text: str) -> str:
    """`text` with addresses, keys and anything like a card number blanked."""
    text = SECRET.sub(r"\1[redacted]", text)
    text = KEY.sub(lambda found: "".join(filter(None, found.groups())) + "[redacted]", text)
    text = EMAIL.sub("[address]", text)
    return CARD.sub("[digits]", text)


def _redact_event(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if not key.startswith("_"):  # structlog's own
            event[key] = "[redacted]" if key in PRIVATE_KEYS else _clean(value)
    return event


def _clean(value: Any) -> Any:
    """Whatever a line holds, however deep, as what may be written."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {
            redact(str(key)): "[redacted]" if key in PRIVATE_KEYS else _clean(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    return redact(str(value))


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
