"""The console's lists: pages by key, search, filters, and what people write into addresses."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from flask import Flask

from tests.account.people import signed_in
from tests.billing.sessions import open_order
from tests.infra import databases
from tests.infra.shop import ClientRequest
from tests.ops.conftest import settled, stored_event

LISTS = ("/ops/orders", "/ops/payments", "/ops/events", "/ops/flagged")


def place(shop: Flask, count: int) -> list[str]:
    """That many open orders, oldest first."""
    from app.extensions import mean_to_write

    with shop.app_context():
        mean_to_write()
        return [open_order(visitor=f"visitor-{number}").public_id for number in range(count)]


def listed(page: object) -> list[str]:
    """The ids of the orders on a page, from its links."""
    return [
        link["href"].rpartition("/")[2]
        for link in page.select("table.data tbody a")  # type: ignore[attr-defined]
    ]


def test_pages_by_key_show_every_order_once(
    shop: Flask, operator: ClientRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ops.door.PAGE", 5)
    placed = place(shop, 12)[::-1]
    page = operator.get("/ops/orders?state=open")
    seen = listed(page)
    assert not page.select("a[rel=prev]")
    while older := page.select("a[rel=next]"):
        assert "state=open" in older[0]["href"]
        page = operator.get(older[0]["href"])
        seen += listed(page)
    assert seen == placed
    back = page
    while newer := back.select("a[rel=prev]"):
        back = operator.get(newer[0]["href"])
    assert listed(back) == placed[:5]


def test_a_list_that_emptied_behind_its_cursor_leads_back(shop: Flask, operator: ClientRequest) -> None:
    [oldest] = place(shop, 1)
    page = operator.get(f"/ops/orders?before={oldest}")
    assert "No order matches" in page.one("main").text
    assert page.select(".empty a")[0]["href"] == "/ops/orders"


def test_empty_lists_say_what_will_appear(shop: Flask, operator: ClientRequest) -> None:
    for path, words in (
        ("/ops", "No orders yet"),
        ("/ops/orders", "No orders yet"),
        ("/ops/payments", "No payments yet"),
        ("/ops/events", "No events yet"),
        ("/ops/flagged", "Nothing is flagged"),
    ):
        assert words in operator.get(path).one("main").text


def test_orders_are_found_by_whatever_names_them(shop: Flask, operator: ClientRequest) -> None:
    from app.extensions import db
    from app.models import Order

    public_id = settled(shop, visitor="amara")
    settled(shop, visitor="other")
    with shop.app_context():
        order = db.session.scalars(db.select(Order).where(Order.public_id == public_id)).one()
        [payment] = order.payments
        payment.card_last4, payment.stripe_charge_id = "4444", "ch_known"
        names = [public_id, order.stripe_checkout_session_id, order.receipt.number, "AMARA@example.com "]
        names += [payment.public_id, payment.stripe_payment_intent_id, "ch_known", "4444"]
        db.session.commit()
    for name in names:
        assert listed(operator.get(f"/ops/orders?q={quote(name)}")) == [public_id], name
    for name in (public_id, "ch_known", "4444", "amara@example.com"):
        assert listed(operator.get(f"/ops/payments?q={quote(name)}")) == [public_id], name
    assert "No order matches" in operator.get("/ops/orders?q=nobody@example.com").one("main").text
    assert operator.get("/ops/orders?q=4444").one("input[name=q]")["value"] == "4444"


def test_payments_and_events_are_narrowed_by_state(shop: Flask, operator: ClientRequest) -> None:
    settled(shop)
    stored_event(shop)
    assert listed(operator.get("/ops/payments?state=succeeded"))
    assert not listed(operator.get("/ops/payments?state=failed"))
    assert listed(operator.get("/ops/events?state=waiting&q=charge.updated")) == ["evt_1"]
    assert listed(operator.get("/ops/events?q=ch_1")) == ["evt_1"]
    assert not listed(operator.get("/ops/events?state=dead"))


REFUSED = [
    "before=nope",
    "after=nope",
    "before=ord_" + "x" * 300,
    "before=999999999999999999999999",
    "before=%F0%9F%92%A9",
    "before=%27%20OR%201=1--",
    "before=%00",
    "q=%00",
    "q=a%00b",
    "state=%00",
]
TAKEN = [
    "q=%27%20OR%201=1--",
    "q=%3Cscript%3Ealert(1)%3C/script%3E",
    "q=" + "x" * 5000,
    "q=%FF%FE",
    "q=%25%25_%5C",
    "q=@",
    "q[]=x&q[$ne]=1",
    "_scheme=javascript&_external=1&_anchor=x&_method=POST",
    "endpoint=ops.home&self=1&values=2",
    "q=%E2%80%AE%C2%A0",
    "before=&after=&state=",
]


@databases.both
def test_no_address_breaks_a_list(shop: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.ops.door.PAGE", 1)
    place(shop, 2)
    stored_event(shop)
    viewer = signed_in(shop, "viewer")
    for path in LISTS:
        for query in REFUSED:
            viewer.get(f"{path}?{query}", 400)
        for query in TAKEN:
            viewer.get(f"{path}?{query}")
    for path in ("/ops/orders", "/ops/payments", "/ops/events"):
        for state in ("PAID", "paid%20", "../paid", "%3Cb%3E", "None"):
            viewer.get(f"{path}?state={state}", 400)
    for path in ("/ops/orders/%00", "/ops/events/a%00b"):
        viewer.get(path, 400)


def test_a_pager_carries_nothing_but_the_filters(
    shop: Flask, operator: ClientRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ops.door.PAGE", 1)
    place(shop, 2)
    page = operator.get("/ops/orders?state=open&_scheme=https&_external=1&evil=%22onclick=")
    [older] = page.select("a[rel=next]")
    assert older["href"].startswith("/ops/orders?state=open&before=ord_")
    assert "evil" not in older["href"]
