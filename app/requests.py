"""Around every request: its id, its log line, and whether its transactions mean to write."""

from __future__ import annotations

import re
import secrets
import time

import structlog
from flask import Flask, Response, abort, g, request

from app.extensions import mean_to_write

log = structlog.get_logger("web")
GIVEN_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


def init_app(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if GIVEN_ID.fullmatch(given) else "req_" + secrets.token_hex(10)
    g.began = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)
    mean_to_write(request.method not in ("GET", "HEAD", "OPTIONS"))
    if "\x00" in request.path or b"%00" in request.query_string:
        abort(400)  # no address holds a NUL, and PostgreSQL takes none in a text


def _end(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.get("request_id", "")
    if request.endpoint != "static":
        log.info(
            "request",
            method=request.method,
            endpoint=request.endpoint or "none",
            status=response.status_code,
            ms=round((time.perf_counter() - g.get("began", time.perf_counter())) * 1000, 1),
        )
    return response
