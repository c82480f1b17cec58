"""One order's page: its state in a sentence, its sums, what happened, and the buttons a person may press."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.account.people import signed_in, token
from tests.billing.sessions import charge_of, intent_of, open_order, session_of
from tests.infra import ports
from tests.infra.shop import ClientRequest
from tests.ops.conftest import settled


def text(page: Any, selector: str = "main") -> str:
    return str(page.one(selector).text)


def brought_to(shop: Flask, state: str) -> str:
    """An order in that state, by the ways that lead there."""
    from app.billing import checkout, settlement
    from app.extensions import db, mean_to_write
    from app.models import OrderState

    with shop.app_context():
        mean_to_write()
        order = open_order()
        if state == "pending":
            order.state = OrderState.PENDING
        elif state == "processing":
            settlement.settle(session_of(order, payment_status="unpaid"), actor="stripe")
        elif state == "failed":
            settlement.settle(session_of(order, payment_status="unpaid"), actor="stripe", async_failed=True)
        elif state == "expired":
            settlement.settle(session_of(order, status="expired"), actor="stripe")
        elif state == "canceled":
            order.move_to(OrderState.CANCELED, actor="buyer")
            checkout.close(order)
        db.session.commit()
        assert order.state == state
        return str(order.public_id)


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("pending", "nothing was charged"),
        ("open", "No money was taken so far."),
        ("processing", "the money is on its way"),
        ("failed", "No money was taken. The delayed payment did not arrive."),
        ("expired", "The buyer did not pay in time. No money was taken."),
        ("canceled", "The buyer went back and let it go. No money was taken."),
    ],
)
def test_the_page_opens_with_its_state(
    shop: Flask, operator: ClientRequest, state: str, sentence: str
) -> None:
    page = operator.get(f"/ops/orders/{brought_to(shop, state)}")
    assert sentence in text(page, ".lede")
    assert "Nothing is booked" in text(page)
    assert "Ask Stripe again" in text(page, "aside")


def test_a_paid_order_shows_its_sums_and_books(shop: Flask, operator: ClientRequest) -> None:
    from app.billing import payments
    from app.extensions import db, mean_to_write
    from app.models import Order

    public_id = settled(shop)
    page = operator.get(f"/ops/orders/{public_id}")
    assert "receipt 20" in text(page, ".lede")
    assert "Stripe’s feenot yet known" in text(page)
    assert "Paid€29.00" in text(page, ".statement")
    assert "Includes VAT 19" in text(page, ".statement-note")
    assert "Ask Stripe again" not in text(page)
    sale = [row.text for row in page.select("table.data")[0].select("tr")]
    assert sale == [
        "AccountDebitCredit",
        "Stripe clearingEUR 29.00",
        "RevenueEUR 24.37",
        "Tax payableEUR 4.63",
        "SumEUR 29.00EUR 29.00",
    ]
    with shop.app_context():
        mean_to_write()
        order = db.session.scalars(db.select(Order)).one()
        payments.sync_intent(intent_of(order), actor="stripe")
        payments.sync_charge(charge_of(order), actor="stripe")
        payments.post_fee(
            {
                "id": "txn_1",
                "source": f"ch_{public_id}",
                "amount": 2900,
                "fee": 67,
                "net": 2833,
                "currency": "eur",
                "created": 1790000000,
            }
        )
        db.session.commit()
    facts = text(operator.get(f"/ops/orders/{public_id}"))
    assert "Stripe’s fee€0.67" in facts
    assert "Net€28.33" in facts
    assert "Visa ending 4242" in facts


def test_the_timeline_tells_the_way_newest_first(shop: Flask, operator: ClientRequest) -> None:
    page = operator.get(f"/ops/orders/{settled(shop)}")
    titles = [entry.text for entry in page.select("ol.line .top span") if "€" not in entry.text]
    assert titles == [
        "Mail queued: Receipt",
        titles[1],
        "Order paid",
        "Screening found nothing",
        "Payment succeeded",
        "Checkout opened",
        "Screening found nothing",
        "Order placed",
    ]
    assert titles[1].startswith("Receipt 20")


def test_a_held_order_says_why_and_what_releasing_does(
    shop: Flask, held: str, operator: ClientRequest
) -> None:
    page = operator.get(f"/ops/orders/{held}")
    assert text(page, "h1").startswith("€20.00 from visitor@example.com")
    assert "where €29.00 was agreed. It waits for your decision." in text(page, ".lede")
    assert "The total at Stripe is not what price, discount and tax add up to." in text(page, ".note.warn")
    aside = text(page, "aside")
    assert "€20.00 moves from suspense into revenue and tax, a receipt over this amount is issued" in aside
    assert page.one("aside form button").text == "Release €20.00"


def test_a_viewer_sees_no_button(shop: Flask, held: str) -> None:
    viewer = signed_in(shop, "viewer")
    for path in (f"/ops/orders/{held}", f"/ops/orders/{brought_to(shop, 'open')}"):
        assert not viewer.get(path).select("main form")


def test_what_a_buyer_calls_himself_stays_text(shop: Flask, operator: ClientRequest) -> None:
    from app.extensions import db, mean_to_write
    from app.models import Customer

    name = "<script>alert(1)</script>\" onload='x' {{ 7*7 }} %(num)s"
    public_id = settled(shop, amount_total=2000)
    with shop.app_context():
        mean_to_write()
        [customer] = db.session.scalars(db.select(Customer))
        customer.name = name
        customer.write_email("\"><img/src=x/onerror=alert(1)>'{{7*7}}%(who)s@example.com")
        db.session.commit()
    for path in (f"/ops/orders/{public_id}", "/ops/orders", "/ops/payments", "/ops/flagged", "/ops"):
        page = operator.get(path)  # which checks that nothing inline and no second form came in
        assert "<img/src=x/onerror=alert(1)>'{{7*7}}%(who)s" in text(page)
        assert not page.select("img")
    assert name in text(operator.get(f"/ops/orders/{public_id}"))


def test_where_an_order_came_from_is_said_and_escaped(shop: Flask, operator: ClientRequest) -> None:
    from app.extensions import db, mean_to_write
    from app.models import Order

    public_id = settled(shop)
    with shop.app_context():
        mean_to_write()
        order = db.session.scalars(db.select(Order)).one()
        order.source = {"utm_source": "<b>100%</b>", "referrer": "news.example", "odd": "1"}
        db.session.commit()
    said = text(operator.get(f"/ops/orders/{public_id}"))
    assert "source <b>100%</b>, from news.example, odd 1" in said


class TestWithoutStripe:
    """Stripe cannot be reached."""

    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "STRIPE_API_BASE": f"http://127.0.0.1:{ports.reserve()}"}

    def test_asking_says_so_and_changes_nothing(self, shop: Flask, operator: ClientRequest) -> None:
        public_id = brought_to(shop, "open")
        path = f"/ops/orders/{public_id}"
        operator.get(path)
        assert operator.post(f"{path}/sync", {"csrf_token": token(operator)}) == path
        page = operator.get(path)
        assert "Stripe gave no answer" in text(page, ".note.bad")
        assert "No money was taken so far." in text(page, ".lede")


def test_what_happens_seldom_is_told_as_well(shop: Flask, operator: ClientRequest) -> None:
    from app.billing import payments
    from app.extensions import db, mean_to_write
    from app.models import HistoryEntry

    with shop.app_context():
        mean_to_write()
        order = open_order()
        declined = {"code": "card_declined", "decline_code": "insufficient_funds", "message": "No."}
        failed = intent_of(order, "requires_payment_method", last_payment_error=declined)
        payments.sync_intent(failed, actor="stripe")
        HistoryEntry.write(order, "note", actor="stripe", subject="cs_other", data={"note": "second_session"})
        HistoryEntry.write(order, "odd", actor="somebody", subject="something", data={})
        HistoryEntry.write(
            order, "event", actor="stripe", subject="evt_1", data={"type": "payment_intent.payment_failed"}
        )
        db.session.commit()
        public_id = order.public_id
    page = operator.get(f"/ops/orders/{public_id}")
    told = text(page, "ol.line")
    assert "Payment attempt failed" in told and "Stripe's code: insufficient_funds" in told
    assert "A second Checkout Session names this order; it was not settled" in told
    assert "Oddsomething" in told and "somebody" in told
    assert page.one("ol.line a")["href"] == "/ops/events/evt_1"
    assert "Failed becauseinsufficient_funds" in text(page)


class TestAtStripeItself:
    """The shop talks to Stripe, not to the simulator."""

    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "STRIPE_SECRET_KEY": "sk_test_of_the_merchant"}

    def test_a_payment_leads_to_stripes_dashboard(self, shop: Flask, operator: ClientRequest) -> None:
        public_id = settled(shop)
        [link] = operator.get(f"/ops/orders/{public_id}").select("a[href^=https]")
        assert link["href"] == f"https://dashboard.stripe.com/test/payments/pi_{public_id}"
