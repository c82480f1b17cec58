"""The hosted pages in a real browser on a phone's screen: what only a browser can refuse (policies, forms, redirects)."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.simulator.conftest import CARD
from tests.simulator.subscribing import Desk


@pytest.fixture
def phone(chromium, simulator) -> Iterator[Page]:
    """A browser without scripts; whatever its console calls an error fails the test."""
    context = chromium.new_context(
        base_url=simulator.url, java_script_enabled=False, viewport={"width": 360, "height": 740}
    )
    context.set_default_timeout(15_000)
    page, problems = context.new_page(), []
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    yield page
    context.close()
    assert [p for p in problems if "status of 4" not in p] == []


def fill(page, number="4242424242424242", email=None):
    for name, value in CARD.items():
        if name == "billingCountry":
            page.select_option(f"#{name}", value)
        elif name != "email":
            page.fill(f"#{name}", number if name == "cardNumber" else value)
    if email:
        page.fill("#email", email)
    page.click("#submit")


def test_subscribing_over_a_decline_and_the_bank(shop, phone):
    price = shop.price(2000, name="Pro", recurring={"interval": "month"})
    session = shop.v1.checkout.sessions.create(
        params={
            "mode": "subscription", "line_items": [{"price": price.id, "quantity": 1}],
            "success_url": f"{shop.simulator.url}/_sim/?paid={{CHECKOUT_SESSION_ID}}",
        }
    )  # fmt: skip
    phone.goto(session.url)
    fill(phone, "4000000000009995", email="jenny@example.com")
    assert "insufficient funds" in phone.inner_text(".problem")
    fill(phone, "4000002760003184")
    phone.click("#approve")
    phone.wait_for_url(f"**/_sim/?paid={session.id}")
    assert shop.again(session, "subscription").subscription.status == "active"


def test_a_plan_changed_and_cancelled_in_the_portal(shop, simulator, phone):
    desk = Desk(shop, simulator)
    small, large = desk.plan(1000), desk.plan(3000)
    sub = desk.subscribe(small)
    change = {
        "enabled": True, "default_allowed_updates": ["price"], "proration_behavior": "always_invoice",
        "products": [{"product": desk.product.id, "prices": [small, large]}],
    }  # fmt: skip
    settings = desk.v1.billing_portal.configurations.create(
        params={"features": {"subscription_update": change, "subscription_cancel": {"enabled": True}}}
    )
    session = desk.v1.billing_portal.sessions.create(
        params={
            "customer": sub.customer,
            "configuration": settings.id,
            "return_url": f"{simulator.url}/_sim/",
        }
    )
    phone.goto(session.url)
    phone.click("text=Change plan")
    phone.check(f"input[value={large}]")
    phone.click("text=Continue")
    assert "$20.00" in phone.inner_text(".total")
    phone.click("#confirm")
    assert "Your plan has been changed." in phone.inner_text("[role=status]")
    phone.click("a.btn >> text=Cancel")
    phone.click("#cancel")
    assert "Ends on 2026-02-01" in phone.inner_text("main")
    phone.click("text=Don’t cancel")
    assert "Renews on 2026-02-01" in phone.inner_text("main")
    phone.click(".back a")
    phone.wait_for_url("**/_sim/")
    assert desk.again(sub)["items"].data[0].price.id == large


def test_an_invoice_paid_by_hand(desk, phone):
    invoice = desk.open(desk.customer(), 2500)
    phone.goto(invoice.hosted_invoice_url)
    fill(phone, "4000000000000002")
    assert "declined" in phone.inner_text(".problem")
    fill(phone)
    assert "$25.00 paid" in phone.inner_text(".lede")
    assert desk.again(invoice).status == "paid"
