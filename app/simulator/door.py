"""The front door of `/v1`: who asks, in which version, with which key; then one transition; then the answer."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.simulator import contract, faults, versions
from app.simulator.engines import clocks
from app.simulator.errors import StripeError, invalid, unrecognized
from app.simulator.expand import expanded
from app.simulator.form import decode
from app.simulator.registry import Doc, Route, match
from app.simulator.store import ACCOUNT, Store
from app.simulator.transaction import Transaction, shown

KEEP_KEYS = 24 * 3600


@dataclass
class Call:
    """One API request on its way through the door."""

    method: str
    path: str
    headers: Any
    raw: bytes
    base_url: str
    request_id: str = ""
    params: Doc = field(default_factory=dict)
    status: int = 0
    error: str | None = None
    replayed: bool = False
    fault: str | None = None
    started: float = field(default_factory=time.perf_counter)


@dataclass
class Answer:
    """Status, exact bytes and headers."""

    status: int
    body: bytes
    headers: dict[str, str]


class Door:
    """Takes every API request. `check` holds each answer against the SDK's classes and keeps what departs."""

    def __init__(self, store: Store, ordered: faults.Faults, *, check: bool = False) -> None:
        self.store, self.faults, self.check = store, ordered, check
        self.log: deque[dict[str, Any]] = deque(maxlen=20_000)
        self.violations: list[str] = []
        self._busy: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def answer(self, call: Call) -> Answer:
        """Execute the call. Raises faults.Dropped when an ordered failure cuts the connection."""
        call.request_id = self.store.ids.new("req_")
        fault = self.faults.take(call.method, call.path)
        call.fault = fault.kind if fault else None
        try:
            if fault:
                faults.before(fault)
            result = self._executed(call, fault)
            if fault and fault.kind == "reset_after":
                raise faults.Dropped
        except StripeError as error:
            result = self._refused(call, error)
        except faults.Dropped:
            self._note(call, 0)
            raise
        self._note(call, result.status)
        return result

    def _executed(self, call: Call, fault: faults.Fault | None) -> Answer:
        authenticate(call.headers)
        strict = versions.door(call.headers.get("Stripe-Version"))
        found = match(call.method, call.path)
        form = decode(call.raw)
        call.params = form
        if found is None:
            raise unrecognized(call.method, call.path)
        route, values = found
        params = _params(route, form, strict)
        named = dict(zip(route.names, values, strict=True))
        if call.method == "GET":
            tx = self.store.read()
            tx.base_url = call.base_url
            return self._respond(call, 200, self._run(tx, route, params, named))
        return self._keyed(call, route, params, named, fault)

    def _keyed(
        self, call: Call, route: Route, params: Doc, named: dict[str, str], fault: faults.Fault | None
    ) -> Answer:
        key = call.headers.get("Idempotency-Key") if call.method == "POST" else None
        if not key:
            return self._transition(call, route, params, named, None, b"", fault)
        if len(key) > 255:
            raise invalid("Idempotency keys can be at most 255 characters long.")
        with self._lock:
            if (ACCOUNT, key) in self._busy:
                raise StripeError(
                    409,
                    "There is currently another in-progress request using this Idempotent Key (that probably means "
                    "you submitted twice, and the other request is still going through): "
                    f"{key}. Please try again later.",
                    kind="idempotency_error",
                    code="idempotency_key_in_use",
                )
            self._busy.add((ACCOUNT, key))
        try:
            print_ = fingerprint(call)
            return self._replay(call, key, print_) or self._transition(
                call, route, params, named, key, print_, fault
            )
        finally:
            with self._lock:
                self._busy.discard((ACCOUNT, key))

    def _replay(self, call: Call, key: str, print_: bytes) -> Answer | None:
        tx = self.store.read()
        row = tx.sql.execute(
            "SELECT request, request_id, status, body FROM idempotency WHERE account = ? AND key = ? AND created > ?",
            (ACCOUNT, key, tx.now - KEEP_KEYS),
        ).fetchone()
        if row is None:
            return None
        if row[0] != print_:
            raise StripeError(
                400,
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request.",
                kind="idempotency_error",
            )
        call.replayed = True
        headers = {"Idempotent-Replayed": "true", "Original-Request": row[1], "Idempotency-Key": key}
        return Answer(row[2], row[3], self._headers(call) | headers)

    def _transition(
        self,
        call: Call,
        route: Route,
        params: Doc,
        named: dict[str, str],
        key: str | None,
        print_: bytes,
        fault: faults.Fault | None,
    ) -> Answer:
        with self.store.write() as tx:
            tx.base_url, tx.request_id, tx.idempotency_key = call.base_url, call.request_id, key
            clocks.enter(tx, params, named)
            try:
                result = self._respond(call, 200, self._run(tx, route, params, named))
            except StripeError as error:
                if not error.keep:
                    raise
                result = self._refused(call, error)
            if fault and fault.kind == "status" and fault.executed:
                result = self._refused(call, faults.failure(fault))
            if key:
                result.headers["Idempotency-Key"] = key
                tx.sql.execute(
                    "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (ACCOUNT, key, print_, call.request_id, result.status, result.body, tx.wall),
                )
        return result

    def _run(self, tx: Transaction, route: Route, params: Doc, named: dict[str, str]) -> Doc:
        paths = params.pop("expand", None) or []
        answer = shown(route.handler(tx, params, **named))
        if paths:
            tx.flush()
            answer = expanded(tx, orjson.loads(orjson.dumps(answer)), paths)
        return answer

    def _respond(self, call: Call, status: int, answer: Doc) -> Answer:
        if self.check:
            found = contract.answer_problems(answer)
            self.violations += [f"{call.method} {call.path}: {p}" for p in found]
        return Answer(status, orjson.dumps(answer, option=orjson.OPT_INDENT_2), self._headers(call))

    def _refused(self, call: Call, error: StripeError) -> Answer:
        call.error = error.code or error.kind
        body = orjson.dumps(error.body(call.request_id), option=orjson.OPT_INDENT_2)
        return Answer(error.status, body, self._headers(call) | error.headers)

    def broken(self, call: Call) -> Answer:
        """What is answered when the simulator itself fails."""
        self.violations.append(f"{call.method} {call.path}: {traceback.format_exc(limit=-3)}")
        result = self._refused(call, StripeError(500, "An unknown error occurred", kind="api_error"))
        self._note(call, 500)
        return result

    def _headers(self, call: Call) -> dict[str, str]:
        asked = call.headers.get("Stripe-Version")
        version = asked if asked and versions.known(asked) else contract.API_VERSION
        return {"Request-Id": call.request_id, "Stripe-Version": version}

    def _note(self, call: Call, status: int) -> None:
        self.log.append(
            {
                "id": call.request_id,
                "method": call.method,
                "path": call.path,
                "params": call.params,
                "idempotency_key": call.headers.get("Idempotency-Key"),
                "status": status,
                "error": call.error,
                "version": call.headers.get("Stripe-Version"),
                "replayed": call.replayed,
                "fault": call.fault,
                "at": int(self.store.clock.now()),
                "milliseconds": round((time.perf_counter() - call.started) * 1000),
            }
        )


