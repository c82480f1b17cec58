"""Staff in a browser: from the command line's link to the console, and what they do there."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.account.people import PASSWORD
from tests.infra import hosted, wait
from tests.infra.stack import Stack
from tests.journeys.shopping import order, to_checkout, until_state


def granted(stack: Stack, page: Page, role: str, name: str) -> None:
    """Somebody is given a role, follows the link, sets a password and signs in."""
    email = f"{name}@shop.test"
    link = stack.flask("users", "grant", email, role).split()[-1]
    page.goto(link)
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same password again").fill(PASSWORD)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_role("status")).to_have_text("Your new password is set. Sign in with it.")
    sign_in(page, email)


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.get_by_label("Email address").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()


def name_for(request: pytest.FixtureRequest) -> str:
    return re.sub(r"\W+", "-", request.node.name).strip("-").lower()


def test_a_link_leads_to_the_console_once(
    stack: Stack, either_page: Page, request: pytest.FixtureRequest
) -> None:
    page, name = either_page, name_for(request)
    granted(stack, page, "viewer", name)
    page.wait_for_url("**/ops")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    for link in ("Orders", "Payments", "Flagged", "Events"):
        page.get_by_role("navigation", name="Main").get_by_role("link", name=link).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(link)
    page.get_by_role("button", name="Sign out").click()
    page.goto("/ops/orders?state=paid")
    sign_in(page, f"{name}@shop.test", "wrong horse battery")
    expect(page.get_by_role("alert")).to_contain_text("The email address or the password is not right")
    expect(page).to_have_title(re.compile("^Error:"))
    sign_in(page, f"{name}@shop.test")
    page.wait_for_url("**/ops/orders?state=paid")


def test_a_lost_password_is_set_anew_by_mail(
    stack: Stack, either_page: Page, request: pytest.FixtureRequest
) -> None:
    page, name = either_page, name_for(request)
    stack.flask("users", "grant", f"{name}@shop.test", "viewer")
    [before] = stack.sql("SELECT coalesce(max(id), 0) AS id FROM mails")
    page.goto("/login")
    page.get_by_role("link", name="Set a new password").click()
    page.get_by_label("Email address").fill(f"{name}@shop.test")
    page.get_by_role("button", name="Email me a link").click()
    expect(page.get_by_role("status")).to_contain_text("a link to set a new password is on its way")
    query = "SELECT public_id FROM mails WHERE template = 'reset' AND sent_at IS NOT NULL AND id > :id"
    [mail] = wait.until(lambda: stack.sql(query, id=before["id"]), "the mail is handed over")
    page.goto(f"/dev/mail/{mail['public_id']}/html")
    page.get_by_role("link", name="Choose a password").click()
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same password again").fill(PASSWORD)
    page.get_by_role("button", name="Set password").click()
    sign_in(page, f"{name}@shop.test")
    page.wait_for_url("**/ops")


def test_a_held_order_is_released(
    stack: Stack, either_page: Page, open_page, request: pytest.FixtureRequest
) -> None:
    buyer = open_page(stack)
    public_id = to_checkout(buyer)
    # Between the order and its payment somebody changed the price.
    stack.sql(
        "UPDATE orders SET subtotal_amount = 3400, total_amount = 3400 WHERE public_id = :id", id=public_id
    )
    hosted.pay(buyer)
    until_state(stack, public_id, "held")
    page = either_page
    granted(stack, page, "operator", name_for(request))
    page.goto("/ops")
    page.get_by_role("link", name="See what is held").click()
    page.get_by_role("link", name=public_id).click()
    expect(page.locator(".lede")).to_contain_text("where €34.00 was agreed. It waits for your decision.")
    page.get_by_role("button", name="Release €29.00").click()
    expect(page.get_by_role("status")).to_contain_text("The order is released")
    expect(page.locator(".lede")).to_contain_text("released by a person")
    found = order(stack, public_id)
    assert (found["state"], found["settled_amount"]) == ("paid", 2900)
    lines = stack.sql(
        "SELECT l.amount FROM journal_lines l JOIN journal_entries e ON e.id = l.entry_id WHERE e.order_id = :id",
        id=found["id"],
    )
    assert len(lines) >= 5 and sum(line["amount"] for line in lines) == 0
    assert stack.sql(
        "SELECT * FROM audit_rows WHERE action = 'order.release' AND subject = :id", id=public_id
    )
    assert json_sound(stack)


def json_sound(stack: Stack) -> bool:
    return '"sound": true' in stack.flask("audit", "verify", "--json")


def test_an_event_is_applied_again_without_doubling(
    stack: Stack, page: Page, open_page, request: pytest.FixtureRequest
) -> None:
    buyer = open_page(stack)
    public_id = to_checkout(buyer)
    hosted.pay(buyer)
    found = until_state(stack, public_id, "paid")
    session = found["stripe_checkout_session_id"]
    query = (
        "SELECT stripe_event_id, state, attempts, finished_at FROM webhook_events "
        "WHERE object_key = :key AND type = 'checkout.session.completed'"
    )
    [event] = wait.until(
        lambda: [e for e in stack.sql(query, key=session) if e["state"] == "done"], "the event is applied"
    )
    granted(stack, page, "operator", name_for(request))
    page.goto(f"/ops/events?q={session}")
    page.get_by_role("link", name=event["stripe_event_id"]).click()
    expect(page.get_by_role("region", name="Payload")).to_contain_text('"customer_details": "[personal]"')
    page.get_by_role("button", name="Replay this event").click()
    expect(page.get_by_role("status")).to_contain_text("The event waits to be applied again.")
    wait.until(
        lambda: (
            (again := stack.sql(query, key=session)[0])["state"] == "done"
            and again["finished_at"] != event["finished_at"]
        ),
        "the event is applied again",
    )
    for table in ("receipts", "revenue_records", "payments"):
        [count] = stack.sql(f"SELECT count(*) AS n FROM {table} WHERE order_id = :id", id=found["id"])
        assert count["n"] == 1, table
    page.get_by_role("link", name=re.compile("The Field Guide")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("€29.00 from")


def test_stripe_is_asked_when_no_event_came(
    stack: Stack, page: Page, open_page, request: pytest.FixtureRequest
) -> None:
    buyer = open_page(stack)
    public_id = to_checkout(buyer)
    granted(stack, page, "operator", name_for(request))
    page.goto(f"/ops/orders/{public_id}")
    page.get_by_role("button", name="Ask Stripe again").click()
    expect(page.get_by_role("status")).to_have_text("Stripe was asked. The order is as it was.")
    expect(page.locator(".lede")).to_contain_text("No money was taken so far.")


def test_asking_settles_what_no_event_told(open_stack, open_page, request: pytest.FixtureRequest) -> None:
    stack: Stack = open_stack(measured=True)
    # Stripe's events go astray, and the shop is away when the buyer comes back.
    for endpoint in stack.stripe("/v1/webhook_endpoints", method="GET")["data"]:
        stack.stripe(f"/v1/webhook_endpoints/{endpoint['id']}", method="DELETE")
    buyer = open_page(stack)
    public_id = to_checkout(buyer)
    stack.stop("web")
    hosted.pay(buyer)
    session = order(stack, public_id)["stripe_checkout_session_id"]
    wait.until(
        lambda: stack.stripe(f"/v1/checkout/sessions/{session}", method="GET")["status"] == "complete",
        "Stripe has the money",
    )
    buyer.close()
    stack.start("web")
    assert order(stack, public_id)["state"] == "open"
    page = open_page(stack)
    granted(stack, page, "operator", name_for(request))
    page.wait_for_url("**/ops")
    page.goto(f"/ops/orders/{public_id}")
    page.get_by_role("button", name="Ask Stripe again").click()
    expect(page.get_by_role("status")).to_contain_text("the order is brought up to date")
    expect(page.locator(".lede")).to_contain_text("receipt")
    assert order(stack, public_id)["state"] == "paid"
