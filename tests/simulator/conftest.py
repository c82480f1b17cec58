"""One simulator process for this room, emptied before each test and held against the SDK's shapes after it."""

import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

import pytest
import stripe

from tests.infra import ports, run, wait
from tests.simulator.desk import Desk

KEY = "sk_test_tests_only"
VERSION = stripe.api_version


class Answer:
    """What came back: status, headers, body."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:
        return None


_opener = build_opener(_Stay)


class Simulator:
    """A running simulator and the ways to ask it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = ports.reserve()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder, self.options = folder, options
        self.process: Any = None

    def start(self) -> None:
        place = ["--port", str(self.port), "--database", str(self.folder / "simulator.db")]
        command = [sys.executable, "-m", "app.simulator", *place, *self.options]
        self.process = run.spawn(command, self.folder / "simulator.log", cwd=run.ROOT)
        wait.until(self._serves, "the simulator answers", seconds=20)

    def _serves(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError((self.folder / "simulator.log").read_text())
        try:
            return self.ask("GET", "/_sim/health").status == 200
        except OSError:
            return False

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(15)
        run.ended(self.process)
        return code

    def kill(self) -> None:
        """As a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        run.ended(self.process)

    def ask(
        self, method: str, path: str, fields: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """One request, redirects not followed; `fields` are sent as a form unless they are bytes."""
        data = fields if isinstance(fields, bytes) else urlencode(fields or {}).encode()
        request = Request(self.url + path, data if method == "POST" else None, headers or {}, method=method)
        try:
            with _opener.open(request, timeout=30) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def api(
        self,
        method: str,
        path: str,
        fields: Any = None,
        *,
        key: str = KEY,
        version: str | None = VERSION,
        **headers: str,
    ) -> Answer:
        """An API request as curl would send it."""
        sent = {"Authorization": f"Bearer {key}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        if version:
            sent["Stripe-Version"] = version
        return self.ask(method, path, fields, sent)

    def control(self, path: str, /, **fields: Any) -> Any:
        """Turn a knob."""
        body = json.dumps(fields).encode()
        answer = self.ask("POST", f"/_sim/{path}", body, {"Content-Type": "application/json"})
        assert answer.status == 200, answer.text
        return answer.json()

    def look(self, path: str) -> Any:
        return self.ask("GET", f"/_sim/{path}").json()

    def requests(self) -> list[dict[str, Any]]:
        return self.look("requests")["requests"]

    def client(self, **options: Any) -> stripe.StripeClient:
        """The unmodified SDK, pointed here."""
        http = stripe.RequestsClient(timeout=(3, 20))
        return stripe.StripeClient(KEY, base_addresses={"api": self.url}, http_client=http, **options)


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """The process all tests here share."""
    stripe.enable_telemetry = False
    simulator = Simulator(tmp_path_factory.mktemp("simulator"), "--check", "--merchant", "Test & <Shop>")
    simulator.start()
    yield simulator
    assert simulator.stop() == 0


@pytest.fixture
def simulator(room: Simulator) -> Iterator[Simulator]:
    """An empty simulator; at the end everything it answered must have had Stripe's shape."""
    room.control("reset")
    yield room
    found = room.look("violations")
    assert found == {"violations": [], "problems": []}


@pytest.fixture
def stripe_client(simulator: Simulator) -> stripe.StripeClient:
    return simulator.client(max_network_retries=0)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Callable[..., Simulator]]:
    """Start simulators of one's own, with options."""
    started: list[Simulator] = []

    def begin(*options: str, folder: Path = tmp_path) -> Simulator:
        made = Simulator(folder, *options)
        started.append(made)
        made.start()
        return made

    yield begin
    for made in started:
        if made.process.poll() is None:
            made.stop()


class Listener:
    """An endpoint that keeps what it receives; `answers` are the statuses it gives, then 200."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.hold = threading.Event()
        self.hold.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.hold.wait(20)
                outer.received.append((dict(self.headers), body))
                self.send_response(outer.answers.pop(0) if outer.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks?a=1"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.received]

    def close(self) -> None:
        self.hold.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


CARD = {
    "email": "jenny@example.com",
    "cardNumber": "4242 4242 4242 4242",
    "cardExpiry": "12 / 34",
    "cardCvc": "123",
    "billingName": "Jenny Rosen",
    "billingCountry": "US",
    "billingPostalCode": "94103",
}


class Shop:
    """The few calls every test of a payment begins with."""

    def __init__(self, simulator: Simulator, client: stripe.StripeClient) -> None:
        self.simulator, self.client, self.v1 = simulator, client, client.v1

    def price(self, amount: int = 2000, currency: str = "usd", name: str = "T-shirt", **more: Any) -> Any:
        product = self.v1.products.create(params={"name": name})
        return self.v1.prices.create(
            params={"product": product.id, "currency": currency, "unit_amount": amount, **more}
        )

    def session(self, amount: int = 2000, currency: str = "usd", quantity: int = 1, **more: Any) -> Any:
        line = {"price": self.price(amount, currency).id, "quantity": quantity} | more.pop("line", {})
        return self.v1.checkout.sessions.create(
            params={
                "mode": "payment",
                "line_items": [line],
                "success_url": "http://127.0.0.1:9/ok?session={CHECKOUT_SESSION_ID}",
                "cancel_url": "http://127.0.0.1:9/no",
                **more,
            }
        )

    def pay(self, session: Any, number: str = "4242424242424242", **fields: str) -> Answer:
        """Fill in the page and press the button."""
        path = f"/c/pay/{session.id}"
        return self.simulator.ask("POST", path, CARD | {"cardNumber": number} | fields)

    def again(self, session: Any, *expand: str) -> Any:
        return self.v1.checkout.sessions.retrieve(session.id, params={"expand": list(expand)})

    def events(self) -> list[str]:
        """Types of all events but those of the catalogue, oldest first."""
        found = self.v1.events.list(params={"limit": 100}).data
        return [
            e.type
            for e in reversed(found)
            if not re.match(r"product|price|tax_rate|coupon|promotion", e.type)
        ]


@pytest.fixture
def shop(simulator: Simulator, stripe_client: stripe.StripeClient) -> Shop:
    return Shop(simulator, stripe_client)


@pytest.fixture
def desk(shop: Shop) -> Desk:
    """A shop that bills."""
    return Desk(shop)
