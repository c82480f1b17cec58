"""Stripe's hosted pages as a buyer uses them: Checkout's form and the 3-D Secure challenge."""

import re

from playwright.sync_api import Page

PAYS = "4242424242424242"
DECLINED = "4000000000000002"
CHALLENGED = "4000002760003184"


def fill(
    page: Page,
    number: str = PAYS,
    *,
    email: str = "buyer@example.com",
    name: str = "Bo Buyer",
    country: str = "DE",
    postal_code: str = "",
) -> None:
    """Fill in Checkout's form; nothing is sent yet."""
    page.wait_for_url(re.compile(r"/c/pay/"))
    if page.locator("[name=email]").is_editable():
        page.fill("[name=email]", email)
    page.fill("[name=cardNumber]", number)
    page.fill("[name=cardExpiry]", "12 / 34")
    page.fill("[name=cardCvc]", "123")
    page.fill("[name=billingName]", name)
    page.select_option("[name=billingCountry]", country)
    page.fill("[name=billingPostalCode]", postal_code)
    if page.locator("[name=terms]").count():
        page.check("[name=terms]")


def pay(page: Page, number: str = PAYS, **person: str) -> None:
    """Fill in Checkout's form and send it."""
    fill(page, number, **person)
    page.click("#submit")


def challenge(page: Page, *, approve: bool) -> None:
    """Answer the bank's question."""
    page.wait_for_url(re.compile(r"/c/3ds/"))
    page.click("#approve" if approve else "#fail")
