"""The layouts' anatomy, the error page's robustness, the mails' two faces, and no inline style or script anywhere."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import css_inline
import pytest
from flask import Flask, render_template, render_template_string

from tests.components.gallery import make_gallery
from tests.components.stand_in import ROOT, at, euros, make_app
from tests.infra import pages
from tests.infra.html import Element, parse

TEMPLATES = ROOT / "templates"
FOLDERS = ("layouts", "components", "errors")
OWN = [
    *(
        path.relative_to(TEMPLATES).as_posix()
        for folder in FOLDERS
        for path in sorted((TEMPLATES / folder).rglob("*.*"))
    ),
    *("email/layout.html", "email/layout.txt", "email/macros.html", "email/macros.txt"),
]
PATHS = [
    "/",
    "/books",
    "/checkout",
    "/checkout/return",
    "/account",
    "/login",
    "/ops",
    "/ops/payments",
    "/ops/metrics",
    "/ops/states",
]


@pytest.mark.parametrize("name", OWN)
def test_every_template_compiles(app: Flask, name: str) -> None:
    app.jinja_env.get_template(name)


@pytest.mark.parametrize("path", [*PATHS, "/login?bad", "/nowhere"])
def test_every_page_of_the_gallery_keeps_the_rules(path: str) -> None:
    answer = make_gallery().test_client().get(path)
    assert answer.status_code in (200, 404, 422)
    pages.check(parse(answer.text))


def test_no_template_carries_style_or_script() -> None:
    inline = re.compile(r"\sstyle=\"|\son[a-z]+=\"|<style\b(?! data-css-inline)|<script(?![^>]*\ssrc=)", re.I)
    found = [
        f"{path.relative_to(TEMPLATES)}: {match.group().strip()}"
        for path in TEMPLATES.rglob("*.html")
        for match in [inline.search(re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.S))]
        if match
    ]
    assert found == []


def test_sheets_and_modules_ask_nothing_of_others() -> None:
    for path in (ROOT / "static").rglob("*.*"):
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|@import|url\(", text), path.name


def test_components_name_no_colour_of_their_own() -> None:
    for name in ("base.css", "components.css"):
        text = (ROOT / "static" / "css" / name).read_text().partition("@layer print")[0]
        assert re.findall(r"#[0-9a-f]{3,8}\b", text) == [], name


def page(app: Flask, source: str, path: str = "/", **context: object) -> Element:
    with app.test_request_context(path):
        return parse(render_template_string('{% extends "layouts/base.html" %}' + source, **context))


def test_the_page_says_what_is_wrong_once_and_in_its_title(app: Flask) -> None:
    source = "{% block title %}Pay{% endblock %}{% block main %}<h1>Pay</h1>{% endblock %}"
    got = page(app, source, errors={"email": "Enter an email address"})
    assert got.one("title").text == "Error: Pay – Fernhill Press"
    order = [e for e in got.one("main").walk() if "data-problem" in e.attributes or e.tag == "h1"]
    assert [e.tag for e in order] == ["div", "h1"]
    assert any(s["src"].endswith("problem-focus.js") for s in got.select("script"))


def test_a_page_may_place_the_summary_itself(app: Flask) -> None:
    got = page(app, "{% block main %}<h1>x</h1>{{ ui.problem(errors) }}{% endblock %}", errors={"a": "b"})
    assert len(got.select("[data-problem]")) == 1


def test_the_aside_follows_the_main_column(app: Flask) -> None:
    got = page(app, "{% block main %}<h1>x</h1>{% endblock %}{% block aside %}<p>sum</p>{% endblock %}")
    assert got.one(".split aside").text == "sum"
    assert page(app, "{% block main %}<h1>x</h1>{% endblock %}").select(".split") == []


def test_a_page_keeps_its_own_names(app: Flask) -> None:
    source = "{% block main %}<h1>{{ back }} {{ heading }} {{ content }} {{ shop }}</h1>{% endblock %}"
    got = page(app, source, back="a", heading="b", content="c", shop="d")
    assert got.one("h1").text == "a b c d"


def test_signing_out_is_a_form() -> None:
    user = SimpleNamespace(is_authenticated=True, email="a@example.test")
    got = page(make_app(user=user), "{% block main %}<h1>x</h1>{% endblock %}")
    form = got.one("header form")
    assert (form["method"], form["action"]) == ("post", "/logout")
    assert got.select("header a[href=/login]") == []


@pytest.mark.parametrize(
    ("path", "current"),
    [("/ops", "/ops"), ("/ops/payments", "/ops/payments"), ("/checkout", None), ("/account", "/account")],
)
def test_the_masthead_marks_where_one_is(path: str, current: str | None) -> None:
    got = parse(make_gallery().test_client().get(path).text)
    marked = [a["href"] for a in got.select("header a[aria-current]")]
    assert marked == ([current] if current else [])


def test_the_console_is_not_indexed() -> None:
    got = parse(make_gallery().test_client().get("/ops").text)
    assert got.one("meta[name=robots]")["content"] == "noindex"


class NoUser:
    """A current_user whose database is gone."""

    @property
    def is_authenticated(self) -> bool:
        raise RuntimeError("no database")


ERROR = {
    "status": 503,
    "title": "We are not able to answer right now",
    "what_happened": "A part of the shop cannot be reached.",
    "what_next": "Try again in a minute.",
    "reference": "req_1",
}


@pytest.mark.parametrize("money", [None, "No money was taken."])
def test_the_error_page_needs_neither_user_nor_merchant(money: str | None) -> None:
    app = make_app(merchant=None, user=NoUser())
    with app.test_request_context("/account"):
        got = parse(render_template("errors/error.html", **ERROR, money=money))
    pages.check(got)
    assert got.one("h1").text == ERROR["title"]
    order = [ERROR["what_happened"], *([money] if money else []), ERROR["what_next"], "req_1"]
    positions = [got.one("main").text.index(str(text)) for text in order]
    assert positions == sorted(positions)


@pytest.mark.parametrize("action", [("Front page", "/"), ("/", "Front page")])
def test_the_error_page_offers_one_way_on(app: Flask, action: tuple[str, str]) -> None:
    with app.test_request_context("/x"):
        got = parse(render_template("errors/error.html", **ERROR, money=None, action=action))
    assert (got.one("main a.btn").text, got.one("main a.btn")["href"]) == ("Front page", "/")


MAIL = {
    "lines": [("The Year", euros(2400)), ("Discount", euros(-240), "credit")],
    "total": euros(2160),
    "at": at,
    "subject": "Receipt <1>",
}


def test_a_mail_and_its_text_twin_say_the_same() -> None:
    with make_gallery().app_context():
        html = parse(render_template("gallery/mail.html", **MAIL))
        text = render_template("gallery/mail.txt", **MAIL)
    assert html.one("title").text == "Receipt <1>"
    for words in (
        "€24.00",
        "−€2.40",
        "Discount (credit)",
        "€21.60",
        "Total paid",
        "DE123456789",
        "Lindenstraße 4",
    ):
        assert words in html.text
        assert words in text
    assert html.one(".button a")["href"] in text
    assert max(len(line) for line in text.splitlines()) <= 64
    assert not re.search(r"\n\n\n|<", text)


def test_a_mail_is_styled_in_place() -> None:
    with make_gallery().app_context():
        source = render_template("gallery/mail.html", **MAIL)
    sheet = Path(ROOT / "static" / "css" / "email.css").read_text()
    mail = parse(css_inline.CSSInliner(extra_css=sheet, load_remote_stylesheets=False).inline(source))
    assert "text-align: right" in mail.select("td.sum")[0]["style"]
    assert "double" in mail.one(".double")["style"]
    assert "prefers-color-scheme" in mail.one("style").text
