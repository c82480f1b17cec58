"""What banks and the Dashboard do, on order; and the whole state kept, taken up again and dumped."""

import pytest
import stripe

from tests.infra import wait
from tests.simulator.test_payments import check_balance, pay


def stage(shop, name, identifier, verb, **fields):
    return shop.simulator.control(f"stage/{name}/{identifier}/{verb}", **fields)


def test_a_charge_disputed_and_won(shop):
    charge = pay(shop).latest_charge
    dispute = stage(shop, "charge", charge, "dispute", reason="duplicate", amount=1500)
    assert (dispute["status"], dispute["amount"], dispute["reason"]) == ("needs_response", 1500, "duplicate")
    assert stage(shop, "dispute", dispute["id"], "win")["status"] == "won"
    event = shop.v1.events.list(params={"type": "charge.dispute.closed"}).data[0]
    assert (event.request.id, event.data.object.status) == (None, "won")
    assert shop.v1.refunds.create(params={"charge": charge}).status == "succeeded"
    check_balance(shop)


def test_an_inquiry_escalated_and_lost(shop):
    charge = pay(shop).latest_charge
    inquiry = stage(shop, "charge", charge, "dispute", inquiry=True)
    assert inquiry["status"] == "warning_needs_response"
    assert stage(shop, "dispute", inquiry["id"], "escalate")["status"] == "needs_response"
    assert stage(shop, "dispute", inquiry["id"], "lose")["status"] == "lost"
    for verb in ("win", "lose", "escalate"):
        assert shop.simulator.ask("POST", f"/_sim/stage/dispute/{inquiry['id']}/{verb}").status == 400
    check_balance(shop)


def test_refunded_from_the_dashboard(shop):
    intent = pay(shop, metadata={"order": "ours"})
    refund = stage(shop, "charge", intent.latest_charge, "refund", amount=500)
    assert (refund["amount"], refund["metadata"]) == (500, {})
    event = shop.v1.events.list(params={"type": "refund.created"}).data[0]
    assert (event.request.id, event.request.idempotency_key) == (None, None)
    failed = stage(shop, "refund", refund["id"], "fail", reason="lost_or_stolen_card")
    assert (failed["status"], failed["failure_reason"]) == ("failed", "lost_or_stolen_card")
    assert shop.v1.charges.retrieve(intent.latest_charge).amount_refunded == 0
    assert shop.simulator.ask("POST", f"/_sim/stage/refund/{refund['id']}/fail").status == 400
    check_balance(shop)


def test_warned_of_and_reviewed(shop):
    charge = pay(shop).latest_charge
    assert stage(shop, "charge", charge, "warn")["actionable"]
    review = stage(shop, "charge", charge, "review")
    assert (review["open"], review["opened_reason"]) == (True, "manual")
    assert stage(shop, "review", review["id"], "approve")["closed_reason"] == "approved"
    assert shop.simulator.ask("POST", f"/_sim/stage/review/{review['id']}/approve").status == 400


def test_archived_and_detached(shop):
    price = shop.price()
    assert stage(shop, "price", price.id, "archive")["active"] is False
    assert stage(shop, "product", price.product, "archive")["active"] is False
    with pytest.raises(stripe.InvalidRequestError, match="inactive"):
        shop.v1.checkout.sessions.create(
            params={
                "mode": "payment",
                "line_items": [{"price": price.id, "quantity": 1}],
                "success_url": "http://x.test",
            }
        )
    customer = shop.v1.customers.create()
    method = shop.v1.payment_methods.attach("pm_card_visa", params={"customer": customer.id})
    assert stage(shop, "payment_method", method.id, "detach")["customer"] is None


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("charge/ch_none/dispute", {}, 404),
        ("charge/ch_none/nonsense", {}, 400),
        ("charge/{charge}/refund", {"amount": "1.5"}, 400),
        ("charge/{charge}/refund", {"amount": "5000"}, 400),
        ("charge/{charge}/dispute", {"amount": "5000"}, 400),
    ],
)
def test_what_cannot_be(shop, path, fields, status):
    charge = pay(shop).latest_charge
    assert shop.simulator.ask("POST", f"/_sim/stage/{path.format(charge=charge)}", fields).status == status


def test_the_page_has_the_buttons(shop):
    charge = pay(shop).latest_charge
    page = shop.simulator.ask("GET", "/_sim/").text
    assert f'action="/_sim/stage/charge/{charge}/dispute"' in page
    pressed = shop.simulator.ask("POST", f"/_sim/stage/charge/{charge}/dispute", {"page": "1"})
    assert (pressed.status, pressed.headers["Location"]) == (303, "/_sim/")
    dispute = shop.v1.disputes.list().data[0].id
    shop.simulator.ask("POST", "/_sim/webhooks/trick", {"page": "1", "kind": "drop"})
    shop.simulator.ask("POST", "/_sim/webhooks/hold", {"page": "1"})
    shop.simulator.ask("POST", "/_sim/snapshot", {"page": "1"})
    page = shop.simulator.ask("GET", "/_sim/").text
    for button in (
        f"/_sim/stage/dispute/{dispute}/win",
        "/_sim/webhooks/release",
        "/_sim/restore",
        "/_sim/clock",
        "/_sim/fail",
    ):
        assert f'action="{button}"' in page
    assert "drop × 1" in page
    assert shop.simulator.ask("POST", f"/_sim/stage/dispute/{dispute}/win", {"page": "1"}).status == 303
    assert shop.v1.disputes.retrieve(dispute).status == "won"


def test_kept_and_taken_up_again(shop, listener):
    first = shop.v1.customers.create(params={"name": "A"}, options={"idempotency_key": "k"})
    shop.simulator.control("snapshot", name="before")
    before = shop.simulator.look("dump")
    second = shop.v1.customers.create(params={"name": "B"})
    pay(shop)
    shop.simulator.control("clock", advance=86_400)
    shop.simulator.control("restore", name="before")
    after = shop.simulator.look("dump")
    assert after["objects"] == before["objects"]
    assert after["due"] == before["due"]
    assert abs(after["now"] - before["now"]) < 60
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        shop.v1.customers.retrieve(second.id)
    again = shop.v1.customers.create(params={"name": "A"}, options={"idempotency_key": "k"})
    assert again.id == first.id
    shop.v1.customers.create(params={"name": "C"})
    assert "before" in shop.simulator.look("snapshots")["snapshots"]
    assert shop.simulator.ask("POST", "/_sim/restore", {"name": "never"}).status == 400
    assert shop.simulator.ask("POST", "/_sim/snapshot", {"name": "../escape"}).status == 400


def test_what_was_on_its_way_is_sent_after_taking_up(shop, listener):
    shop.v1.webhook_endpoints.create(params={"url": listener.url, "enabled_events": ["customer.created"]})
    shop.simulator.control("webhooks/hold")
    shop.v1.customers.create(params={"name": "A"})
    shop.simulator.control("snapshot", name="held")
    shop.simulator.control("restore", name="held")
    assert shop.simulator.look("webhooks")["holding"] is False
    wait.until(lambda: listener.types() == ["customer.created"], "the held webhook comes after all")
