"""Failures on order: the next N API requests that match answer wrongly, late, or not at all."""

from __future__ import annotations

import fnmatch
import socket
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

from app.simulator.errors import StripeError

STATUSES = {
    429: ("Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
          "rate_limit_error", "rate_limit"),
    409: ("This object cannot be accessed right now because another API request or Stripe process is currently "
          "accessing it.", "invalid_request_error", "lock_timeout"),
    500: ("An unknown error occurred", "api_error", None),
    503: ("Stripe is temporarily unavailable.", "api_error", None),
}  # fmt: skip
KINDS = ("status", "html502", "truncate", "delay", "reset_before", "reset_after")


@dataclass
class Fault:
    """`kind` is one of KINDS; `status` and `should_retry` belong to kind status, `seconds` to delay. With
    `executed` a status is answered after the request has done its work, and is what its key replays."""

    kind: str
    method: str = "*"
    path: str = "*"
    times: int = 1
    status: int = 500
    seconds: float = 0.0
    should_retry: bool | None = None
    executed: bool = False


class Dropped(Exception):
    """The connection is to be cut without an answer."""


class Faults:
    """The failures still to come. Safe to share between threads."""

    def __init__(self) -> None:
        self._pending: list[Fault] = []
        self._lock = threading.Lock()

    def order(self, fault: Fault) -> None:
        """Have the next `fault.times` matching requests fail."""
        with self._lock:
            self._pending.append(fault)

    def clear(self) -> None:
        """Forget what was ordered."""
        with self._lock:
            self._pending.clear()

    def listed(self) -> list[dict[str, Any]]:
        """What is still to come."""
        with self._lock:
            return [asdict(f) for f in self._pending]

    def take(self, method: str, path: str) -> Fault | None:
        """The failure this request is to suffer, counted off."""
        if not self._pending:
            return None
        with self._lock:
            for fault in self._pending:
                if fault.method in ("*", method) and fnmatch.fnmatchcase(path, fault.path):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._pending.remove(fault)
                    return fault
        return None


def before(fault: Fault) -> None:
    """What happens to the request before it is executed."""
    if fault.kind == "delay":
        time.sleep(fault.seconds)
    elif fault.kind == "reset_before":
        raise Dropped
    elif fault.kind == "status" and not fault.executed:
        raise failure(fault)


def failure(fault: Fault) -> StripeError:
    """The error a `status` fault answers."""
    message, kind, code = STATUSES.get(fault.status, STATUSES[500])
    headers = {} if fault.should_retry is None else {"Stripe-Should-Retry": str(fault.should_retry).lower()}
    return StripeError(fault.status, message, kind=kind, code=code, headers=headers)


def cut(environ: dict[str, Any], beginning: bytes = b"") -> None:
    """Send `beginning`, if anything, and close the connection under the server's feet."""
    connection = environ.get("gunicorn.socket")
    if isinstance(connection, socket.socket):
        if beginning:
            connection.sendall(beginning)
        connection.shutdown(socket.SHUT_RDWR)
