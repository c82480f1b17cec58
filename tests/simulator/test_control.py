"""The control surface: failures on order, the clock, reset, the page, starting and stopping."""

import socket
import subprocess
import sys

import pytest
import stripe

from tests.infra import run


def test_statuses_on_order(simulator):
    client = simulator.client()
    simulator.control("fail", kind="status", status=429, path="/v1/customers", times=2)
    for _ in range(2):
        with pytest.raises(stripe.RateLimitError):
            client.v1.customers.list()
    assert client.v1.customers.list().data == []
    for status, kind in ((500, stripe.APIError), (503, stripe.APIError), (409, stripe.APIError)):
        simulator.control("fail", kind="status", status=status)
        with pytest.raises(kind) as caught:
            client.v1.customers.list()
        assert caught.value.http_status == status


def test_the_sdk_retries_and_charges_once(simulator):
    client = simulator.client(max_network_retries=2)
    for kind in ("reset_after", "reset_before"):
        simulator.control("reset")
        simulator.control("fail", kind=kind, method="POST", path="/v1/payment_intents")
        client.v1.payment_intents.create(
            params={"amount": 2000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
        )
        assert len(client.v1.charges.list().data) == 1
        log = [r for r in simulator.requests() if r["path"] == "/v1/payment_intents"]
        assert [r["status"] for r in log] == [0, 200]
        assert log[1]["replayed"] is (kind == "reset_after")


def test_an_error_after_execution_is_what_the_key_replays(simulator):
    simulator.control("fail", kind="status", status=500, executed=True)
    body = {"name": "A"}
    first = simulator.api("POST", "/v1/customers", body, Idempotency_Key="k")
    second = simulator.api("POST", "/v1/customers", body, Idempotency_Key="k")
    assert first.status == second.status == 500
    assert first.body == second.body
    assert len(simulator.api("GET", "/v1/customers").json()["data"]) == 1


def test_the_header_that_forces_or_forbids_a_retry(simulator):
    client = simulator.client(max_network_retries=1)
    simulator.control("fail", kind="status", status=429, should_retry=True)
    assert client.v1.customers.list().data == []
    simulator.control("fail", kind="status", status=500, should_retry=False)
    with pytest.raises(stripe.APIError):
        client.v1.customers.list()


def test_answers_that_are_no_answers(simulator):
    client = simulator.client()
    simulator.control("fail", kind="html502")
    with pytest.raises(stripe.APIError) as caught:
        client.v1.customers.list()
    assert caught.value.http_status == 502
    simulator.control("fail", kind="truncate")
    with pytest.raises(stripe.StripeError):
        client.v1.customers.list()
    simulator.control("fail", kind="delay", seconds=0.05)
    assert client.v1.customers.list().data == []


def test_orders_can_be_seen_refused_and_forgotten(simulator):
    simulator.control("fail", kind="status", status=500, times=3)
    assert simulator.look("fail")["pending"][0]["times"] == 3
    simulator.control("fail/clear")
    assert simulator.look("fail")["pending"] == []
    for wrong in (
        {"kind": "nonsense"},
        {"kind": "status", "whatever": "1"},
        {"kind": "status", "times": "x"},
    ):
        assert simulator.ask("POST", "/_sim/fail", wrong).status == 400


def test_the_clock_goes_forward_only(simulator):
    before = simulator.look("clock")["now"]
    simulator.control("clock", advance=3600)
    assert 3600 <= simulator.look("clock")["now"] - before < 3700
    for wrong in ({"advance": -10}, {"to": 1}, {}, {"advance": "soon"}, {"advance": 10**12}):
        assert simulator.ask("POST", "/_sim/clock", wrong).status == 400
    simulator.control("clock", offset=7200)
    assert simulator.look("clock")["offset"] == 7200
    simulator.control("reset")
    assert simulator.look("clock")["offset"] == 0


def test_objects_and_page(simulator, shop):
    customer = shop.v1.customers.create(params={"name": "A"})
    assert simulator.look("objects/customer")["data"][0]["id"] == customer.id
    assert simulator.look(f"objects/customer?id={customer.id}")["name"] == "A"
    assert simulator.ask("GET", "/_sim/objects/nonsense").status == 400
    assert simulator.ask("GET", "/").headers["Location"] == "/_sim/"
    page = simulator.ask("GET", "/_sim/").text
    assert "customer.created" in page
    pressed = simulator.ask("POST", "/_sim/clock", {"page": "1", "advance": "60"})
    assert (pressed.status, pressed.headers["Location"]) == (303, "/_sim/")
    assert simulator.look("health")["objects"]["customer"] == 1


def test_the_same_seed_gives_the_same_bytes(alone, tmp_path_factory):
    runs = []
    for _ in range(2):
        own = alone("--seed", "7", "--start", "1767225600", folder=tmp_path_factory.mktemp("seed"))
        own.api("POST", "/v1/products", {"name": "A", "id": "a"})
        price = own.api(
            "POST", "/v1/prices", {"product": "a", "currency": "usd", "unit_amount": "500"}
        ).json()
        body = {
            "mode": "payment",
            "line_items[0][price]": price["id"],
            "line_items[0][quantity]": "1",
            "success_url": "http://x.test",
        }
        session = own.api("POST", "/v1/checkout/sessions", body).body
        own.control("clock", advance=90_000)
        port = str(own.port).encode()
        runs.append((session.replace(port, b""), own.api("GET", "/v1/events").body.replace(port, b"")))
        assert own.look("clock")["now"] == 1767225600 + 90_000
        own.stop()
    assert runs[0] == runs[1]


def test_what_was_written_survives_a_kill(alone):
    own = alone("--seed", "3")
    first = own.client().v1.customers.create(params={"name": "A"})
    own.control("clock", advance=1000)
    own.kill()
    own.start()
    assert own.client().v1.customers.retrieve(first.id).name == "A"
    assert own.look("clock")["offset"] >= 1000
    assert own.client().v1.customers.create(params={"name": "B"}).id != first.id


def start(*options):
    return subprocess.run(
        [sys.executable, "-m", "app.simulator", *options],
        cwd=run.ROOT,
        capture_output=True,
        text=True,
        timeout=20,
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "::", "example.com"])
def test_it_listens_on_loopback_only(host, tmp_path):
    done = start("--host", host, "--port", "0", "--database", str(tmp_path / "s.db"))
    assert done.returncode == 1
    assert "loopback" in done.stderr


def test_a_taken_port_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = start("--port", str(port), "--database", str(tmp_path / "s.db"))
    assert done.returncode == 1
    assert f"port {port}" in done.stderr


def test_it_ends_cleanly_when_asked(alone):
    own = alone()
    own.client().v1.customers.create(params={"name": "A"})
    assert own.stop() == 0
    assert "Traceback" not in (own.folder / "simulator.log").read_text()
