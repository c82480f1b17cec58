"""Signing in: answers that tell a guesser nothing, ways back that stay on this site, and a fence around guessing."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import pytest
from flask import Flask

from tests.account.people import PASSWORD, account, signed_in, token
from tests.infra.html import Element
from tests.infra.shop import ClientRequest


@pytest.fixture
def visitor(app: Flask) -> ClientRequest:
    return ClientRequest(app.test_client())


def send(visitor: ClientRequest, status: int = 302, query: str = "", **values: str) -> Element | str:
    return visitor.submit(f"/login{query}", "main form", status, **values)


def test_the_right_password_leads_staff_to_the_console(app: Flask, visitor: ClientRequest) -> None:
    address = account(app, "viewer")
    assert send(visitor, email=f" {address.upper()} ", password=PASSWORD) == "/account"
    visitor.get("/account", 303)
    assert visitor.response.location == "/ops"
    assert "Overview" in visitor.get("/ops").one("h1").text


def test_a_customer_is_led_to_the_shop(app: Flask) -> None:
    customer = signed_in(app)
    customer.get("/account", 303)
    assert customer.response.location == "/"


def test_a_wrong_password_and_an_unknown_address_are_told_the_same(
    app: Flask, visitor: ClientRequest
) -> None:
    known = account(app, "owner")
    pages = []
    for address in (known, "nobody@shop.test"):
        page = send(visitor, 422, email=address, password="wrong horse battery")
        assert page.one("input[name=email]")["value"] == address
        assert "value" not in page.one("input[type=password]").attributes
        pages.append([item.text for item in page.select(".problem li, .err")])
    assert pages[0] == pages[1]
    assert pages[0] == [
        "The email address or the password is not right",
        "Error: The email address or the password is not right",
    ]
    assert page.one("title").text.startswith("Error:")


@pytest.mark.parametrize(
    ("email", "password", "said"),
    [
        ("", "", ["Enter an email address like name@example.com", "Enter your password"]),
        ("nonsense", "x", ["Enter an email address like name@example.com"]),
        ("a@b@c", "x", ["Enter an email address like name@example.com"]),
        ("me@shop.test", "", ["Enter your password"]),
        ("me@shop.test\x00", "x", ["Enter an email address like name@example.com"]),
        ("x" * 5000 + "@shop.test", "x", ["Enter an email address like name@example.com"]),
    ],
)
def test_what_cannot_be_right_is_said_before_anybody_is_looked_for(
    visitor: ClientRequest, email: str, password: str, said: list[str]
) -> None:
    page = send(visitor, 422, email=email, password=password)
    assert [item.text for item in page.select(".problem li")] == said
    for item in page.select(".problem a"):
        assert page.select(item["href"])


def test_a_disabled_account_stays_out(app: Flask, visitor: ClientRequest) -> None:
    from app.extensions import db, security

    address = account(app, "owner")
    with app.app_context():
        security.datastore.find_user(email=address).active = False
        db.session.commit()
    send(visitor, 422, email=address, password=PASSWORD)
    visitor.get("/ops", 302)


def test_signing_in_leads_back_to_where_one_was_stopped(app: Flask, visitor: ClientRequest) -> None:
    address = account(app, "viewer")
    visitor.get("/ops/orders?state=paid&q=4242", 302)
    stopped = visitor.response.location
    assert stopped == "/login?next=/ops/orders?state%3Dpaid%26q%3D4242"
    assert visitor.submit(stopped, "main form", 302, email=address, password=PASSWORD) == (
        "/ops/orders?state=paid&q=4242"
    )


ELSEWHERE = [
    "https://evil.example/",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "\\\\evil.example",
    "/\\evil.example",
    "/\\/evil.example",
    "\t//evil.example",
    " //evil.example",
    "\n//evil.example",
    "https:evil.example",
    "https:///evil.example",
    "http://localhost@evil.example",
    "http://evil.example#localhost",
    "javascript:alert(1)",
    "data:text/html,x",
    "/%09/evil.example",
    "/%2f/evil.example",
    "http://localhost.evil.example",
    "%2f%2fevil.example",
]


@pytest.mark.parametrize("place", ["query", "form"])
def test_nobody_is_led_elsewhere(app: Flask, place: str) -> None:
    address = account(app, "viewer")
    for next_url in ELSEWHERE:
        visitor = ClientRequest(app.test_client())
        query = f"?next={quote(next_url, safe='')}" if place == "query" else ""
        values = {"next": next_url} if place == "form" else {}
        target = send(visitor, 302, query, email=address, password=PASSWORD, **values)
        parts = urlsplit(str(target).replace("\\", "/"))
        assert (parts.scheme, parts.netloc) == ("", ""), (next_url, target)
        assert not str(target).startswith(("//", "/\\", "\\")), (next_url, target)


def test_signing_out_needs_the_token_and_ends_it(app: Flask) -> None:
    someone = signed_in(app, "owner")
    someone.get("/ops")
    assert someone.client.get("/logout").status_code == 405
    assert someone.client.post("/logout").status_code == 400
    someone.post("/logout", {"csrf_token": token(someone)}, 302)
    someone.get("/ops", 302)


def test_ten_wrong_guesses_from_a_network_are_the_last(app: Flask) -> None:
    address = account(app, "owner")
    for number in range(10):
        guesser = ClientRequest(app.test_client())
        guesser.client.environ_base["REMOTE_ADDR"] = f"203.0.113.{number}"
        send(guesser, 422, email=address, password="wrong horse battery")
    guesser.get("/login")
    page = guesser.post("/login", {"csrf_token": token(guesser), "email": address, "password": PASSWORD}, 429)
    assert "Too many requests" in page.one("h1").text
    elsewhere = ClientRequest(app.test_client())
    elsewhere.client.environ_base["REMOTE_ADDR"] = "198.51.100.1"
    send(elsewhere, email=address, password=PASSWORD)


def test_an_office_signs_in_as_often_as_it_likes(app: Flask) -> None:
    address = account(app, "viewer")
    for _ in range(12):
        send(ClientRequest(app.test_client()), email=address, password=PASSWORD)


def test_sign_in_pages_are_kept_by_nobody(visitor: ClientRequest) -> None:
    for path in ("/login", "/reset"):
        visitor.get(path)
        assert visitor.response.headers["Cache-Control"] == "no-store"
        assert "noindex" in visitor.response.get_data(as_text=True)
