"""Events and webhooks: signed, ordered, retried, sent again."""

import json

import pytest
import stripe

from tests.infra import wait


@pytest.fixture
def endpoint(shop, listener):
    return shop.v1.webhook_endpoints.create(
        params={"url": listener.url, "enabled_events": ["customer.created", "checkout.session.completed"],
                "api_version": stripe.api_version}
    )  # fmt: skip


def received(listener, count):
    wait.until(lambda: len(listener.received) >= count, f"{count} deliveries")
    return listener.received


def test_a_signed_event(shop, listener, endpoint):
    customer = shop.v1.customers.create(params={"email": "a@example.com"}, options={"idempotency_key": "why"})
    shop.v1.customers.update(customer.id, params={"name": "Not listened to"})
    headers, body = received(listener, 1)[0]
    event = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], endpoint.secret)
    assert (event.type, event.data.object.id, event.request.idempotency_key) == (
        "customer.created",
        customer.id,
        "why",
    )
    assert event.api_version == stripe.api_version
    assert headers["User-Agent"] == "Stripe/1.0 (+https://stripe.com/docs/webhooks)"
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert body.startswith(b'{\n  "id": "evt_')
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body + b" ", headers["Stripe-Signature"], endpoint.secret)
    assert len(listener.received) == 1


def test_the_secret_is_shown_once(shop, endpoint):
    assert endpoint.secret.startswith("whsec_")
    assert "secret" not in shop.v1.webhook_endpoints.retrieve(endpoint.id)
    assert "secret" not in shop.v1.webhook_endpoints.list().data[0]


def test_retries_on_the_simulated_clock(shop, listener, endpoint):
    listener.answers = [500, 302, 200]
    shop.v1.customers.create(params={"name": "A"})
    received(listener, 1)
    event = wait.until(lambda: shop.v1.events.list(params={"type": "customer.created"}).data[0], "the event")
    wait.until(
        lambda: shop.simulator.look("deliveries")["deliveries"][0]["attempts"], "the attempt is written"
    )
    assert shop.v1.events.retrieve(event.id).pending_webhooks == 1
    assert [e.id for e in shop.v1.events.list(params={"delivery_success": False}).data] == [event.id]
    shop.simulator.control("clock", advance=61)
    received(listener, 2)
    shop.simulator.control("clock", advance=590)
    assert len(listener.received) == 2
    shop.simulator.control("clock", advance=60)
    received(listener, 3)
    assert shop.v1.events.retrieve(event.id).pending_webhooks == 0
    assert shop.v1.events.list(params={"delivery_success": False}).data == []
    attempts = shop.simulator.look(f"deliveries?event={event.id}")["deliveries"][0]["attempts"]
    assert [a["status"] for a in attempts] == [500, 302, 200]
    times = [h["Stripe-Signature"].split(",")[0] for h, _ in listener.received]
    assert len(set(times)) == 3


def test_given_up_after_three_days(shop, listener, endpoint):
    listener.answers = [500] * 50
    shop.v1.customers.create(params={"name": "A"})
    received(listener, 1)
    shop.simulator.control("clock", advance=5 * 86_400)
    delivery = shop.simulator.look("deliveries")["deliveries"][0]
    assert delivery["state"] == "failed"
    assert 10 <= len(delivery["attempts"]) <= 20


def test_sent_again_by_hand(shop, listener, endpoint):
    shop.v1.customers.create(params={"name": "A"})
    first = received(listener, 1)[0]
    event = json.loads(first[1])["id"]
    shop.simulator.control(f"events/{event}/resend")
    second = received(listener, 2)[1]
    assert first[1] == second[1]
    later = shop.v1.webhook_endpoints.create(params={"url": listener.url, "enabled_events": ["*"]})
    shop.simulator.control(f"events/{event}/resend", endpoint=later.id)
    assert len(received(listener, 3)) == 3
    assert shop.simulator.ask("POST", "/_sim/events/evt_none/resend").status == 404


def test_the_page_waits_for_the_shop(shop, listener, endpoint):
    session = shop.session()
    assert shop.pay(session).status == 303
    assert "checkout.session.completed" in listener.types()


def test_only_this_machine_is_called(shop):
    shop.v1.webhook_endpoints.create(params={"url": "https://example.com/hook", "enabled_events": ["*"]})
    shop.v1.customers.create(params={"name": "A"})
    found = wait.until(
        lambda: [d for d in shop.simulator.look("deliveries")["deliveries"] if d["state"] == "failed"],
        "a refusal",
    )
    assert "only loopback" in found[0]["attempts"][0]["error"]


def test_endpoints_can_be_changed_switched_off_and_deleted(shop, listener, endpoint):
    changed = shop.v1.webhook_endpoints.update(endpoint.id, params={"disabled": True, "metadata": {"a": "1"}})
    assert changed.status == "disabled"
    shop.v1.customers.create(params={"name": "A"})
    shop.v1.webhook_endpoints.update(
        endpoint.id, params={"disabled": False, "enabled_events": ["product.created"]}
    )
    shop.v1.customers.create(params={"name": "B"})
    shop.v1.products.create(params={"name": "C"})
    assert received(listener, 1)[0][1].find(b"product.created") > 0
    assert shop.v1.webhook_endpoints.delete(endpoint.id).deleted
    assert shop.v1.webhook_endpoints.list().data == []
    for wrong in ({"url": "nonsense"}, {"url": listener.url, "api_version": "2099-01-01"}):
        with pytest.raises(stripe.InvalidRequestError):
            shop.v1.webhook_endpoints.create(params={"url": listener.url, "enabled_events": ["*"], **wrong})


def test_events_reach_back_thirty_days(shop):
    customer = shop.v1.customers.create(params={"name": "A"})
    events = shop.v1.events.list(params={"types": ["customer.created", "customer.deleted"]})
    assert [e.data.object.id for e in events.data] == [customer.id]
    assert shop.v1.events.list(params={"type": "customer.*"}).data
    shop.simulator.control("clock", advance=31 * 86_400)
    assert shop.v1.events.list().data == []
    with pytest.raises(stripe.InvalidRequestError, match="No such event"):
        shop.v1.events.retrieve(events.data[0].id)


def test_an_endpoint_given_at_start(alone, listener):
    own = alone("--webhook-url", listener.url, "--webhook-secret", "whsec_given")
    client = own.client()
    client.v1.customers.create(params={"name": "A"})
    headers, body = received(listener, 1)[0]
    assert (
        stripe.Webhook.construct_event(body, headers["Stripe-Signature"], "whsec_given").type
        == "customer.created"
    )
    own.control("reset")
    client.v1.customers.create(params={"name": "B"})
    received(listener, 2)


def test_undelivered_events_survive_a_restart(alone, listener):
    own = alone("--webhook-url", listener.url, "--webhook-secret", "whsec_given")
    listener.hold.clear()
    own.client().v1.customers.create(params={"name": "A"})
    own.kill()
    listener.hold.set()
    own.start()
    wait.until(lambda: listener.types(), "the event comes after all")
