"""How fast the simulator is: sessions made and read over HTTP, and a year of renewals by moving its clock."""

import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench.registry import benchmark, scaled

ROOT = Path(__file__).parents[1]
CLIENTS = 8
HEADERS = {
    "Authorization": "Bearer sk_test_bench", "Content-Type": "application/x-www-form-urlencoded", "Connection": "keep-alive"
}  # fmt: skip
YEAR = 366 * 86_400


class Running:
    """A simulator in its own process and a way to ask it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.local = threading.local()

    def ask(self, method: str, path: str, fields: Any = None) -> dict[str, Any]:
        """One request on this thread's own connection; a refusal ends the benchmark."""
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection = self.local.connection
        connection.request(method, path, urlencode(fields) if fields else None, HEADERS)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status} {body[:400].decode()}")
        return dict(json.loads(body))


@contextmanager
def simulator() -> Iterator[Running]:
    """A fresh one, stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="countinghouse-bench-") as folder:
        command = [
            sys.executable,
            "-m",
            "app.simulator",
            "--port",
            "0",
            "--database",
            f"{folder}/simulator.db",
        ]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            running = Running(int(first.split("127.0.0.1:")[1].split()[0]))
            _ready(running)
            yield running
        finally:
            process.terminate()
            process.wait(20)
            if process.stdout is not None:
                process.stdout.close()


def _ready(running: Running) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            running.ask("GET", "/_sim/health")
        except OSError:
            del running.local.connection
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def rate(calls: int, call: Callable[[int], Any]) -> float:
    """Calls a second, made by several clients at once."""
    share = calls // CLIENTS
    started = time.perf_counter()
    threads = [
        threading.Thread(target=lambda first=n * share: [call(first + i) for i in range(share)])
        for n in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return share * CLIENTS / (time.perf_counter() - started)


def _basket(running: Running) -> dict[str, str]:
    fields = {"currency": "usd", "unit_amount": "2000", "product_data[name]": "T-shirt"}
    price = running.ask("POST", "/v1/prices", fields)
    return {
        "mode": "payment", "line_items[0][price]": price["id"], "line_items[0][quantity]": "1",
        "success_url": "http://127.0.0.1/{CHECKOUT_SESSION_ID}", "client_reference_id": "order",
    }  # fmt: skip


@benchmark("simulator.session_creations", "sessions/s", 300)
def session_creations() -> float:
    """Checkout Sessions made, each its own transaction."""
    with simulator() as running:
        basket = _basket(running)
        rate(CLIENTS * 4, lambda n: running.ask("POST", "/v1/checkout/sessions", basket))
        return rate(scaled(240, 4000), lambda n: running.ask("POST", "/v1/checkout/sessions", basket))


@benchmark("simulator.retrievals", "sessions/s", 1000)
def retrievals() -> float:
    """Checkout Sessions read, among a few hundred."""
    with simulator() as running:
        basket = _basket(running)
        ids = [running.ask("POST", "/v1/checkout/sessions", basket)["id"] for _ in range(200)]
        rate(CLIENTS * 4, lambda n: running.ask("GET", f"/v1/checkout/sessions/{ids[n % 200]}"))
        return rate(
            scaled(800, 12_000), lambda n: running.ask("GET", f"/v1/checkout/sessions/{ids[n % 200]}")
        )


@benchmark("simulator.year_of_renewals", "s", 20, higher=False)
def year_of_renewals() -> float:
    """A year of monthly renewals for a hundred subscriptions (ten when small), by moving the clock."""
    with simulator() as running:
        fields = {
            "currency": "usd",
            "unit_amount": "900",
            "product_data[name]": "Plan",
            "recurring[interval]": "month",
        }
        price = running.ask("POST", "/v1/prices", fields)["id"]
        count = scaled(10, 100)
        for _ in range(count):
            owner = running.ask("POST", "/v1/customers", {"name": "Jenny"})["id"]
            method = running.ask("POST", "/v1/payment_methods/pm_card_visa/attach", {"customer": owner})["id"]
            running.ask(
                "POST", "/v1/subscriptions",
                {"customer": owner, "items[0][price]": price, "default_payment_method": method},
            )  # fmt: skip
        started = time.perf_counter()
        running.ask("POST", "/_sim/clock", {"advance": YEAR})
        spent = time.perf_counter() - started
        paid = running.ask("GET", "/_sim/health")["objects"]["invoice"]
        if paid < 12 * count:
            raise SystemExit(f"{paid} invoices for {count} subscriptions: the year was not billed")
        return spent
