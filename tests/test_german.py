"""The shop in German: every page, mail and refusal, without an English sentence left between the German ones."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel.dates import format_date
from flask import Flask, abort
from flask.testing import FlaskClient

from app import clock
from app.billing import checkout, payments, settlement
from app.crypto import token_hash
from app.extensions import db, mean_to_write
from app.models import Mail, Offer, Order
from tests.account.people import account, signed_in
from tests.billing import sessions
from tests.infra import html
from tests.infra.shop import ClientRequest
from tests.ops.conftest import stored_event
from tests.test_translations import PLACEHOLDER, catalogue, forms, messages

GERMAN = {"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}
VISITOR = "the visitor's own secret"
SAID = ("title", "alt", "aria-label", "placeholder", "content", "data-sending", "data-title", "data-pause")


def english(text: str) -> list[str]:
    """The catalogue's English sentences, of three words and more, that stand in the text."""
    text = " ".join(text.split())
    found = []
    for key, message in messages(catalogue("de")).items():
        for form in key:
            parts = [" ".join(part.split()) for part in PLACEHOLDER.split(form)]
            if len(" ".join(parts).split()) < 3 or form in forms(message.string):
                continue
            if max(parts, key=len) in text and re.search(r".{1,200}?".join(map(re.escape, parts)), text):
                found.append(form)
    return found


def words(page: html.Element) -> str:
    """All a page says, to eyes and ears."""
    spoken = [element.get(name) for element in page.walk() for name in SAID if element.get(name)]
    return "\n".join([page.text, *spoken])


class German(ClientRequest):
    """A visitor whose browser asks for German, and who notices whatever is not."""

    def __init__(self, client: FlaskClient) -> None:
        super().__init__(client)
        client.environ_base["HTTP_ACCEPT_LANGUAGE"] = GERMAN["Accept-Language"]

    def _page_or_address(self, path: str, status: int) -> html.Element | str:
        page = super()._page_or_address(path, status)
        if isinstance(page, html.Element):
            assert page.one("html")["lang"] == "de", path
            assert english(words(page)) == [], path
        return page


@pytest.fixture
def shop(app: Flask) -> Flask:
    """The application with the sample catalogue on sale."""
    with app.app_context():
        sessions.stock_shop()
    return app


@pytest.fixture
def german(shop: Flask, client: FlaskClient) -> German:
    with client.session_transaction() as session:
        session["visitor"] = VISITOR
    return German(client)


def placed(shop: Flask, price: str = "field-guide-eur-v1", quantity: int = 1, **changes: Any) -> str:
    """An open order of the visitor, placed in German, changed so; its id."""
    with shop.test_request_context(headers=GERMAN):
        order = sessions.open_order(price, quantity, token_hash(VISITOR))
        for name, value in {"locale": "de", **changes}.items():
            setattr(order, name, value)
        db.session.commit()
        return order.public_id


def settled(shop: Flask, order_id: str, **changes: Any) -> None:
    """The order's session came back paid, with `changes` to it."""
    with shop.test_request_context():
        mean_to_write()
        order = db.session.scalars(db.select(Order).where(Order.public_id == order_id)).one()
        settlement.settle(sessions.session_of(order, **changes), actor="stripe")
        payments.sync_charge(sessions.charge_of(order), actor="stripe")
        db.session.commit()


def test_english_is_noticed(shop: Flask, client: FlaskClient):
    page = html.parse(client.get("/offers/field-guide", headers={"Accept-Language": "en"}).text)
    found = english(words(page))
    assert "%(price)s, paid once." in found and "Skip to main content" in found


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/?interval=year", "/?currency=jpy", "/help", "/status", "/login", "/reset"),
        *("/offers/reader", "/offers/studio?interval=year", "/offers/field-guide?currency=jpy&quantity=3"),
        "/offers/press-evening",
    ],
)
def test_every_page_anybody_may_open(german: German, path: str):
    german.get(path, 503 if path == "/status" and german.client.get(path).status_code == 503 else 200)


def test_an_empty_shop(client: FlaskClient):
    page = German(client).get("/")
    assert "Noch ist nichts im Verkauf" in page.one("main").text


def test_sums_and_dates_are_written_as_in_german(shop: Flask, german: German):
    page = german.get("/offers/field-guide?quantity=50")
    assert page.one("#sum .total dd").text == "1.450,00 €"
    assert page.one("button[form=pay]").text == "1.450,00 € zahlen"
    order_id = placed(shop)
    settled(shop, order_id)
    sentence = german.get(f"/checkout/{order_id}/receipt").one(".lede").text
    day = format_date(clock.now().astimezone(ZoneInfo("Europe/Berlin")), "d. MMMM y", locale="de")
    assert sentence == f"29,00 €, bezahlt am {day} mit Visa (Endziffern 4242)."


@pytest.mark.parametrize("quantity", ["0", "x", "99", "13"])
def test_a_quantity_that_cannot_be_bought(german: German, quantity: str):
    page = german.get(f"/offers/press-evening?quantity={quantity}", 422)
    assert page.one("title").text.startswith("Fehler:")
    assert "Geben Sie" in page.one("#quantity-err").text


def test_sold_out(shop: Flask, german: German):
    with shop.app_context():
        mean_to_write()
        db.session.scalars(db.select(Offer).where(Offer.slug == "press-evening")).one().available = 0
        db.session.commit()
    german.get("/")
    assert "Ausverkauft" in german.get("/offers/press-evening").one("aside").text


