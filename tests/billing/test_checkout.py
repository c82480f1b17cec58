"""Placing an order: the server's catalogue decides, one decision gives one order, stock is never oversold."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import scoped_session

from app import clock
from app.billing import checkout, funnel, offers, stock
from app.errors import AppError
from app.extensions import db, mean_to_write
from app.models import FunnelStep, HistoryEntry, Offer, Order, OrderState, Price, StockState, StripeCall
from app.money import Money
from tests.billing.sessions import decision, open_order, session_of, signals, stock_shop
from tests.infra import databases


def count(session: scoped_session, model: type) -> int:
    return session.scalar(select(func.count()).select_from(model))


def test_the_order_and_its_call_are_written_together(shop: scoped_session) -> None:
    order = checkout.place_order(decision(quantity=2, source={"utm_source": "letter"}), signals())
    shop.commit()
    assert (order.state, order.total, order.source) == (
        OrderState.PENDING,
        Money(5800, "eur"),
        {"utm_source": "letter"},
    )
    call = shop.scalars(select(StripeCall)).one()
    assert call.idempotency_key == f"order:{order.public_id}:session"
    assert call.parameters["line_items"][0]["quantity"] == 2
    assert call.parameters["metadata"]["created_via"] == "countinghouse"
    assert call.parameters["allow_promotion_codes"] is True
    assert [step.step for step in shop.scalars(select(FunnelStep))] == ["started"]
    assert {entry.kind for entry in shop.scalars(select(HistoryEntry))} == {"requested", "screened"}


def test_the_same_page_sent_twice_is_one_order(shop: scoped_session) -> None:
    sent = decision()
    first = checkout.place_order(sent, signals())
    shop.commit()
    assert checkout.place_order(sent, signals()) is first
    with pytest.raises(AppError) as refused:
        checkout.place_order(sent, signals("somebody else"))
    assert refused.value.status == 404


def test_the_same_basket_in_two_tabs_is_one_order(shop: scoped_session) -> None:
    first = open_order()
    assert checkout.place_order(decision(), signals()).id == first.id
    assert checkout.place_order(decision(), signals("another")).id != first.id
    assert checkout.place_order(decision(quantity=2), signals()).id != first.id


def test_a_changed_price_must_be_confirmed(shop: scoped_session) -> None:
    with pytest.raises(checkout.PriceChanged) as changed:
        checkout.place_order(decision(seen_total=2899), signals())
    assert changed.value.quote.total == Money(2900, "eur")
    assert count(shop, Order) == 0


@pytest.mark.parametrize("key", ["reader-eur-month-v1", "no-such-price", "field-guide-usd-v1"])
def test_only_what_is_on_sale_is_sold(shop: scoped_session, key: str) -> None:
    with pytest.raises(AppError):
        checkout.place_order(
            checkout.Decision(price_key=key, quantity=1, seen_total=900, decision_key="k" * 20), signals()
        )


def test_totals_stripe_would_refuse_are_refused_first(shop: scoped_session) -> None:
    price = offers.price_on_sale("field-guide-eur-v1")
    for amount, code in ((49, "amount_too_small"), (99_999_999, "amount_too_large")):
        price.unit_amount = amount
        shop.commit()
        quantity = 1 if amount == 49 else 2
        with pytest.raises(AppError) as refused:
            checkout.place_order(decision(quantity=quantity), signals())
        assert (refused.value.status, refused.value.code) == (422, code)


@databases.both
def test_the_last_one_is_sold_once(app: Flask) -> None:
    """Twenty buyers press at the same time for a stock of three."""
    with app.app_context():
        stock_shop()
        offer = db.session.scalars(select(Offer).where(Offer.slug == "press-evening")).one()
        offer.stock = offer.available = 3
        db.session.commit()
        sent = [decision("press-evening-eur-v1") for _ in range(20)]
    start, won, lost = threading.Barrier(20), [], []

    def buy(number: int) -> None:
        with app.app_context():
            mean_to_write()
            start.wait()
            try:
                won.append(checkout.place_order(sent[number], signals(f"v{number}")).public_id)
                db.session.commit()
            except stock.SoldOut:
                db.session.rollback()
                lost.append(number)

    threads = [threading.Thread(target=buy, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (3, 17)
    with app.app_context():
        offer = db.session.scalars(select(Offer).where(Offer.slug == "press-evening")).one()
        assert offer.available == 0
        assert offer.sold_out


@databases.both
def test_ten_clicks_at_once_are_one_order(app: Flask) -> None:
    with app.app_context():
        stock_shop()
        same, mixed = decision(), [decision() for _ in range(5)]
    clicks = [same] * 5 + mixed
    start, orders = threading.Barrier(10), []

    def click(sent: checkout.Decision) -> None:
        with app.app_context():
            mean_to_write()
            start.wait()
            orders.append(checkout.place_order(sent, signals()).public_id)
            db.session.commit()

    threads = [threading.Thread(target=click, args=(sent,)) for sent in clicks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(orders) == 10
    assert len(set(orders)) == 1


def test_a_session_is_noted_once(shop: scoped_session) -> None:
    order = open_order()
    before = order.session_url
    checkout.note_session(order, session_of(order, id="cs_test_other", url="http://elsewhere"))
    assert (order.state, order.session_url) == (OrderState.OPEN, before)
    assert checkout.open_session(order) == before


def test_an_order_belongs_to_its_browser(shop: scoped_session) -> None:
    order = open_order()
    assert checkout.of_visitor(order.public_id, "visitor") is order
    assert checkout.of_visitor(order.public_id, "somebody else") is None
    assert checkout.of_session(order.stripe_checkout_session_id, "visitor") is order
    assert checkout.of_session(order.stripe_checkout_session_id, "somebody else") is None


def test_an_order_left_pending_too_long_is_given_up(shop: scoped_session, travel) -> None:
    order = checkout.place_order(decision("press-evening-eur-v1"), signals())
    shop.commit()
    travel(minutes=61)
    checkout.reopen(order.public_id)
    shop.commit()
    assert (order.state, order.reason, order.stock_state) == (
        OrderState.EXPIRED,
        "never_opened",
        StockState.RELEASED,
    )
    assert checkout.open_session(order) is None
    assert checkout.cancel(order) is False


def test_the_sweeper_finds_what_nobody_followed_up(shop: scoped_session, travel) -> None:
    pending = checkout.place_order(decision(), signals("a"))
    shop.commit()
    open_order(visitor="b")
    assert checkout.sweep() == {"orders": 0}
    shop.rollback()
    travel(hours=2)
    assert checkout.sweep() == {"orders": 2}
    assert pending.created_at < clock.now() - timedelta(hours=1)


def test_sources_hold_no_personal_data() -> None:
    query = {"utm_source": "letter", "utm_campaign": "x" * 300, "email": "a@b.example", "gclid": "abc"}
    source = funnel.source_of(query, "https://news.example/article?user=1", "shop.example")
    assert source == {"utm_source": "letter", "utm_campaign": "x" * 100, "referrer": "news.example"}
    assert funnel.source_of({}, "https://shop.example/", "shop.example") == {}
    assert funnel.source_of({}, "http://[broken", "shop.example") == {}


def test_quotes_name_the_tax_inside_and_the_tax_added(shop: scoped_session) -> None:
    euro = offers.quote(offers.price_on_sale("field-guide-eur-v1"), 3)
    assert (euro.subtotal.amount, euro.tax.amount, euro.total.amount, euro.tax_inside) == (
        8700,
        1389,
        8700,
        True,
    )
    yen = offers.quote(offers.price_on_sale("field-guide-jpy-v1"), 3)
    assert (yen.subtotal.amount, yen.tax.amount, yen.total.amount, yen.tax_inside) == (
        14400,
        1440,
        15840,
        False,
    )
    price: Price = offers.price_on_sale("field-guide-eur-v1")
    price.tax_rate = None
    assert offers.quote(price, 1).tax == Money(0, "eur")
    assert price.tax_behavior == "unspecified"
