"""The pages that sell: prices, tax and what happens next in words; switches that are links."""

import pytest
from flask import Flask

from app.extensions import db
from app.models import FunnelStep, Offer
from tests.infra.shop import ClientRequest
from tests.storefront.conftest import PlaceOrder, sent


def stock(shop: Flask, available: int) -> None:
    with shop.app_context():
        offer = db.session.scalars(db.select(Offer).where(Offer.slug == "press-evening")).one()
        offer.stock = offer.available = available
        db.session.commit()


def test_home_is_a_ladder_of_plans_and_what_is_bought_once(visitor: ClientRequest):
    page = visitor.get("/")
    assert page.one(".lede").text.startswith("A small press in Hamburg")
    assert [plan.one("h2").text for plan in page.select(".plan")] == [
        "Reader", "Studio", "House", "The Field Guide to Margins", "An evening at the press",
    ]  # fmt: skip
    studio = page.select(".plan")[1]
    assert studio.one(".cost").text == "€49.00 a month"
    assert studio.one(".then").text == (
        "Free for 14 days, then €49.00 a month until you cancel. Includes VAT 19%."
    )
    assert (
        page.select(".plan")[0]
        .one(".then")
        .text.startswith("€9.00 today, then €9.00 a month until you cancel.")
    )
    assert "12 left" in page.select(".plan")[4].text


def test_currency_and_interval_are_links_that_are_remembered(visitor: ClientRequest):
    page = visitor.get("/?currency=jpy&interval=year")
    chosen = [link.text for link in page.select(".switch a[aria-current]")]
    assert chosen == ["Japanese Yen", "Yearly"]
    assert page.select(".plan")[0].one(".cost").text == "¥15,400 a year"
    assert "¥14,000 plus Consumption tax 10%." in page.select(".plan")[0].one(".then").text
    assert visitor.get("/").select(".plan")[0].one(".cost").text == "¥15,400 a year"
    assert visitor.get("/offers/studio").one("#sum .total").text == "Each year¥86,900"


@pytest.mark.parametrize("query", ["currency=usd", "currency=", "interval=week", "currency=€"])
def test_what_is_not_sold_is_not_a_choice(visitor: ClientRequest, query: str):
    visitor.get(f"/?{query}", 404 if query != "currency=" else 200)


def test_an_offer_says_what_is_paid_and_the_button_names_it(visitor: ClientRequest):
    page = visitor.get("/offers/field-guide?quantity=3")
    assert page.one("#sum .statement").text == "The Field Guide to Margins × 3€87.00To pay today€87.00"
    assert page.one("#sum .statement-note").text == "Includes VAT 19%: €13.89"
    assert page.one("#sum button").text == "Pay €87.00"
    assert page.one("#sum a").get("href").endswith("/help#terms")
    fields = sent(page)
    assert (fields["quantity"], fields["seen_total"], fields["price"]) == ("3", "8700", "field-guide-eur-v1")


def test_tax_that_is_added_is_a_line(visitor: ClientRequest):
    page = visitor.get("/offers/field-guide?currency=jpy")
    assert page.one("#sum .statement").text == (
        "The Field Guide to Margins¥4,800Consumption tax 10%¥480To pay today¥5,280"
    )
    assert page.one("#sum button").text == "Pay ¥5,280"


def test_a_plan_has_no_dead_button(visitor: ClientRequest):
    page = visitor.get("/offers/studio")
    assert page.select("main form") == []
    assert "Free for 14 days, then €49.00 a month until you cancel." in page.one("#sum").text
    assert page.one("#sum .note a").get("href") == "/#products"


def test_sold_out_says_when_to_come_back(shop: Flask, visitor: ClientRequest):
    stock(shop, 0)
    page = visitor.get("/offers/press-evening")
    assert "within an hour is on sale again" in page.one("#sum").text
    assert page.select("main form") == []
    assert "Sold out" in visitor.get("/").select(".plan")[4].text


@pytest.mark.parametrize(
    ("available", "quantity", "says"),
    [
        (12, "13", "Only 12 are left: enter a number from 1 to 12"),
        (1, "2", "Only 1 is left: enter 1"),
        (12, "0", "Enter a whole number from 1 to 99"),
        (12, "", "Enter a whole number from 1 to 99"),
        (12, "٣", "Enter a whole number from 1 to 99"),
    ],
)
def test_a_quantity_that_cannot_be_bought(
    shop: Flask, visitor: ClientRequest, available: int, quantity: str, says: str
):
    stock(shop, available)
    page = visitor.get(f"/offers/press-evening?quantity={quantity}", 422)
    assert page.one("title").text.startswith("Error:")
    assert page.one(".problem li").text == says
    assert page.one(".err").text == f"Error: {says}"
    assert page.one("#quantity").get("value") == (quantity or "1")
    assert page.select("#sum button") == []


def test_update_total_goes_by_a_redirect(visitor: ClientRequest):
    page = visitor.get("/offers/field-guide?currency=jpy")
    where = visitor.post("/checkout", {**sent(page), "quantity": "4", "update": "1"})
    assert where == "/offers/field-guide?currency=jpy&quantity=4"
    assert visitor.get(where).one("#sum button").text == "Pay ¥21,120"
    visitor.post("/checkout", {**sent(page), "price": "nothing", "update": "1"}, 400)


def test_an_order_that_waits_is_offered_again(visitor: ClientRequest, place: PlaceOrder, shop: Flask):
    stock(shop, 1)
    order_id = place("press-evening-eur-v1")
    page = visitor.get("/offers/press-evening")
    note = page.one(".note")
    assert "1 × An evening at the press for €120.00. No money was taken." in note.text
    assert note.one("a")["href"] == f"/checkout/{order_id}"
    assert page.one("#sum").text.startswith("Sold out")


def test_looking_counts_once_a_page_not_once_a_total(visitor: ClientRequest, shop: Flask):
    for path in ("/offers/field-guide", "/offers/field-guide?quantity=2", "/offers/field-guide?quantity=3"):
        visitor.get(path)
    with shop.app_context():
        assert db.session.query(FunnelStep).count() == 1


def test_a_price_that_is_gone_or_not_in_this_currency(visitor: ClientRequest, shop: Flask):
    with shop.app_context():
        for price in db.session.scalars(db.select(Offer).where(Offer.slug == "reader")).one().prices:
            price.active = price.currency == "eur"
        db.session.commit()
    page = visitor.get("/offers/reader?currency=jpy")
    assert "No price in Japanese Yen" in page.one("#sum").text
    visitor.get("/offers/nothing", 404)


def test_an_empty_shop_says_so(app: Flask, client_request: ClientRequest):
    page = client_request.get("/")
    assert page.one(".empty h3").text == "Nothing is for sale yet"


def test_help_reaches_the_merchant(visitor: ClientRequest):
    page = visitor.get("/help")
    assert page.one(".lede a")["href"] == "mailto:help@fernway.example"
    assert page.one("#terms") and page.one("#feedback")
    assert "4242 4242 4242 4242" in page.one("table").text


def test_status_is_in_words(visitor: ClientRequest):
    page = visitor.get("/status")
    assert page.one(".lede").text.startswith("Everything works.")
    assert "Works" in page.one(".facts").text