def test_a_price_that_has_changed_is_confirmed(german: German):
    from tests.storefront.conftest import sent

    form = sent(german.get("/offers/field-guide"))
    page = german.post("/checkout", {**form, "seen_total": "1"}, 409)
    assert page.one("h1").text == "Der Betrag ist jetzt 29,00 €"


STATES = [
    *(
        {"state": state}
        for state in ("pending", "open", "processing", "held", "expired", "canceled", "failed")
    ),
    {"state": "failed", "reason": "async_payment_failed"},
]


@pytest.mark.parametrize("changes", STATES, ids=lambda changes: changes.get("reason") or changes["state"])
def test_an_order_in_each_state(shop: Flask, german: German, changes: dict[str, Any]):
    order_id = placed(shop, **changes)
    german.get(f"/checkout/{order_id}")
    german.get(f"/checkout/{order_id}?unsure=1")
    fragment = german.client.get(f"/checkout/{order_id}/state").get_data(as_text=True)
    assert english(html.parse(fragment).text) == []
    if changes["state"] in ("open", "canceled"):
        german.get(f"/checkout/{order_id}/cancelled")
    german.get("/offers/field-guide")


def test_a_reserved_order_says_until_when(shop: Flask, german: German):
    order_id = placed(shop, "press-evening-eur-v1")
    text = german.get(f"/checkout/{order_id}").one("main").text
    assert re.search(r"Für Sie aufgehoben bis \d+\. \w+, \d\d:\d\d MES?Z\.", text)
    german.get(f"/checkout/{order_id}/cancelled")


def test_a_paid_order_and_its_receipt_mail(shop: Flask, german: German):
    order_id = placed(shop, quantity=2)
    settled(shop, order_id)
    page = german.get(f"/checkout/{order_id}")
    assert page.one("h1").text == "Vielen Dank, es ist bezahlt"
    assert ") bezahlt. Der Beleg 20" in page.one(".lede").text
    message = mailed(shop)
    assert message.locale == "de" and message.subject.startswith("Beleg 20")
    assert "58,00 €" in html.parse(message.html).text and "58,00\xa0€" in message.text


def mailed(shop: Flask) -> Mail:
    """The one mail there is, rendered; it must be German on both sides."""
    from app import mail

    with shop.app_context():
        message = db.session.scalars(db.select(Mail)).one()
        mail.render(message)
        assert '<html lang="de">' in message.html
        for part in (html.parse(message.html).text, message.text, message.subject):
            assert english(part) == []
        db.session.expunge(message)
        return message


def test_the_order_s_language_goes_along_to_checkout(shop: Flask):
    with shop.test_request_context():
        mean_to_write()
        order = checkout.place_order(sessions.decision(locale="de"), sessions.signals())
        assert checkout.session_parameters(order)["locale"] == "de"
        assert order.locale == "de"


def test_a_new_password(shop: Flask, german: German):
    from tests.account.test_reset import link_for, run_tasks

    address = account(shop, "viewer")
    german.submit("/reset", "main form", email=address)
    assert "unterwegs" in german.get("/reset").one(".note").text
    run_tasks(shop)
    assert mailed(shop).subject == "Neues Passwort setzen"
    link = link_for(shop, address)
    german.submit(link, "main form", 422, password="short", password_confirm="other")
    german.submit(
        link, "main form", 302, password="ein langes Passwort", password_confirm="ein langes Passwort"
    )
    german.get("/login")
    german.get(link, 302)
    german.get("/reset")


def test_signing_in_with_the_wrong_password(german: German):
    page = german.submit("/login", "main form", 422, email="a@shop.test", password="wrong")
    assert "stimmt nicht" in page.one(".problem").text
    german.submit("/login", "main form", 422, email="a", password="")


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 413, 415, 418, 422, 429, 500, 503])
def test_every_refusal(shop: Flask, german: German, status: int):
    from sqlalchemy.exc import OperationalError

    def fail() -> None:
        if status == 500:
            raise RuntimeError
        if status == 503:
            raise OperationalError("", {}, Exception())
        abort(status)

    shop.add_url_rule("/fail", "fail", fail)
    shop.config["PROPAGATE_EXCEPTIONS"] = False
    page = german.get("/fail", status)
    assert f"Fehler {status}" in page.one(".reference").text


def test_what_stripe_s_refusals_are_called(shop: Flask, german: German):
    from app.gateway import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    kinds = [kind for kind in kinds if issubclass(kind, errors.StripeFailure)]

    def fail(number: int) -> None:
        raise kinds[number]

    shop.add_url_rule("/stripe/<int:number>", "stripe", fail)
    for number, kind in enumerate(kinds):
        page = german.get(f"/stripe/{number}", kind.http)
        assert "Es wurde kein Geld abgebucht." in page.one(".lede").text


def test_the_console(shop: Flask):
    paid, held = placed(shop), placed(shop, flagged=True, flags=["high_amount", "rapid_payments"])
    settled(shop, paid)
    settled(shop, held, amount_total=2000)
    staff = German(signed_in(shop, "owner").client)
    for page in (
        "",
        "/orders",
        "/payments",
        "/flagged",
        "/events",
        "/orders?q=nothing",
        "/events?state=dead",
    ):
        staff.get(f"/ops{page}")
    for order_id in (paid, held, *(placed(shop, **changes) for changes in STATES)):
        staff.get(f"/ops/orders/{order_id}")
    for state in ("waiting", "running", "done", "ignored", "refused", "dead"):
        event = stored_event(shop, stripe_event_id=f"evt_{state}", state=state, attempts=2)
        staff.get(f"/ops/events/{event}")
    assert "mehr wert als 100.000 $." in staff.get("/ops/flagged").one("table").text
