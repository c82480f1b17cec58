"""A purchase on a real Stripe test account: `STRIPE_SECRET_KEY=sk_test_… make test-stripe`. Never part of CI.

No webhook reaches a machine behind a router, so what settles here is the return page's own question to Stripe.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.infra import databases, run, wait
from tests.infra.stack import Stack


class AccountShop(Stack):
    """A shop on the account of the given key instead of the simulator."""

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "STRIPE_SECRET_KEY": os.environ["STRIPE_SECRET_KEY"],
            "STRIPE_API_BASE": "https://api.stripe.com",
        }

    def __enter__(self) -> AccountShop:
        self.flask("catalog", "push", "catalog.toml")
        self.start("web")
        self.start("worker")
        return self

    def __exit__(self, *_failure: object) -> None:
        for role in ("worker", "web"):
            self.stop(role)
        self.engine.dispose()


@pytest.fixture
def shop() -> Iterator[AccountShop]:
    with (
        databases.migrated("sqlite") as url,
        AccountShop("stripe-account", url, run.folder() / "stripe-account", measured=False) as shop,
    ):
        yield shop


@pytest.fixture
def page() -> Iterator[Page]:
    """A browser that may leave this machine, which the other tests' may not."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser.new_page(locale="en-US")
        browser.close()


def test_a_purchase(shop: AccountShop, page: Page) -> None:
    page.goto(f"{shop.base_url}/offers/field-guide")
    page.get_by_role("button", name=re.compile("^Pay")).click()
    page.wait_for_url(re.compile(r"^https://checkout\.stripe\.com/"), timeout=60_000)
    page.fill("[name=email]", "buyer@example.com")
    page.fill("[name=cardNumber]", "4242424242424242")
    page.fill("[name=cardExpiry]", "12 / 34")
    page.fill("[name=cardCvc]", "123")
    page.fill("[name=billingName]", "A Buyer")
    page.select_option("[name=billingCountry]", "DE")
    page.get_by_test_id("hosted-payment-submit-button").click()
    page.wait_for_url(re.compile(r"/checkout/ord_"), timeout=60_000)
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, it is paid")
    wait.until(
        lambda: shop.sql("SELECT state FROM orders")[0]["state"] == "paid", "the order is paid", seconds=60
    )
    [call] = shop.sql(
        "SELECT state, result_id FROM stripe_calls WHERE operation = 'checkout.sessions.create'"
    )
    assert call["state"] == "done"
    assert call["result_id"].startswith("cs_test_")
