"""The client: pinned version, explicit timeouts, retries on; built lazily in each process, after fork."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import reduce
from threading import Lock
from typing import Any

import stripe

from app.extensions import leave_transaction
from app.gateway.errors import translate

API_VERSION = stripe.api_version
# Seconds to connect, to answer: somebody waits before a pressed button. What fails is kept and can be pressed again.
TIMEOUT = (3.0, 8.0)
RETRIES = 1

_settings: tuple[str, str] = ("", "")
_client: stripe.StripeClient | None = None
_client_pid = 0
_lock = Lock()


def configure(secret_key: str, api_base: str) -> None:
    """Remember where Stripe is; no connection is made."""
    global _settings
    close()
    _settings = (secret_key, api_base)
    stripe.enable_telemetry = False


def close() -> None:
    """Forget the client; the next call builds a new one."""
    global _client
    _client = None


def client() -> stripe.StripeClient:
    """This process's client. A client that came through a fork shares its sockets, so it is not used."""
    global _client, _client_pid
    with _lock:
        if _client is None or _client_pid != os.getpid():
            key, base = _settings
            _client = stripe.StripeClient(
                key,
                base_addresses={"api": base},
                stripe_version=API_VERSION,
                http_client=stripe.RequestsClient(timeout=TIMEOUT),
                max_network_retries=RETRIES,
            )
            _client_pid = os.getpid()
        return _client


def method(operation: str) -> Any:
    """The SDK's method behind a name such as `checkout.sessions.create`."""
    return reduce(getattr, operation.split("."), client().v1)


def ask(operation: str, *arguments: Any, **options: Any) -> Any:
    """Run one of the SDK's methods; its errors come out as StripeFailure."""
    try:
        return method(operation)(*arguments, **options)
    except stripe.StripeError as error:
        raise translate(error) from error


def fetch(operation: str, object_id: str, expand: tuple[str, ...] = ()) -> dict[str, Any]:
    """Read one object, `fetch("checkout.sessions.retrieve", "cs_…")`. Raises StripeFailure."""
    leave_transaction()
    return plain(ask(operation, object_id, params={"expand": list(expand)} if expand else {}))


def account() -> dict[str, Any]:
    """The account the key belongs to. Raises StripeFailure."""
    leave_transaction()
    return plain(ask("accounts.retrieve_current"))


def listing(operation: str, **params: Any) -> Iterator[dict[str, Any]]:
    """Read a list, newest first, 100 a call, following its pages. Raises StripeFailure.

    Each page is a call: what was written while reading is committed before the next one is asked for.
    """
    params = {"limit": 100, **params}
    while True:
        leave_transaction()
        page = ask(operation, params=params)
        yield from map(plain, page.data)
        if not page.has_more or not page.data:
            return
        params["starting_after"] = page.data[-1].id


def plain(answer: Any) -> dict[str, Any]:
    """The SDK's object as plain dictionaries and lists."""
    return dict(answer.to_dict())
