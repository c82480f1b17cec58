"""The modules in a browser, under the strict policy with Trusted Types required."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Request, expect


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(reduced_motion="reduce")
    context.set_default_timeout(10_000)
    noise: list[str] = []
    context.on(
        "console", lambda m: noise.append(m.text) if m.type == "error" and "422" not in m.text else None
    )
    context.on("weberror", lambda e: noise.append(str(e.error)))
    yield context.new_page()
    context.close()
    assert noise == []


def test_the_summary_takes_the_focus_and_leads_to_the_control(page: Page, gallery: str) -> None:
    page.goto(f"{gallery}/login?bad")
    expect(page.locator("[data-problem]")).to_be_focused()
    page.get_by_role("link", name="Choose where you live").click()
    expect(page.locator("#country")).to_be_focused()


def test_the_state_swaps_itself_and_then_rests(page: Page, gallery: str) -> None:
    asked: list[Request] = []
    page.on("request", lambda r: asked.append(r) if r.url.endswith("/checkout/state") else None)
    page.goto(f"{gallery}/checkout/return")
    page.clock.install()
    expect(page.locator("h1")).to_have_text("Thank you, it’s paid")
    expect(page).to_have_title("Paid – Fernhill Press")
    page.clock.fast_forward(60_000)
    assert len(asked) == 1


def test_a_choice_refreshes_the_statement_and_the_address(page: Page, gallery: str) -> None:
    page.goto(f"{gallery}/checkout?to=team")
    expect(page.locator("#preview h2")).to_have_text("No change")
    expect(page.get_by_role("button", name="Update preview")).to_be_hidden()
    page.get_by_role("radio", name="Studio").check()
    expect(page.locator("#preview h2")).to_have_text("What changes")
    expect(page).to_have_url(f"{gallery}/checkout?to=studio")


def test_without_javascript_the_same_choice_is_a_button(chromium: Browser, gallery: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{gallery}/checkout?to=team")
    page.get_by_role("radio", name="Studio").check()
    page.get_by_role("button", name="Update preview").click()
    expect(page.locator("#preview h2")).to_have_text("What changes")
    context.close()


def test_figures_follow_and_can_be_paused(page: Page, gallery: str) -> None:
    page.clock.install()
    page.goto(f"{gallery}/ops/metrics")
    figure = page.locator('[data-key="payments"]')
    expect(figure).to_have_text("118")
    page.get_by_role("button", name="Pause updates").click()
    page.clock.run_for(40_000)
    expect(figure).to_have_text("118")
    page.get_by_role("button", name="Resume updates").click()
    expect(figure).to_have_text("119")
    expect(page.locator('[data-key="as_of"]')).to_have_text("as of 14:03 UTC")


def test_a_form_is_sent_once_and_says_so(page: Page, gallery: str) -> None:
    page.goto(f"{gallery}/books")
    posts: list[Request] = []
    # The answer never comes, as when a server takes its time; it would open beside, so that the page can be watched.
    page.context.route("**/checkout", lambda route: posts.append(route.request))
    page.locator("aside form").evaluate("form => { form.target = 'beside'; }")
    button = page.get_by_role("button", name="Buy for €21.60")
    button.click()
    expect(button).to_have_attribute("aria-disabled", "true")
    button.dispatch_event("click")
    expect(page.get_by_text("Sent already. The answer takes a moment.")).to_be_visible()
    assert [request.method for request in posts] == ["POST"]
