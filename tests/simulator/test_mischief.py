"""Webhooks that are held, reordered, lost, doubled, late, forged or foreign; secrets rolled."""

import json
import time

import pytest
import stripe

from tests.infra import wait


@pytest.fixture
def endpoint(shop, listener):
    return shop.v1.webhook_endpoints.create(
        params={"url": listener.url, "enabled_events": ["customer.created", "product.created"],
                "api_version": stripe.api_version}
    )  # fmt: skip


def tell(shop, name="A"):
    return shop.v1.customers.create(params={"name": name})


def got(listener, count):
    wait.until(lambda: len(listener.received) >= count, f"{count} deliveries")
    return listener.received


def trick(shop, kind, **more):
    return shop.simulator.control("webhooks/trick", kind=kind, **more)


def genuine(letter, secret):
    headers, body = letter
    try:
        return stripe.Webhook.construct_event(body, headers.get("Stripe-Signature"), secret)
    except (stripe.SignatureVerificationError, ValueError):
        return None


def names(listener):
    return [json.loads(body)["data"]["object"]["name"] for _, body in listener.received]


def held(shop, count):
    return wait.until(
        lambda: (found := shop.simulator.look("webhooks"))["held"][count - 1 : count] and found,
        "deliveries are held",
    )


@pytest.mark.parametrize(("order", "expected"), [("oldest", "ABC"), ("newest", "CBA")])
def test_held_and_released_in_order(shop, listener, endpoint, order, expected):
    shop.simulator.control("webhooks/hold")
    for name in "ABC":
        tell(shop, name)
    assert [h["type"] for h in held(shop, 3)["held"]] == ["customer.created"] * 3
    assert listener.received == []
    assert shop.v1.events.list(params={"delivery_success": False}).data[0].pending_webhooks == 1
    shop.simulator.control("webhooks/release", order=order)
    assert names(listener) == list(expected)
    tell(shop, "D")
    assert names(listener)[-1:] == ["D"] or len(got(listener, 4)) == 4


def test_released_by_name_while_holding_goes_on(shop, listener, endpoint):
    shop.simulator.control("webhooks/hold", type="customer.*")
    events = []
    for name in "ABC":
        customer = tell(shop, name)
        found = shop.v1.events.list(params={"type": "customer.created"}).data
        events.append(next(e.id for e in found if e.data.object.id == customer.id))
    shop.v1.products.create(params={"name": "P"})
    got(listener, 1)
    held(shop, 3)
    shop.simulator.control("webhooks/release", events=[events[2], events[0]])
    assert names(listener) == ["P", "C", "A"]
    shop.simulator.control("webhooks/clear")
    assert names(listener) == ["P", "C", "A", "B"]
    assert shop.simulator.look("webhooks") == {"pending": [], "holding": False, "held": []}
    assert shop.simulator.ask("POST", "/_sim/webhooks/release", {"order": "sideways"}).status == 400


def test_twice_the_same_bytes(shop, listener, endpoint):
    trick(shop, "duplicate", type="customer.*")
    tell(shop)
    first, second = got(listener, 2)
    assert first[1] == second[1]
    assert genuine(second, endpoint.secret)


def test_two_events_for_one_change(shop, listener, endpoint):
    trick(shop, "twin")
    customer = tell(shop)
    ids = {json.loads(body)["id"] for _, body in got(listener, 2)}
    assert len(ids) == 2
    told = [shop.v1.events.retrieve(i) for i in ids]
    assert {e.data.object.id for e in told} == {customer.id}


def test_lost_and_late(shop, listener, endpoint):
    trick(shop, "drop")
    tell(shop, "lost")
    wait.until(lambda: shop.simulator.look("deliveries")["deliveries"][0]["state"] == "failed", "it is lost")
    lost = shop.v1.events.list(params={"delivery_success": False, "types": ["customer.created"]}).data
    assert [e.data.object.name for e in lost] == ["lost"]
    trick(shop, "delay", seconds=3600)
    tell(shop, "late")
    wait.until(
        lambda: (shop.simulator.look("deliveries")["deliveries"][0]["next_at"] or 0) > time.time() + 3000,
        "it is late",
    )
    shop.simulator.control("clock", advance=3500)
    assert listener.received == []
    shop.simulator.control("clock", advance=200)
    got(listener, 1)
    assert names(listener) == ["late"]
    shop.simulator.control(f"events/{lost[0].id}/resend")
    assert names(listener) == ["late", "lost"]
    assert shop.v1.events.list(params={"delivery_success": False, "types": ["customer.created"]}).data == []