def _params(route: Route, form: Doc, strict: bool) -> Doc:
    legacy = None
    if strict:
        versions.refuse_removed(route.method, route.template, form)
    else:
        form = versions.translate(route.method, route.template, form)
        legacy = form.pop("_legacy", None)
    try:
        if route.params is not None:
            params: Doc = contract.reader_of(route.params)(form, "")
        else:
            params = contract.read_params(route.method, route.template, form)
    except contract.ParamProblem as problem:
        raise invalid(problem.message, problem.param or None, problem.code) from None
    return params | {"_legacy": legacy} if legacy else params


def fingerprint(call: Call) -> bytes:
    """What makes two requests the same: method, path and parameters in any order."""
    text = orjson.dumps([call.method, call.path, call.params], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).digest()


def authenticate(headers: Any) -> None:
    """Let in any test key; refuse none, live keys and what is no key with Stripe's 401."""
    key = _key(headers.get("Authorization", ""))
    if not key:
        raise StripeError(
            401,
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication "
            "for details, or we can help at https://support.stripe.com/.",
        )
    if key.startswith(("sk_live_", "rk_live_")):
        raise StripeError(
            401, "Live keys are not accepted here: this is a simulator. Use a key that begins with sk_test_."
        )
    if not re.fullmatch(r"(sk|rk)_test_\w+", key, re.A):
        shape = key if len(key) < 12 else key[:8] + "*" * (len(key) - 12) + key[-4:]
        raise StripeError(401, f"Invalid API Key provided: {shape}")
    account = headers.get("Stripe-Account")
    if account and account != ACCOUNT:
        raise StripeError(
            403,
            f"The provided key '{key[:8]}***' does not have access to account '{account}' (or that account does not "
            "exist). Application access may have been revoked.",
            code="account_invalid",
        )


def _key(header: str) -> str:
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
