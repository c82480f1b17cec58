"""What a buyer does in the shop, and what the shop then holds: shared by the journeys."""

import re

from playwright.sync_api import Page, expect

from tests.infra import hosted, wait
from tests.infra.stack import Stack

ORDER = re.compile(r"/checkout/(ord_\w+)(\?unsure=1)?$")
CANCELLED = re.compile(r"/checkout/ord_\w+/cancelled$")


def to_checkout(page: Page, slug: str = "field-guide", query: str = "") -> str:
    """From the offer's page to Stripe's; the order's public id."""
    page.goto(f"/offers/{slug}{query}")
    page.get_by_role("button", name=re.compile(r"^Pay")).click()
    page.wait_for_url(re.compile(r"/c/pay/"))
    return order_on(page)


def order_on(page: Page) -> str:
    """The order whose Checkout page is open: Stripe's link back names it."""
    back = page.get_by_role("link", name=re.compile("^Back to")).get_attribute("href")
    found = re.search(r"/checkout/(ord_\w+)/cancelled", back or "")
    assert found, f"Checkout leads back to {back!r}"
    return found[1]


def leave(page: Page) -> None:
    """Back from Stripe's page without paying."""
    page.get_by_role("link", name=re.compile("^Back to")).click()
    page.wait_for_url(CANCELLED)


def pay_and_vanish(page: Page) -> str:
    """Pay on the Checkout page that is open and never come back; the address the browser would have gone to.

    Sent beside the page: a browser follows a redirect whatever a test would hold up.
    """
    card = {"cardNumber": hosted.PAYS, "cardExpiry": "12 / 34", "cardCvc": "123", "method": "card"}
    person = {"email": "buyer@example.com", "billingName": "Bo Buyer", "billingCountry": "DE"}
    answer = page.request.post(page.url, form={**card, **person}, max_redirects=0, timeout=30_000)
    assert answer.status == 303, answer.text()
    return answer.headers["location"]


def expect_paid(page: Page, total: str) -> None:
    """The order's page says that this total was paid."""
    page.wait_for_url(ORDER)
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, it is paid")
    expect(page.locator(".lede")).to_contain_text(f"You paid {total}")


def order(stack: Stack, public_id: str) -> dict:
    return stack.sql("SELECT * FROM orders WHERE public_id = :id", id=public_id)[0]


def until_state(stack: Stack, public_id: str, state: str) -> dict:
    """The order once it is in that state."""
    wait.until(lambda: order(stack, public_id)["state"] == state, f"order {public_id} is {state}")
    return order(stack, public_id)


def charges(stack: Stack, public_id: str) -> list[dict]:
    """What the simulator charged for the order, successes only."""
    listed = stack.stripe("/v1/charges?limit=100", method="GET")["data"]
    return [c for c in listed if c["metadata"].get("order_id") == public_id and c["status"] == "succeeded"]


def expect_once(stack: Stack, public_id: str) -> None:
    """Charged once, recorded once: payment, revenue, journal entry, receipt, mail."""
    assert len(charges(stack, public_id)) == 1
    [row] = stack.sql("SELECT id FROM orders WHERE public_id = :id", id=public_id)
    for table in ("payments", "revenue_records", "receipts", "mails"):
        [count] = stack.sql(f"SELECT count(*) AS n FROM {table} WHERE order_id = :id", id=row["id"])
        assert count["n"] == 1, f"{count['n']} {table}"


def receipt_mail(stack: Stack, public_id: str) -> str:
    """The public id of the order's receipt mail, once the worker has handed it over."""
    query = (
        "SELECT m.public_id, m.sent_at FROM mails m JOIN orders o ON o.id = m.order_id "
        "WHERE o.public_id = :id AND m.template = 'receipt' AND m.sent_at IS NOT NULL"
    )
    return wait.until(lambda: stack.sql(query, id=public_id), "the receipt is mailed")[0]["public_id"]