@pytest.mark.parametrize(
    "kind", ["bad_signature", "no_signature", "wrong_secret", "old_timestamp", "bad_json", "not_utf8"]
)
def test_spoiled_then_sent_again_as_it_should_be(shop, listener, endpoint, kind):
    listener.answers = [400]
    trick(shop, kind)
    tell(shop)
    assert genuine(got(listener, 1)[0], endpoint.secret) is None
    wait.until(
        lambda: shop.simulator.look("deliveries")["deliveries"][0]["attempts"], "the attempt is written"
    )
    shop.simulator.control("clock", advance=61)
    headers, body = got(listener, 2)[1]
    stripe.WebhookSignature.verify_header(body.decode(), headers["Stripe-Signature"], endpoint.secret)
    attempts = shop.simulator.look("deliveries")["deliveries"][0]["attempts"]
    assert [(a["status"], a["error"]) for a in attempts] == [(400, kind), (200, None)]


def test_stamped_in_the_future(shop, listener, endpoint):
    trick(shop, "future_timestamp", seconds=1000)
    tell(shop)
    stamp = got(listener, 1)[0][0]["Stripe-Signature"].split(",")[0]
    assert int(stamp[2:]) > time.time() + 900


def test_oversize_other_version_and_strangers(shop, listener, endpoint):
    trick(shop, "oversize", bytes=300_000)
    tell(shop)
    assert len(got(listener, 1)[0][1]) == 300_000
    trick(shop, "api_version", value="2022-11-15")
    tell(shop)
    assert genuine(got(listener, 2)[1], endpoint.secret).api_version == "2022-11-15"
    trick(shop, "unknown_type", value="made.up")
    tell(shop)
    own, stranger = (genuine(letter, endpoint.secret) for letter in got(listener, 4)[2:])
    assert (own.type, stranger.type) == ("customer.created", "made.up")
    trick(shop, "other_account")
    tell(shop)
    own, stranger = (genuine(letter, endpoint.secret) for letter in got(listener, 6)[4:])
    assert "account" not in own
    assert stranger.account.startswith("acct_")
    assert own.id != stranger.id


def test_orders_that_make_no_sense(shop):
    for wrong in ({"kind": "nonsense"}, {"kind": "drop", "what": "1"}, {"kind": "drop", "times": "x"}):
        assert shop.simulator.ask("POST", "/_sim/webhooks/trick", wrong).status == 400


def test_a_rolled_secret_signs_beside_the_old_one_for_a_day(shop, listener, endpoint):
    place = f"webhook_endpoints/{endpoint.id}/roll"
    fresh = shop.simulator.control(place, alive=3600)["secret"]
    newest = shop.simulator.control(place)["secret"]
    tell(shop)
    letter = got(listener, 1)[0]
    assert letter[0]["Stripe-Signature"].count("v1=") == 3
    assert all(genuine(letter, secret) for secret in (endpoint.secret, fresh, newest))
    shop.simulator.control("clock", advance=3601)
    tell(shop)
    marks = got(listener, 2)[1]
    assert marks[0]["Stripe-Signature"].count("v1=") == 2
    shop.simulator.control("clock", advance=23 * 3600)
    tell(shop)
    headers, body = got(listener, 3)[2]
    assert headers["Stripe-Signature"].count("v1=") == 1
    stripe.WebhookSignature.verify_header(body.decode(), headers["Stripe-Signature"], newest)
    assert shop.simulator.ask("POST", f"/_sim/{place}", {"alive": "90000"}).status == 400
    assert shop.simulator.ask("POST", f"/_sim/{place}", {"alive": "x"}).status == 400
