"""A German reader buys: the language is chosen once and goes along to Stripe's page and into the receipt mail."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.infra import hosted
from tests.infra.browser import OpenPage
from tests.infra.stack import Stack
from tests.journeys import shopping

PHONE = {"width": 360, "height": 740}


def expect_no_sideways_scrolling(page: Page) -> None:
    """Nothing is wider than the phone: long words break, tables scroll in a region of their own."""
    wide = page.evaluate(
        """() => [...document.querySelectorAll('body *')]
            .filter(e => !e.closest('.scroll, .vh, pre, iframe') && !e.matches('.skip'))
            .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
            .map(e => `${e.tagName}.${e.className}: ${e.textContent.trim().slice(0, 60)}`)"""
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], (page.url, wide)
    assert wide == [], page.url


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])
def test_a_choice_of_language_goes_along(stack: Stack, open_page: OpenPage, javascript: bool):
    page = open_page(stack, javascript=javascript)
    page.goto("/offers/field-guide?currency=eur")
    page.get_by_role("navigation", name="Language").get_by_role("link", name="Deutsch").click()
    expect(page).to_have_url(re.compile(r"/offers/field-guide\?currency=eur$"))
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.get_by_role("button", name="29,00 € zahlen").click()
    page.wait_for_url(re.compile(r"/c/pay/"))
    order_id = shopping.order_on(page)
    session = shopping.order(stack, order_id)["stripe_checkout_session_id"]
    assert stack.stripe(f"/v1/checkout/sessions/{session}", method="GET")["locale"] == "de"
    hosted.pay(page)
    page.wait_for_url(shopping.ORDER)
    expect(page.get_by_role("heading", level=1)).to_have_text("Vielen Dank, es ist bezahlt")
    mail = shopping.receipt_mail(stack, order_id)
    page.goto(f"/dev/mail/{mail}")
    expect(page.locator("main pre")).to_contain_text(
        re.compile(r"Sie haben\s29,00\s€\sam\s\d+\.\s\w+\s20\d\d")
    )
    page.goto("/help")
    page.get_by_role("navigation", name="Sprache").get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Help")


def test_german_fits_a_phone(stack: Stack, open_page: OpenPage):
    page = open_page(stack, viewport=PHONE, locale="de-DE")
    for path in (
        "/",
        "/offers/studio",
        "/offers/press-evening",
        "/help",
        "/status",
        "/login",
        "/reset",
        "/nope",
    ):
        page.goto(path)
        expect(page.locator("html")).to_have_attribute("lang", "de")
        expect_no_sideways_scrolling(page)
    page.goto("/offers/press-evening")
    page.get_by_role("button", name=re.compile("zahlen$")).click()
    order_id = shopping.order_on(page)
    shopping.leave(page)
    expect_no_sideways_scrolling(page)
    page.goto(f"/checkout/{order_id}")
    expect_no_sideways_scrolling(page)
    page.get_by_role("button", name=re.compile("^Weiter zur Zahlung")).click()
    hosted.pay(page)
    page.wait_for_url(shopping.ORDER)
    expect(page.get_by_role("heading", level=1)).to_have_text("Vielen Dank, es ist bezahlt")
    expect_no_sideways_scrolling(page)
    page.goto(f"{urlsplit(page.url).path}/receipt")
    expect_no_sideways_scrolling(page)
    page.goto("/dev/mail")
    expect_no_sideways_scrolling(page)
