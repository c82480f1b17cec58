"""Webhooks on their way: signed, sent, retried on the simulated clock, every attempt written down.

Only loopback addresses are ever called.
"""

from __future__ import annotations

import http.client
import ipaddress
import queue
import socket
import threading
import time
import traceback
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

import orjson

from app.simulator.mischief import Letter, Mischief, Trick, letters
from app.simulator.registry import Doc, timed
from app.simulator.store import Store
from app.simulator.transaction import Transaction, shown

USER_AGENT = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"
TIMEOUT = 20.0
THREADS = 4
_HOUR = 3600
# Seconds from one attempt to the next; after three days Stripe gives up.
PAUSES = (60, 600, _HOUR, 2 * _HOUR, 4 * _HOUR, *([8 * _HOUR] * 8))


@dataclass
class Parcel:
    """One event for one endpoint, ready to send."""

    delivery: int
    event: str
    type: str
    endpoint: str
    url: str
    secrets: list[str]
    body: bytes
    tries: int


def loopback(parts: SplitResult) -> bool:
    """Whether an address is this machine's own."""
    host = (parts.hostname or "").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Courier:
    """Threads that deliver what transactions queue. Start after fork, stop before the store closes."""

    def __init__(self, store: Store) -> None:
        self.store, self.mischief = store, Mischief()
        self.problems: list[str] = []
        self._queue: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._change = threading.Condition()
        self._open: set[int] = set()
        store.after_commit.append(self._committed)

    def start(self) -> None:
        """Begin, with what an earlier run left undelivered."""
        self._threads = [
            threading.Thread(target=self._work, name=f"courier-{i}", daemon=True) for i in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()
        self.resume()

    def resume(self) -> None:
        """Send what should have been sent by now and was not."""
        rows = self.store.read().sql.execute(
            "SELECT id FROM deliveries WHERE state = 'pending' AND (tries = 0 OR next_at <= ?) ORDER BY id",
            (int(self.store.clock.now()),),
        )
        self.send([row[0] for row in rows])

    def stop(self) -> None:
        """Let running attempts end and begin no more."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(timeout=2)
        self._threads = []

    def _committed(self, tx: Transaction) -> None:
        self.send(tx.deliveries)

    def send(self, deliveries: list[int]) -> None:
        """Attempt these now."""
        with self._change:
            self._open.update(deliveries)
        for delivery in deliveries:
            self._queue.put(delivery)

    def wait(self, deliveries: list[int], seconds: float) -> bool:
        """Wait until each of these has been attempted; False when time ran out."""
        wanted = set(deliveries)
        with self._change:
            return self._change.wait_for(lambda: not (wanted & self._open), timeout=seconds)

    def drain(self, seconds: float) -> bool:
        """Wait until nothing is on its way."""
        with self._change:
            return self._change.wait_for(lambda: not self._open, timeout=seconds)

    def _work(self) -> None:
        while (delivery := self._queue.get()) is not None:
            try:
                self._attempt(delivery)
            except Exception:
                self.problems.append(f"delivery {delivery}: {traceback.format_exc(limit=-4)}")
            finally:
                with self._change:
                    self._open.discard(delivery)
                    self._change.notify_all()

    def _attempt(self, delivery: int) -> None:
        parcel = _packed(self.store.read(), delivery)
        if parcel is None:
            return
        if self.mischief.keeps(parcel):
            return
        trick = self.mischief.take(parcel)
        if trick is not None and trick.kind in ("drop", "delay", "twin"):
            with self.store.write() as tx:
                _tampered(tx, parcel, trick)
            if trick.kind != "twin":
                return
        for letter in letters(parcel, trick, int(self.store.clock.now())):
            self._deliver(parcel, letter)

    def _deliver(self, parcel: Parcel, letter: Letter) -> None:
        started = time.perf_counter()
        status, error, answer = _post(parcel.url, letter)
        spent = round((time.perf_counter() - started) * 1000)
        with self.store.write() as tx:
            _attempted(tx, parcel.delivery, status, error or letter.note, spent, answer)
            if letter.counts:
                _record(tx, parcel, status, error)


def _attempted(
    tx: Transaction,
    delivery: int,
    status: int | None,
    error: str | None,
    spent: int = 0,
    answer: str | None = None,
) -> None:
    tx.sql.execute(
        "INSERT INTO attempts (delivery, at, status, error, milliseconds, answer) VALUES (?, ?, ?, ?, ?, ?)",
        (delivery, tx.now, status, error, spent, answer),
    )


def _tampered(tx: Transaction, parcel: Parcel, trick: Trick) -> None:
    """Lose the delivery, put it off, or have the same change told by a second event."""
    if trick.kind == "drop":
        _attempted(tx, parcel.delivery, None, "dropped on order")
        tx.sql.execute(
            "UPDATE deliveries SET state = 'failed', next_at = NULL WHERE id = ?", (parcel.delivery,)
        )
    elif trick.kind == "delay":
        tx.sql.execute(
            "UPDATE deliveries SET next_at = ? WHERE id = ?", (tx.now + trick.seconds, parcel.delivery)
        )
        tx.schedule(tx.now + trick.seconds, "webhook.retry", str(parcel.delivery))
    else:
        event = tx.find("event", parcel.event)
        fields = {k: v for k, v in event.items() if k not in ("id", "object")}
        twin = tx.create("event", fields)
        cursor = tx.sql.execute(
            "INSERT INTO deliveries (event, endpoint, next_at) VALUES (?, ?, ?)",
            (twin["id"], parcel.endpoint, tx.now),
        )
        tx.deliveries.append(int(cursor.lastrowid or 0))


def _packed(tx: Transaction, delivery: int) -> Parcel | None:
    row = tx.sql.execute(
        "SELECT event, endpoint, state, tries FROM deliveries WHERE id = ?", (delivery,)
    ).fetchone()
    if row is None or row[2] == "dropped":
        return None
    event, endpoint = tx.get("event", row[0]), tx.get("webhook_endpoint", row[1])
    if event is None or endpoint is None or endpoint.get("deleted"):
        return None
    body = rendered(event, endpoint)
    secrets = secrets_of(endpoint, tx.now)
    return Parcel(
        delivery, event["id"], event["type"], endpoint["id"], endpoint["url"], secrets, body, row[3]
    )


def rendered(event: Doc, endpoint: Doc) -> bytes:
    """The bytes of an event as this endpoint receives them."""
    whole = shown(event) | {"api_version": endpoint["api_version"] or event["api_version"]}
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2)


def secrets_of(endpoint: Doc, now: int) -> list[str]:
    """The secrets that sign now: during a roll the old ones too."""
    old = [held["secret"] for held in endpoint.get("_old_secrets") or [] if held["until"] > now]
    return [endpoint["_secret"], *old]


def roll(tx: Transaction, endpoint: Doc, alive: int) -> str:
    """Give an endpoint a new secret; the one it had signs along for `alive` seconds, at most a day."""
    held = [old for old in endpoint.get("_old_secrets") or [] if old["until"] > tx.now]
    if alive > 0:
        held = [{"secret": endpoint["_secret"], "until": tx.now + min(alive, 24 * _HOUR)}, *held]
    secret = tx.new_id("whsec_")
    tx.update(endpoint, _secret=secret, _old_secrets=held)
    return secret


def _post(url: str, letter: Letter) -> tuple[int | None, str | None, str | None]:
    parts = urlsplit(url)
    if not loopback(parts):
        return None, "refused: only loopback addresses are called", None
    maker: Any = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = maker(parts.hostname, parts.port, timeout=TIMEOUT)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": USER_AGENT,
        "Accept": "*/*; q=0.5, application/xml",
        "Cache-Control": "no-cache",
    }
    if letter.signature is not None:
        headers["Stripe-Signature"] = letter.signature
    try:
        connection.request(
            "POST",
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            body=letter.body,
            headers=headers,
        )
        answer = connection.getresponse()
        return answer.status, None, answer.read(2000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException, socket.gaierror) as error:
        return None, f"{type(error).__name__}: {error}", None
    finally:
        connection.close()


def _record(tx: Transaction, parcel: Parcel, status: int | None, error: str | None) -> None:
    tries = parcel.tries + 1
    if status is not None and 200 <= status < 300:
        tx.sql.execute(
            "UPDATE deliveries SET state = 'delivered', tries = ?, next_at = NULL WHERE id = ?",
            (tries, parcel.delivery),
        )
        return
    refused = bool(error and error.startswith("refused"))
    if refused or tries > len(PAUSES):
        tx.sql.execute(
            "UPDATE deliveries SET state = 'failed', tries = ?, next_at = NULL WHERE id = ?",
            (tries, parcel.delivery),
        )
        return
    again = tx.now + PAUSES[tries - 1]
    tx.sql.execute(
        "UPDATE deliveries SET tries = ?, next_at = ? WHERE id = ?", (tries, again, parcel.delivery)
    )
    tx.schedule(again, "webhook.retry", str(parcel.delivery))


@timed("webhook.retry")
def _retry(tx: Transaction, identifier: str) -> None:
    row = tx.sql.execute("SELECT state FROM deliveries WHERE id = ?", (int(identifier),)).fetchone()
    if row is not None and row[0] == "pending":
        tx.deliveries.append(int(identifier))


def resend(store: Store, courier: Courier, event: str, endpoint: str | None = None) -> list[int]:
    """Send an event once more to every endpoint that had it (or to one): returns the deliveries."""
    with store.write() as tx:
        tx.find("event", event)
        if endpoint is not None:
            tx.find("webhook_endpoint", endpoint)
        rows = tx.sql.execute(
            "SELECT id, endpoint FROM deliveries WHERE event = ? ORDER BY id", (event,)
        ).fetchall()
        known = {name: identifier for identifier, name in rows}
        targets = (
            [endpoint] if endpoint else [e["id"] for e in tx.scan("webhook_endpoint", {"status": "enabled"})]
        )
        again = []
        for target in targets:
            if target in known:
                again.append(known[target])
                continue
            cursor = tx.sql.execute(
                "INSERT INTO deliveries (event, endpoint, next_at) VALUES (?, ?, ?)", (event, target, tx.now)
            )
            again.append(int(cursor.lastrowid or 0))
        tx.deliveries = again
        courier.mischief.let(again)
    return again
