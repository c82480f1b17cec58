"""Buying a product once, as a guest: in a browser, with and without JavaScript, against the simulator."""

import re
from urllib.parse import urlencode

from playwright.sync_api import APIResponse, Page, expect

from tests.infra import hosted, run, wait
from tests.infra.browser import OpenPage, Watch
from tests.infra.stack import Stack
from tests.infra.stacks import OpenStack
from tests.journeys import shopping

INSUFFICIENT = "4000000000009995"


def test_a_card_pays_and_the_receipt_comes_by_mail(either_page: Page, stack: Stack):
    page = either_page
    page.goto("/")
    page.get_by_role("link", name="Order for €29.00").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The Field Guide to Margins")
    page.get_by_role("button", name="Pay €29.00").click()
    order_id = shopping.order_on(page)
    hosted.pay(page, email="amara@example.com")
    shopping.expect_paid(page, "€29.00")
    # The charge's own event may come a moment after the session's; the page follows.
    expect(page.locator(".lede")).to_contain_text("with Visa ending 4242", timeout=15_000)
    expect(page.locator(".lede")).to_contain_text("amara@example.com")
    shopping.until_state(stack, order_id, "paid")
    shopping.expect_once(stack, order_id)

    mail_id = shopping.receipt_mail(stack, order_id)
    page.goto("/dev/mail")
    page.locator(f"a[href$='{mail_id}']").click()
    mail = page.frame_locator("iframe")
    expect(mail.locator(".statement .total")).to_contain_text("€29.00")
    expect(page.locator("pre")).to_contain_text("€29.00")
    mail.get_by_role("link", name="Open the receipt").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"^Receipt \d{4}-\d{6}$"))
    expect(page.locator(".statement .total")).to_contain_text("€29.00")


def test_the_receipt_in_a_mail_opens_in_another_browser_and_for_nobody_else(
    page: Page, open_page: OpenPage, stack: Stack
):
    order_id = shopping.to_checkout(page)
    hosted.pay(page)
    shopping.expect_paid(page, "€29.00")
    mail_id = shopping.receipt_mail(stack, order_id)
    page.goto(f"/dev/mail/{mail_id}")
    link = page.locator("pre a[href*=receipt]").get_attribute("href")
    other = open_page(stack)
    other.goto(link)
    expect(other.get_by_role("heading", level=1)).to_contain_text("Receipt")
    key = link.partition("key=")[2]
    for refused in (f"/checkout/{order_id}/receipt", f"/checkout/{order_id}/receipt?key=0{key[1:]}x"):
        assert other.goto(refused).status == 404


