"""An order's pages in each of its states, and the receipt."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import gateway
from app.billing import receipts
from app.extensions import db
from app.models import Mail, Order, Payment, PaymentState
from tests.infra.shop import ClientRequest, path_of
from tests.storefront.conftest import PlaceOrder, sent

STATES = [
    ({"state": "pending"}, "This order is not paid yet", "No money was taken.", "Go on to payment of €29.00"),
    ({"state": "open"}, "This order is not paid yet", "No money was taken.", "Go on to payment of €29.00"),
    ({"state": "processing"}, "Your payment is on its way", "Don’t pay again.", None),
    ({"state": "held"}, "We are checking your payment", "Money was taken", None),
    ({"state": "expired"}, "The time to pay has passed", "No money was taken.", "Order The Field Guide"),
    ({"state": "canceled"}, "This order is cancelled", "No money was taken.", "Order The Field Guide"),
    ({"state": "failed"}, "This order was not paid", "No money was taken.", "Order The Field Guide"),
    (
        {"state": "failed", "reason": "async_payment_failed"},
        "This order was not paid",
        "Your bank did not send the money.",
        "Order The Field Guide",
    ),
]


@pytest.mark.parametrize(("changes", "title", "says", "action"), STATES)
def test_each_state_says_whether_money_moved_and_what_is_next(
    visitor: ClientRequest, place: PlaceOrder, changes: dict, title: str, says: str, action: str | None
):
    order_id = place(**changes)
    page = visitor.get(f"/checkout/{order_id}")
    assert page.one("h1").text == title
    assert page.one("title").text == f"{title} – Fernway Press"
    assert says in page.one(".lede").text
    buttons = [element.text for element in page.select("main .btn")]
    assert any(button.startswith(action) for button in buttons) if action else "Go on" not in str(buttons)
    waiting = changes["state"] in ("pending", "open", "processing")
    assert bool(page.select("live-state[src]")) == waiting
    assert bool(page.select("noscript meta[http-equiv=refresh]")) == waiting
    fragment = visitor.client.get(f"/checkout/{order_id}/state").get_data(as_text=True)
    assert title in fragment and "<html" not in fragment


def test_a_declined_card_is_told_and_the_order_stays_open(
    shop: Flask, visitor: ClientRequest, place: PlaceOrder
):
    order_id = place()
    with shop.app_context():
        order = db.session.scalars(db.select(Order)).one()
        db.session.add(
            Payment(
                order=order,
                stripe_payment_intent_id="pi_declined",
                state=PaymentState.FAILED,
                currency="eur",
                gross_amount=2900,
                livemode=False,
            )
        )
        db.session.commit()
    page = visitor.get(f"/checkout/{order_id}")
    assert page.one("h1").text == "The card was declined"
    assert page.one(f"form[action=/checkout/{order_id}/resume] button").text == "Go on to payment of €29.00"


def test_not_knowing_offers_no_second_payment(visitor: ClientRequest, place: PlaceOrder):
    order_id = place()
    page = visitor.get(f"/checkout/{order_id}?unsure=1")
    assert page.one("h1").text == "We are asking about your payment"
    assert "Don’t pay again" in page.one(".lede").text
    assert page.select("main form") == []
    assert page.one("live-state")["src"] == f"/checkout/{order_id}/state?unsure=1"


def test_a_paid_order_and_its_receipt(visitor: ClientRequest, place: PlaceOrder, settle: Callable[..., None]):
    order_id = place(quantity=2)
    settle(order_id)
    page = visitor.get(f"/checkout/{order_id}")
    assert page.one("h1").text == "Thank you, it is paid"
    assert (
        "You paid €58.00 on" in page.one(".lede").text and "with Visa ending 4242" in page.one(".lede").text
    )
    link = next(a for a in page.select("main a.btn") if a.text.startswith("Open receipt"))
    receipt = visitor.get(link["href"])
    assert receipt.one(".statement").text == "The Field Guide to Margins × 2€58.00Paid€58.00"
    assert receipt.one(".statement-note").text == "Includes VAT 19%: €9.26"
    for word in ("Lindenallee 12", "DE000000000", order_id, "A Buyer", "@example.com"):
        assert word in receipt.one(".facts").text
    assert visitor.get(f"/checkout/{order_id}/cancelled", 303) == f"/checkout/{order_id}"


def test_the_mails_key_opens_one_receipt_anywhere(
    shop: Flask, place: PlaceOrder, settle: Callable[..., None]
):
    order_id, other_id = place(), place(quantity=3)
    settle(order_id)
    settle(other_id)
    with shop.test_request_context():
        orders = {o.public_id: o for o in db.session.scalars(db.select(Order))}
        key, other = (receipts.key_of(orders[i].receipt) for i in (order_id, other_id))
    stranger = ClientRequest(shop.test_client())
    assert stranger.get(f"/checkout/{order_id}/receipt?key={key}").select(".back") == []
    for wrong in (other, key[:-1], "", "é", key.upper()):
        stranger.get(f"/checkout/{order_id}/receipt?key={wrong}", 404)
    stranger.get(f"/checkout/{order_id}?key={key}", 404)


def test_the_receipt_mail_and_its_twin_say_the_same(
    shop: Flask, place: PlaceOrder, settle: Callable[..., None]
):
    from app import mail

    settle(place(quantity=2))
    with shop.test_request_context():
        message = db.session.scalars(db.select(Mail)).one()
        mail.render(message)
        assert message.subject.startswith("Receipt 20") and "Fernway Press" in message.subject
        for part in (message.html, message.text):
            assert "€58.00" in part and "Includes VAT 19%: " in part and "Visa ending 4242" in part
            assert "/receipt?key=" in part
        assert "&amp;" not in message.text and "<" not in message.text.replace("<-", "")


def test_cancelled_names_the_money_and_what_cancelling_does(visitor: ClientRequest, place: PlaceOrder):
    order_id = place("press-evening-eur-v1", 2)
    page = visitor.get(f"/checkout/{order_id}/cancelled")
    assert page.one("h1").text == "You left before paying"
    assert page.one(f"form[action=/checkout/{order_id}/resume] button").text == "Go on to payment of €240.00"
    assert "back on sale" in page.one(".apart").text


def test_nobody_else_sees_an_order(shop: Flask, place: PlaceOrder):
    order_id = place()
    stranger = ClientRequest(shop.test_client())
    for path in ("", "/state", "/receipt", "/cancelled"):
        stranger.get(f"/checkout/{order_id}{path}", 404)
    stranger.get("/checkout/return?session_id=cs_test_aaaaaaaaaaaa", 404)
    stranger.get("/checkout/return?session_id=../etc", 404)


def test_a_session_past_its_time_is_asked_about_not_opened(
    shop: Flask, visitor: ClientRequest, place: PlaceOrder, travel: Callable[..., None]
):
    """Stripe cannot be reached here; what matters is that nobody is sent to a page that has closed."""
    order_id = place()
    travel(hours=2)
    token = visitor.get(f"/checkout/{order_id}").select("input[name=csrf_token]")[0]["value"]
    where = visitor.post(f"/checkout/{order_id}/resume", {"csrf_token": token})
    assert path_of(where) == f"/checkout/{order_id}?unsure=1"


def test_a_changed_total_is_confirmed_with_the_new_one(visitor: ClientRequest):
    page = visitor.get("/offers/field-guide")
    confirm = visitor.post("/checkout", {**sent(page), "quantity": "2"}, 409)
    assert confirm.one("h1").text == "The total is now €58.00"
    assert "No money was taken." in confirm.one(".lede").text
    fields = {i["name"]: i["value"] for i in confirm.select("main form input")}
    assert (fields["quantity"], fields["seen_total"]) == ("2", "5800")
    assert confirm.one("main form button").text == "Pay €58.00"


def test_a_form_without_its_token_orders_nothing(visitor: ClientRequest, client: FlaskClient, shop: Flask):
    page = visitor.get("/offers/field-guide")
    visitor.post("/checkout", {**sent(page), "csrf_token": "forged"}, 400)
    with shop.app_context():
        assert db.session.query(Order).count() == 0


def test_a_cancelled_session_whose_expiry_is_told_first_is_cancelled_not_expired(
    shop: Flask, visitor: ClientRequest, place: PlaceOrder, settle: Callable[..., None]
):
    """Our own request makes Stripe tell of the expiry, which the worker may hear before that request is answered."""
    order_id = place("press-evening-eur-v1")
    with shop.test_request_context():
        gateway.prepare("checkout.sessions.expire", {}, idempotency_key=f"order:{order_id}:expire")
        db.session.commit()
    settle(order_id, status="expired", payment_status="unpaid")
    page = visitor.get(f"/checkout/{order_id}/cancelled")
    assert page.one("h1").text == "This order is cancelled"
    assert "What was kept for you is on sale again." in page.one(".lede").text


def test_a_paid_page_waits_a_moment_for_how_it_was_paid(
    shop: Flask, visitor: ClientRequest, place: PlaceOrder, settle: Callable[..., None], travel
):
    order_id = place()
    settle(order_id)
    with shop.app_context():
        db.session.scalars(db.select(Payment)).one().method = None
        db.session.commit()
    assert visitor.get(f"/checkout/{order_id}").one("live-state").get("src")
    travel(minutes=2)
    assert not visitor.get(f"/checkout/{order_id}").one("live-state").get("src")
