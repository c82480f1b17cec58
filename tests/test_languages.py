"""Which language a reader gets, and the switch: remembered, without a script, and never a way to another site."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_cookie

from app.languages import LANGUAGES, own_path
from tests.infra.shop import ClientRequest

ELSEWHERE = [
    "https://evil.test/",
    "//evil.test/",
    "///evil.test/",
    "/\\evil.test/",
    "\\\\evil.test/",
    "/\t/evil.test/",
    "/\n/evil.test/",
    " //evil.test/",
    "javascript:alert(1)",
    "evil.test",
    "http:///evil.test",
    "//[evil",
    "",
]


def language_of(visitor: ClientRequest, path: str = "/help", **options: object) -> str:
    return visitor.get(path, **options).one("html")["lang"]


@pytest.mark.parametrize(
    ("asked", "given_language"),
    [
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr", "en"),
        ("fr,de;q=0.2", "de"),
        ("", "en"),
        ("*", "en"),
        ("x" * 4000, "en"),
    ],
)
def test_the_browser_s_word_counts(client_request: ClientRequest, asked: str, given_language: str):
    assert language_of(client_request, headers={"Accept-Language": asked}) == given_language


def test_the_switch_names_each_language_in_itself(client_request: ClientRequest):
    page = client_request.get("/help")
    links = page.select("footer nav a[hreflang]")
    assert [(link["lang"], link.text) for link in links] == [("en", "English"), ("de", "Deutsch")]
    assert [link["hreflang"] for link in links if "aria-current" in link.attributes] == ["en"]
    assert page.one("footer nav.languages")["aria-label"] == "Language"


def test_a_choice_is_kept_and_leads_back_to_the_same_page(client_request: ClientRequest, client: FlaskClient):
    page = client_request.get("/help?from=here&also=a%20b")
    link = page.one("footer a[hreflang=de]")["href"]
    assert client_request.get(link, 303) == "/help?from=here&also=a%20b"
    answer = client_request.response
    cookie = answer.headers["Set-Cookie"]
    assert parse_cookie(cookie)["language"] == "de"
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=31536000"} <= set(cookie.split("; "))
    german = client_request.get("/help", headers={"Accept-Language": "en-GB,en"})
    assert german.one("html")["lang"] == "de" and german.one("h1").text == "Hilfe"
    client_request.get(german.one("footer a[hreflang=en]")["href"], 303)
    assert language_of(client_request, headers={"Accept-Language": "de"}) == "en"


def test_a_shop_with_tls_keeps_the_choice_under_tls(app: Flask):
    app.config["SESSION_COOKIE_SECURE"] = True
    cookie = app.test_client().get("/language/de").headers["Set-Cookie"]
    assert "Secure" in cookie.split("; ")


def test_a_cookie_that_names_no_language_is_passed_over(client: FlaskClient):
    client.set_cookie("language", "../../etc/passwd")
    assert '<html lang="de">' in client.get("/help", headers={"Accept-Language": "de"}).text


@pytest.mark.parametrize("back", ELSEWHERE)
def test_the_switch_never_leads_elsewhere(client: FlaskClient, back: str):
    answer = client.get("/language/de", query_string={"back": back})
    assert (answer.status_code, answer.location) == (303, "/")


def test_a_language_that_is_not_spoken_is_not_there(client_request: ClientRequest):
    client_request.get("/language/fr?back=/help", 404)
    assert "Set-Cookie" not in client_request.response.headers


def test_a_form_answered_in_place_leads_back_to_its_page(client: FlaskClient):
    referrer = {"Referer": "http://localhost/login?next=/ops"}
    answer = client.post("/login", data={"email": "a"}, headers=referrer)
    assert "/language/de?back=%2Flogin%3Fnext%3D%2Fops" in answer.text
    for odd in ("", "about:blank", "http://[", "https://evil.test//evil.test/"):
        answer = client.post("/login", data={"email": "a"}, headers={"Referer": odd})
        assert '/language/de?back=%2F"' in answer.text, odd


@given(st.one_of(st.text(), st.text("/\\.:@?#\t\n ehtps").map(lambda rest: "/" + rest)))
def test_whatever_is_asked_it_stays_in_the_shop(text: str):
    path = own_path(text)
    assert urlsplit(urljoin("http://shop.test/here", path)).netloc == "shop.test"
    assert path.startswith("/") and not path.startswith(("//", "/\\"))


def test_what_is_spoken_has_its_name():
    from babel import Locale

    assert {code: Locale(code).get_display_name(code) for code in LANGUAGES} == LANGUAGES