def test_a_declined_card_then_another_one(either_page: Page, stack: Stack):
    page = either_page
    order_id = shopping.to_checkout(page)
    hosted.pay(page, hosted.DECLINED)
    expect(page.locator("#declined")).to_be_visible()
    declined = "SELECT p.state FROM payments p JOIN orders o ON o.id = p.order_id WHERE o.public_id = :id"
    wait.until(lambda: stack.sql(declined, id=order_id) == [{"state": "failed"}], "the decline is recorded")
    page.goto(f"/checkout/{order_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("The card was declined")
    expect(page.locator(".lede")).to_contain_text("No money was taken.")
    page.get_by_role("button", name="Go on to payment of €29.00").click()
    hosted.pay(page, INSUFFICIENT)
    expect(page.locator("#declined")).to_be_visible()
    hosted.pay(page)
    shopping.expect_paid(page, "€29.00")
    shopping.until_state(stack, order_id, "paid")
    shopping.expect_once(stack, order_id)


def test_3d_secure_failed_then_passed(either_page: Page, stack: Stack):
    page = either_page
    order_id = shopping.to_checkout(page)
    hosted.pay(page, hosted.CHALLENGED)
    hosted.challenge(page, approve=False)
    expect(page.locator("#declined")).to_be_visible()
    assert shopping.charges(stack, order_id) == []
    hosted.pay(page, hosted.CHALLENGED)
    hosted.challenge(page, approve=True)
    shopping.expect_paid(page, "€29.00")
    shopping.until_state(stack, order_id, "paid")
    shopping.expect_once(stack, order_id)


def test_a_double_click_is_one_order(either_page: Page, stack: Stack):
    page = either_page
    page.goto("/offers/field-guide")
    page.get_by_role("button", name="Pay €29.00").dblclick()
    hosted.pay(page)
    shopping.expect_paid(page, "€29.00")
    [visitor] = {row["visitor_hash"] for row in _latest(stack, 1)}
    assert len(stack.sql("SELECT id FROM orders WHERE visitor_hash = :v", v=visitor)) == 1


def test_back_and_again_leads_to_the_same_session_and_after_paying_to_the_order(
    page_nojs: Page, stack: Stack
):
    page = page_nojs
    order_id = shopping.to_checkout(page)
    session = page.url
    page.go_back()
    page.get_by_role("button", name="Pay €29.00").click()
    page.wait_for_url(session)
    assert shopping.order_on(page) == order_id
    hosted.pay(page)
    shopping.expect_paid(page, "€29.00")
    page.reload()
    shopping.expect_paid(page, "€29.00")
    shopping.until_state(stack, order_id, "paid")
    shopping.expect_once(stack, order_id)


def test_the_page_of_a_paid_order_sent_again_shows_the_order(page: Page, stack: Stack):
    """The form as it was sent, once more: one page is one decision."""
    page.goto("/offers/field-guide")
    sent = _fields(page)
    page.get_by_role("button", name="Pay €29.00").click()
    order_id = shopping.order_on(page)
    hosted.pay(page)
    shopping.expect_paid(page, "€29.00")
    answer = page.request.post("/checkout", form=sent, max_redirects=0)
    assert (answer.status, answer.headers["location"]) == (303, f"/checkout/{order_id}")


def test_two_tabs_share_one_order(page: Page, stack: Stack):
    other = page.context.new_page()
    order_id = shopping.to_checkout(page)
    assert shopping.to_checkout(other) == order_id
    hosted.fill(other)
    hosted.pay(page)
    shopping.expect_paid(page, "€29.00")
    other.click("#submit")
    other.wait_for_url(shopping.ORDER)
    shopping.expect_paid(other, "€29.00")
    shopping.expect_once(stack, order_id)


def test_the_total_follows_the_quantity(page: Page):
    page.goto("/offers/field-guide")
    expect(page.get_by_role("button", name="Update total")).to_be_hidden()
    page.get_by_label("Quantity").fill("3")
    page.get_by_role("button", name="Pay €87.00").click()
    page.wait_for_url(re.compile("/c/pay/"))
    expect(page.locator(".statement .total")).to_contain_text("€87.00")


def test_the_total_follows_the_quantity_by_a_button(page_nojs: Page):
    page = page_nojs
    page.goto("/offers/field-guide?currency=jpy")
    page.get_by_label("Quantity").fill("2")
    page.get_by_role("button", name="Update total").click()
    expect(page.locator("#sum .statement")).to_contain_text("Consumption tax 10%")
    page.get_by_role("button", name="Pay ¥10,560").click()
    page.wait_for_url(re.compile("/c/pay/"))
    expect(page.locator(".statement .total")).to_contain_text("10,560")


def test_a_quantity_typed_and_paid_at_once_is_confirmed_first(page_nojs: Page):
    page = page_nojs
    page.goto("/offers/field-guide")
    page.get_by_label("Quantity").fill("2")
    page.get_by_role("button", name="Pay €29.00").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The total is now €58.00")
    page.get_by_role("button", name="Pay €58.00").click()
    page.wait_for_url(re.compile("/c/pay/"))
    expect(page.locator(".statement .total")).to_contain_text("€58.00")


def test_a_changed_price_is_confirmed_first(open_stack: OpenStack, open_page: OpenPage):
    shop = open_stack(measured=True)
    page = open_page(shop, javascript=False)
    page.goto("/offers/field-guide")
    catalogue = shop.folder / "catalog.toml"
    text = (run.ROOT / "catalog.toml").read_text()
    assert 'amount = "29.00"' in text
    catalogue.write_text(text.replace('amount = "29.00"', 'amount = "31.00"'))
    shop.flask("catalog", "push", str(catalogue))
    page.get_by_role("button", name="Pay €29.00").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The total is now €31.00")
    assert shop.sql("SELECT id FROM orders") == []
    page.get_by_role("button", name="Pay €31.00").click()
    hosted.pay(page)
    shopping.expect_paid(page, "€31.00")


TAMPERED = [
    *(({"quantity": q}, 422) for q in ("0", "-1", "1.5", "1e9", "NaN", "٣", "", "100", "1\n", " 1", "0x1")),
    ({"quantity": ["1", "2"]}, 422),
    ({"quantity[]": "1", "quantity": None}, 422),
    ({"seen_total": "1"}, 409),
    ({"seen_total": "-2900"}, 400),
    ({"seen_total": "29.00"}, 400),
    ({"price": "field-guide-usd-v1"}, 404),
    ({"price": "' OR 1=1 --"}, 400),
    ({"price": "field-guide-jpy-v1"}, 409),
    ({"price": "house-eur-month-v1", "seen_total": "14900"}, 409),
    ({"decision_key": "short"}, 400),
    ({"csrf_token": "forged"}, 400),
]


def test_a_tampered_form_orders_nothing(open_stack: OpenStack, open_page: OpenPage):
    shop = open_stack(measured=True)
    page = open_page(shop)
    page.goto("/offers/field-guide")
    honest = _fields(page)
    for changes, status in TAMPERED:
        answer = _post(page, {**honest, **changes})
        assert answer.status == status, f"{changes}: {answer.status}"
        assert "No money was taken" in answer.text() or status in (400, 422), changes
    assert "Enter a whole number from 1 to 99" in _post(page, {**honest, "quantity": "0"}).text()
    assert shop.sql("SELECT id FROM orders") == []

    # What the form does not know is not looked at: the catalogue decides.
    answer = _post(page, {**honest, "currency": "jpy", "amount": "1", "unit_amount": "1", "total": "1"})
    assert answer.status == 303
    [placed] = shop.sql("SELECT currency, total_amount, quantity FROM orders")
    assert placed == {"currency": "eur", "total_amount": 2900, "quantity": 1}


def test_an_order_whose_session_expired_says_so(either_page: Page, stack: Stack):
    page = either_page
    order_id = shopping.to_checkout(page)
    shopping.leave(page)
    session = shopping.order(stack, order_id)["stripe_checkout_session_id"]
    stack.stripe(f"/v1/checkout/sessions/{session}/expire")
    shopping.until_state(stack, order_id, "expired")
    page.goto(f"/checkout/{order_id}/cancelled")
    page.wait_for_url(shopping.ORDER)
    expect(page.get_by_role("heading", level=1)).to_have_text("The time to pay has passed")
    expect(page.locator(".lede")).to_contain_text("No money was taken.")
    page.get_by_role("link", name="Order The Field Guide to Margins again").click()
    page.get_by_role("button", name="Pay €29.00").click()
    page.wait_for_url(re.compile("/c/pay/"))
    assert shopping.order_on(page) != order_id


def test_the_return_page_settles_before_the_webhook(either_page: Page, stack: Stack):
    page = either_page
    stack.stop("worker")
    try:
        order_id = shopping.to_checkout(page)
        hosted.pay(page)
        shopping.expect_paid(page, "€29.00")
        assert shopping.order(stack, order_id)["state"] == "paid"
    finally:
        stack.start("worker")
    shopping.receipt_mail(stack, order_id)
    shopping.expect_once(stack, order_id)


def test_the_webhook_settles_before_the_return_page(either_page: Page, stack: Stack):
    page = either_page
    order_id = shopping.to_checkout(page)
    back = shopping.pay_and_vanish(page)
    shopping.until_state(stack, order_id, "paid")
    shopping.expect_once(stack, order_id)
    page.goto(back)
    shopping.expect_paid(page, "€29.00")
    shopping.expect_once(stack, order_id)


def test_the_order_page_follows_a_delayed_payment_by_itself(either_page: Page, stack: Stack):
    """The buyer only watches: the small poll does it with JavaScript, the page's refresh without."""
    page = either_page
    order_id = shopping.to_checkout(page)
    shopping.leave(page)
    page.goto(f"/checkout/{order_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("This order is not paid yet")
    other = page.context.new_page()
    other.goto(f"/checkout/{order_id}")
    other.get_by_role("button", name="Go on to payment of €29.00").click()
    hosted.pay(other)
    shopping.expect_paid(other, "€29.00")
    page.bring_to_front()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, it is paid", timeout=20_000)
    expect(page).to_have_title("Thank you, it is paid – Fernway Press")


def test_one_place_and_two_buyers(open_stack: OpenStack, open_page: OpenPage):
    shop = open_stack(measured=True)
    shop.sql("UPDATE offers SET stock = 1, available = 1 WHERE slug = 'press-evening'")
    first, second = open_page(shop), open_page(shop, javascript=False)
    for page in (first, second):
        page.goto("/offers/press-evening")
        expect(page.get_by_text("Only 1 left")).to_be_visible()
    first.get_by_role("button", name="Pay €120.00").click()
    order_id = shopping.order_on(first)
    second.get_by_role("button", name="Pay €120.00").click()
    expect(second.get_by_role("heading", level=1)).to_have_text("Not enough are left")
    expect(second.locator("main")).to_contain_text("No money was taken.")
    second.goto("/offers/press-evening")
    expect(second.locator("#sum")).to_contain_text("Sold out")
    expect(second.get_by_role("button", name=re.compile("^Pay"))).to_have_count(0)

    # The first buyer sees their own order, not a closed door; letting it go frees the place.
    shopping.leave(first)
    first.goto("/offers/press-evening")
    first.get_by_role("link", name="Go to that order").click()
    first.get_by_role("button", name="Cancel this order").click()
    expect(first.get_by_role("heading", level=1)).to_have_text("This order is cancelled")
    assert shopping.order(shop, order_id)["stock_state"] == "released"

    shopping.to_checkout(second, "press-evening")
    hosted.pay(second)
    shopping.expect_paid(second, "€120.00")
    first.goto("/offers/press-evening")
    expect(first.locator("#sum")).to_contain_text("Sold out")
    [offer] = shop.sql("SELECT available FROM offers WHERE slug = 'press-evening'")
    assert offer["available"] == 0


def test_leaving_checkout_and_going_on_with_the_same_basket(either_page: Page, stack: Stack):
    page = either_page
    order_id = shopping.to_checkout(page, query="?quantity=2")
    session = page.url
    shopping.leave(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("You left before paying")
    expect(page.locator(".statement .total")).to_contain_text("€58.00")
    page.get_by_role("button", name="Go on to payment of €58.00").click()
    page.wait_for_url(session)
    hosted.pay(page)
    shopping.expect_paid(page, "€58.00")
    shopping.until_state(stack, order_id, "paid")
    shopping.expect_once(stack, order_id)


def test_cancelling_closes_the_payment_page_and_frees_the_place(either_page: Page, stack: Stack):
    page = either_page
    place = "SELECT available FROM offers WHERE slug = 'press-evening'"
    [before] = stack.sql(place)
    order_id = shopping.to_checkout(page, "press-evening")
    session = page.url
    shopping.leave(page)
    assert stack.sql(place) == [{"available": before["available"] - 1}]
    page.get_by_role("button", name="Cancel this order").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("This order is cancelled")
    expect(page.locator(".lede")).to_contain_text("No money was taken.")
    assert stack.sql(place) == [before]
    page.goto(session)
    expect(page.locator("#submit")).to_have_count(0)
    assert shopping.order(stack, order_id)["state"] == "canceled"


def test_an_order_paid_elsewhere_is_not_cancelled(page: Page, stack: Stack):
    """The page was open, the payment came in another tab: Stripe refuses to expire, and the payment stands."""
    order_id = shopping.to_checkout(page)
    shopping.leave(page)
    tab = page.context.new_page()
    tab.goto(shopping.order(stack, order_id)["session_url"])
    stack.stop("worker")
    try:
        shopping.pay_and_vanish(tab)
        page.get_by_role("button", name="Cancel this order").click()
        shopping.expect_paid(page, "€29.00")
    finally:
        stack.start("worker")
    shopping.receipt_mail(stack, order_id)
    shopping.expect_once(stack, order_id)


def test_a_promotion_code_of_ours_takes_off_what_it_is_worth(either_page: Page, stack: Stack):
    page = either_page
    order_id = shopping.to_checkout(page)
    page.get_by_label("Promotion code").fill("WELCOME10")
    page.get_by_role("button", name="Apply the code").click()
    expect(page.get_by_text("is applied")).to_be_visible()
    hosted.pay(page)
    shopping.expect_paid(page, "€26.10")
    expect(page.locator(".statement")).to_contain_text("Discount")
    expect(page.locator(".statement .minus")).to_contain_text("−€2.90")
    order = shopping.until_state(stack, order_id, "paid")
    assert (order["settled_amount"], order["discount_amount"]) == (2610, 290)


def test_yen_with_the_tax_added(either_page: Page, stack: Stack):
    page = either_page
    page.goto("/")
    page.get_by_role("link", name="Japanese Yen").click()
    page.get_by_role("link", name="Order for ¥5,280").click()
    order_id = _pay(page, "¥5,280")
    expect(page.locator(".statement")).to_contain_text("Consumption tax 10%")
    order = shopping.until_state(stack, order_id, "paid")
    assert (order["subtotal_amount"], order["settled_tax_amount"], order["settled_amount"]) == (
        4800,
        480,
        5280,
    )


def test_what_was_not_agreed_is_held_for_a_person(page: Page, stack: Stack):
    """Somebody with the secret key paid for it with a coupon of their own: the money is there, the sale is not."""
    order_id = shopping.to_checkout(page)
    stack.sql("UPDATE orders SET subtotal_amount = 2800 WHERE public_id = :id", id=order_id)
    hosted.pay(page)
    page.wait_for_url(shopping.ORDER)
    expect(page.get_by_role("heading", level=1)).to_have_text("We are checking your payment")
    expect(page.locator(".lede")).to_contain_text("Money was taken")
    expect(page.locator(".lede")).to_contain_text("buyer@example.com")
    assert (
        stack.sql(
            "SELECT id FROM receipts WHERE order_id IN (SELECT id FROM orders WHERE public_id = :id)",
            id=order_id,
        )
        == []
    )


def test_somebody_elses_order_shows_nothing(page: Page, open_page: OpenPage, stack: Stack):
    order_id = shopping.to_checkout(page)
    hosted.pay(page)
    shopping.expect_paid(page, "€29.00")
    session = shopping.until_state(stack, order_id, "paid")["stripe_checkout_session_id"]
    stranger = open_page(stack)
    for path in (
        f"/checkout/return?session_id={session}",
        "/checkout/return?session_id=cs_test_0000000000000000",
        "/checkout/return",
        f"/checkout/{order_id}",
        f"/checkout/{order_id}/state",
        f"/checkout/{order_id}/receipt",
        f"/checkout/{order_id}/cancelled",
    ):
        answer = stranger.goto(path)
        assert answer.status == 404, path
        assert "29.00" not in stranger.content() and "buyer@" not in stranger.content()


def test_receipts_are_numbered_without_gaps(stack: Stack):
    """After everything above: declines, expiries, cancellations and races took no number."""
    numbers = [row["number"] for row in stack.sql("SELECT number FROM receipts ORDER BY id")]
    year = numbers[0][:4]
    assert numbers == [f"{year}-{n:06d}" for n in range(1, len(numbers) + 1)]


def test_stripe_unreachable_is_told_and_the_order_is_kept(
    open_stack: OpenStack, open_page: OpenPage, watch: Watch
):
    watch.allowed.append("503 for .*/checkout")
    shop = open_stack(measured=True)
    page = open_page(shop)
    page.goto("/offers/field-guide")
    shop.stop("simulator")
    page.get_by_role("button", name="Pay €29.00").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Our payment provider cannot be reached")
    expect(page.locator("main")).to_contain_text("No money was taken.")
    [order] = shop.sql("SELECT public_id, state FROM orders")
    assert order["state"] == "pending"
    shop.start("simulator")
    page.goto("/offers/field-guide")
    page.get_by_role("link", name="Go to that order").click()
    page.get_by_role("button", name="Go on to payment of €29.00").click()
    hosted.pay(page)
    shopping.expect_paid(page, "€29.00")
    shopping.expect_once(shop, order["public_id"])


def test_not_knowing_is_said(open_stack: OpenStack, open_page: OpenPage):
    """Back from Checkout while Stripe cannot be asked and no webhook has come: nobody is told to pay again."""
    shop = open_stack(measured=True)
    page = open_page(shop)
    order_id = shopping.to_checkout(page)
    shop.stop("worker")
    back = shopping.pay_and_vanish(page)
    assert shopping.charges(shop, order_id)
    shop.stop("simulator")
    page.goto(back)
    expect(page.get_by_role("heading", level=1)).to_have_text("We are asking about your payment")
    expect(page.locator(".lede")).to_contain_text("Don’t pay again")
    expect(page.get_by_role("button", name=re.compile("payment"))).to_have_count(0)
    shop.start("simulator")
    shop.start("worker")
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, it is paid", timeout=30_000)
    shopping.expect_once(shop, order_id)


def _pay(page: Page, total: str) -> str:
    page.get_by_role("button", name=f"Pay {total}").click()
    order_id = shopping.order_on(page)
    hosted.pay(page)
    shopping.expect_paid(page, total)
    return order_id


def _fields(page: Page) -> dict[str, str]:
    """What the form would send."""
    return page.evaluate("Object.fromEntries(new FormData(document.getElementById('pay')))")


def _post(page: Page, fields: dict[str, object]) -> APIResponse:
    """The form with these fields, sent with the browser's cookies."""
    body = urlencode({k: v for k, v in fields.items() if v is not None}, doseq=True)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return page.request.post("/checkout", data=body, headers=headers, max_redirects=0)


def _latest(stack: Stack, count: int) -> list[dict]:
    return stack.sql("SELECT * FROM orders ORDER BY id DESC LIMIT :n", n=count)
