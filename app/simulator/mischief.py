"""What can go wrong with webhooks on their way, on order: held back, out of order, twice, late, forged, foreign.

The courier asks here before it sends; orders are counted off by matching deliveries.
"""

from __future__ import annotations

import fnmatch
import hashlib
import hmac
import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from app.simulator.delivery import Parcel

SPOILED = (
    "bad_signature", "no_signature", "wrong_secret", "old_timestamp", "future_timestamp", "oversize", "bad_json",
    "not_utf8", "api_version",
)  # fmt: skip
ADDED = ("duplicate", "unknown_type", "other_account")
KINDS = ("drop", "delay", "twin", *SPOILED, *ADDED)
TWO_MEGABYTES = 2_000_000


@dataclass
class Trick:
    """`kind` is one of KINDS, for the next `times` deliveries whose event type and endpoint match.

    `seconds` belongs to delay and the timestamps, `bytes` to oversize, `value` is the version, type or account put in.
    """

    kind: str
    type: str = "*"
    endpoint: str = "*"
    times: int = 1
    seconds: int = 600
    bytes: int = TWO_MEGABYTES
    value: str = ""


@dataclass
class Letter:
    """Exactly what is posted. One that does not `count` is a stray: its answer decides nothing."""

    body: bytes
    signature: str | None
    counts: bool = True
    note: str | None = None


class Mischief:
    """Orders still to come and deliveries held back. Safe to share between threads."""

    def __init__(self) -> None:
        self._tricks: list[Trick] = []
        self._holding: tuple[str, str] | None = None
        self._held: set[int] = set()
        self._let: set[int] = set()
        self._lock = threading.Lock()

    def order(self, trick: Trick) -> None:
        """Play this on the next deliveries that match."""
        with self._lock:
            self._tricks.append(trick)

    def hold(self, kind: str = "*", endpoint: str = "*") -> None:
        """Keep matching deliveries back until they are let through."""
        with self._lock:
            self._holding = (kind, endpoint)

    def stop(self) -> None:
        """Hold nothing further back; what is held stays so until it is let through."""
        with self._lock:
            self._holding = None

    def let(self, deliveries: list[int]) -> None:
        """These may pass from now on, whatever is held back."""
        with self._lock:
            self._let.update(deliveries)
            self._held.difference_update(deliveries)

    def clear(self) -> None:
        """No more mischief; what is held is forgotten here."""
        with self._lock:
            self._tricks.clear()
            self._held.clear()
            self._let.clear()
            self._holding = None

    @property
    def held(self) -> list[int]:
        """Deliveries held back, oldest first."""
        with self._lock:
            return sorted(self._held)

    def listed(self) -> dict[str, Any]:
        """What is ordered and whether deliveries are held back."""
        with self._lock:
            return {"pending": [asdict(t) for t in self._tricks], "holding": self._holding is not None}

    def keeps(self, parcel: Parcel) -> bool:
        """Whether this delivery is held back, and note that it is."""
        if self._holding is None:
            return False
        with self._lock:
            if parcel.delivery in self._let or self._holding is None:
                return False
            if not _fits(parcel, *self._holding):
                return False
            self._held.add(parcel.delivery)
            return True

    def take(self, parcel: Parcel) -> Trick | None:
        """The trick to be played on this delivery, counted off."""
        if not self._tricks:
            return None
        with self._lock:
            for trick in self._tricks:
                if _fits(parcel, trick.type, trick.endpoint):
                    trick.times -= 1
                    if trick.times <= 0:
                        self._tricks.remove(trick)
                    return trick
        return None


def _fits(parcel: Parcel, kind: str, endpoint: str) -> bool:
    return fnmatch.fnmatchcase(parcel.type, kind) and fnmatch.fnmatchcase(parcel.endpoint, endpoint)


def signature(body: bytes, secrets: list[str], moment: int) -> str:
    """The Stripe-Signature header of exactly these bytes."""
    marks = [hmac.new(s.encode(), b"%d." % moment + body, hashlib.sha256).hexdigest() for s in secrets]
    return ",".join([f"t={moment}", *(f"v1={mark}" for mark in marks)])


def letters(parcel: Parcel, trick: Trick | None, moment: int) -> list[Letter]:
    """What is posted for a delivery, in order, with the trick played on it."""
    genuine = Letter(parcel.body, signature(parcel.body, parcel.secrets, moment))
    if trick is None or trick.kind == "twin":
        return [genuine]
    if trick.kind == "duplicate":
        return [genuine, Letter(genuine.body, genuine.signature, note="a duplicate")]
    if trick.kind in ADDED:
        return [genuine, _stray(parcel, trick, moment)]
    return [_spoiled(parcel, trick, moment)]


def _stray(parcel: Parcel, trick: Trick, moment: int) -> Letter:
    event = orjson.loads(parcel.body)
    event["id"] = "evt_" + hashlib.sha256(f"{event['id']} {trick.kind}".encode()).hexdigest()[:24]
    if trick.kind == "unknown_type":
        event["type"] = trick.value or "simulator.something_new"
    else:
        event["account"] = trick.value or "acct_1SomebodyElse"
    body = orjson.dumps(event, option=orjson.OPT_INDENT_2)
    return Letter(body, signature(body, parcel.secrets, moment), counts=False, note=trick.kind)


def _spoiled(parcel: Parcel, trick: Trick, moment: int) -> Letter:
    body, secrets, kind = parcel.body, parcel.secrets, trick.kind
    if kind == "no_signature":
        return Letter(body, None, note=kind)
    if kind == "bad_signature":
        return Letter(body, f"t={moment},v1={'0' * 64}", note=kind)
    if kind == "wrong_secret":
        secrets = ["whsec_" + hashlib.sha256(secrets[0].encode()).hexdigest()[:32]]
    elif kind == "old_timestamp":
        moment -= trick.seconds
    elif kind == "future_timestamp":
        moment += trick.seconds
    elif kind == "oversize":
        body = body + b" " * max(0, trick.bytes - len(body))
    elif kind == "bad_json":
        body = body[: len(body) // 2]
    elif kind == "not_utf8":
        body = body.replace(b'"object": "event"', b'"object": "ev\xff\xfeent"', 1)
    elif kind == "api_version":
        event = orjson.loads(body) | {"api_version": trick.value or "2020-08-27"}
        body = orjson.dumps(event, option=orjson.OPT_INDENT_2)
    return Letter(body, signature(body, secrets, moment), note=kind)
