"""Whatever is sent to whatever path: an answer of Stripe's kind, never a 500; and names that try to be more stay names."""

import importlib
import random
import typing
from decimal import Decimal
from typing import Any, Literal, NotRequired, Required
from urllib.parse import quote, urlencode

import orjson
import pytest
from typing_extensions import get_type_hints, is_typeddict

from app.simulator import contract
from app.simulator.registry import ROUTES
from tests.infra.chance import SEED, scaled
from tests.simulator.machine import VERSION, Machine, flat

JUNK = (
    b"name=%ff%fe", b"\xff\xfe\x00", b"a%00=b", b"expand[]=" + b"a." * 50, b"expand=x", b"limit=zero", b"limit=-1",
    b"metadata" + b"[a]" * 30 + b"=1", b"[]=1", b"[=1", b"]=1", b"a[=1", b"=", b"&&&", b"amount[]=1&amount=2",
    b"amount=1e9", b"amount=NaN", b"amount=\xd9\xa1", b"id=" + b"9" * 4000, b"{\"json\": true}", b"<xml/>",
    b"customer[]=1", b"items=x", b"line_items[0]=x", b"line_items[9999999]=x", b"created[gte]=x", b"created=", b"\r\n",
)  # fmt: skip
PLACES = ("x", "%00", "..%2F..%2Fetc", "a" * 3000, "%E2%98%83", "' OR 1=1 --", "%ff", "{{7*7}}")
WORDS = (
    "x",
    "usd",
    "EUR",
    "a@b.c",
    "<script>alert(1)</script>",
    "☃" * 30,
    "https://x.test/",
    "now",
    "2024-01-01",
    "0",
)


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path, SEED)
    yield made
    made.close()


def send(machine: Machine, method: str, path: str, body: bytes) -> int:
    headers = {"Authorization": "Bearer sk_test_bad", "Stripe-Version": VERSION,
               "Content-Type": "application/x-www-form-urlencoded"}  # fmt: skip
    extra: dict[str, Any] = {"data": body} if method == "POST" else {"query_string": body.decode("latin-1")}
    answer = machine.client.open(path, method=method, headers=headers, **extra)
    broken = machine.app.extensions["door"].violations
    assert answer.status_code < 500, f"{method} {path} {body[:300]!r}: {broken[-1:]}"
    if path.startswith("/v1") and "%2F" not in path and answer.content_type == "application/json":
        assert answer.status_code < 300 or "error" in orjson.loads(answer.data)
    return answer.status_code


def test_junk_to_every_path(machine, rng):
    for route in ROUTES:
        for body in rng.sample(JUNK, scaled(7, len(JUNK))):
            path = route.template
            for name in route.names:
                path = path.replace("{" + name + "}", quote(rng.choice(PLACES), safe="%"))
            send(machine, route.method, path, body)
    assert machine.app.extensions["door"].violations == []


class Guess:
    """Values of the right type that make no sense, and sometimes sense."""

    def __init__(self, machine: Machine, rng: random.Random) -> None:
        self.rng = rng
        self.ids = [i for known in machine.pool.values() for i in known[-5:]]

    def fields(self, td: Any, depth: int = 0) -> dict[str, Any]:
        names = {
            "StripeContext": object,
            "Mapping": typing.Mapping,
            **vars(importlib.import_module(td.__module__)),
        }
        hints = get_type_hints(td, names, include_extras=True)
        for name in ("api_key", "idempotency_key", "max_network_retries", "stripe_account", "stripe_context",
                     "stripe_version", "headers", "content_type", "expand", "on_behalf_of"):  # fmt: skip
            hints.pop(name, None)
        chance = (0.35, 0.25, 0.15, 0.05)[min(depth, 3)]
        return {
            name: self.value(hint, depth + 1)
            for name, hint in hints.items()
            if name in td.__required_keys__ or self.rng.random() < chance * min(1, 12 / len(hints))
        }

    def value(self, hint: Any, depth: int) -> Any:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (NotRequired, Required):
            return self.value(arguments[0], depth)
        if origin is typing.Union:
            return self.value(self.rng.choice([a for a in arguments if a is not type(None)]), depth)
        if origin is Literal:
            return self.rng.choice(arguments)
        if is_typeddict(hint):
            return self.fields(hint, depth) if depth < 5 else {}
        if origin is list:
            return [self.value(arguments[0], depth) for _ in range(self.rng.randint(1, 2))]
        if hint is bool:
            return self.rng.random() < 0.5
        if hint in (int, float, Decimal):
            return self.rng.choice([-1, 0, 1, 2, 50, 1000, 1_800_000_000, 10**12])
        if hint is str:
            return (
                self.rng.choice(self.ids) if self.ids and self.rng.random() < 0.6 else self.rng.choice(WORDS)
            )
        return {"k": "v"}


def test_well_typed_nonsense_to_every_path(machine, rng):
    for _ in range(150):
        machine.step()
    for _ in range(scaled(1, 40)):
        guess = Guess(machine, rng)
        for route in ROUTES:
            operation = contract.operations().get((route.method, route.template))
            fields: dict[str, Any] = {}
            if operation is not None and operation.params is not None:
                module, name = operation.params
                fields = guess.fields(getattr(importlib.import_module(module), name))
            path = route.template
            for part in route.names:
                likely = machine.pool.get(part) or machine.pool.get(_POOLS.get(part, "")) or guess.ids
                path = path.replace("{" + part + "}", rng.choice(likely))
            send(machine, route.method, path, urlencode(flat(fields)).encode())
    assert machine.app.extensions["door"].violations == []


_POOLS = {
    "intent": "payment_intent", "session": "checkout.session", "subscription_exposed_id": "subscription",
    "invoiceitem": "invoiceitem", "id": "event",
}  # fmt: skip


KNOBS = (
    "reset", "clock", "fail", "fail/clear", "settle", "snapshot", "restore", "webhooks/hold", "webhooks/release",
    "webhooks/trick", "webhooks/clear", "webhook_endpoints/we_x/roll", "stage/charge/ch_x/dispute", "stage/x/y/z",
    "events/evt_x/resend", "payment_intents/pi_x/resolve", "nothing",
)  # fmt: skip
ODD = (
    5,
    -1,
    1.5,
    True,
    None,
    [],
    [1],
    {},
    {"a": 1},
    "",
    "x" * 5000,
    "NaN",
    "\x00",
    "*",
    "drop",
    "status",
    "newest",
    10**30,
)


def test_knobs_turned_the_wrong_way(machine, rng):
    names = ("kind", "type", "endpoint", "times", "seconds", "bytes", "value", "status", "path", "method", "advance",
             "to", "offset", "name", "order", "events", "seed", "alive", "amount", "reason", "page", "executed")  # fmt: skip
    for knob in KNOBS:
        for _ in range(scaled(30, 300)):
            body = {name: rng.choice(ODD) for name in rng.sample(names, rng.randint(0, 4))}
            answer = machine.client.post(f"/_sim/{knob}", json=body)
            assert answer.status_code < 500, (knob, body)
        for raw in (b"[1]", b"{", b"\xff", b"null", b""):
            answer = machine.client.post(f"/_sim/{knob}", data=raw, content_type="application/json")
            assert answer.status_code < 500, (knob, raw)
    for look in (
        "objects/charge?id=%00",
        "objects/x",
        "requests?path=%ff",
        "deliveries?event='",
        "dump",
        "webhooks",
        "",
    ):
        assert machine.client.get(f"/_sim/{look}").status_code < 500, look
    machine.client.post("/_sim/fail/clear")
    send(machine, "GET", "/v1/customers", b"")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT", "PATCH"])
@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1//", "/v1/nothing", "/v1/charges/", "/v1/../x", "/v2/core/events"]
)
def test_paths_that_are_none(machine, method, path):
    answer = machine.client.open(path, method=method, headers={"Authorization": "Bearer sk_test_bad"})
    assert 200 <= answer.status_code < 500


def test_ten_megabytes(machine):
    for path in ("/v1/customers", "/_sim/fail", "/_sim/webhooks/trick", "/c/pay/cs_x"):
        answer = machine.client.post(
            path, data=b"name=" + b"x" * 10_000_000, headers={"Authorization": "Bearer sk_test_bad"}
        )
        assert 400 <= answer.status_code < 500, path


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}}", "${7*7}", "‮gnp.exe"]
)
def test_hostile_names_stay_names(machine, name):
    paid = machine.post("payment_intents", amount=500, currency="usd", payment_method="pm_card_createDispute",
                        confirm=True, description=name, metadata={"k": name})  # fmt: skip
    assert paid["metadata"]["k"] == name
    customer = machine.post("customers", name=name, description=name)
    intent = machine.post("setup_intents", customer=customer["id"], payment_method="pm_card_authenticationRequired",
                          confirm=True, description=name)  # fmt: skip
    for path in ("/_sim/", f"/c/3ds/{intent['id']}", f"/receipts/{paid['latest_charge']}"):
        page = machine.client.get(path).text
        assert "<script" not in page, path
        assert "onerror" not in page or "&lt;img" in page, path
