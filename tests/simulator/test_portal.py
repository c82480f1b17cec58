"""The billing portal: its configurations and sessions, and every page of it, as a browser without scripts sees them."""

import re

import pytest
import stripe

from tests.simulator.conftest import CARD
from tests.simulator.subscribing import DAY, Desk, amounts
from tests.simulator.visiting import BACK, Portal, refused, subscribed


@pytest.fixture
def portal(shop, simulator):
    return Portal(shop, Desk(shop, simulator))


def test_configurations(portal):
    made = portal.v1.billing_portal.configurations.create(
        params={
            "features": {"invoice_history": {"enabled": True}},
            "business_profile": {"headline": "Hello"}, "metadata": {"a": "b"}, "login_page": {"enabled": True},
        }
    )  # fmt: skip
    assert (made.active, made.is_default, made.features.subscription_cancel.enabled) == (True, False, False)
    assert made.login_page.url and made.business_profile.headline == "Hello"
    small = portal.desk.plan(1000)
    changed = portal.v1.billing_portal.configurations.update(
        made.id,
        params={
            "metadata": {"a": ""}, "default_return_url": BACK, "business_profile": {"headline": ""},
            "login_page": {"enabled": False},
            "features": {"subscription_update": {
                "enabled": True, "default_allowed_updates": ["price"],
                "products": [{"product": portal.desk.product.id, "prices": [small]}],
            }},
            "expand": ["features.subscription_update.products"],
        },
    )  # fmt: skip
    assert changed.features.subscription_update.products[0].prices == [small]
    assert changed.features.invoice_history.enabled
    again = portal.v1.billing_portal.configurations.retrieve(made.id)
    assert "products" not in again.features.subscription_update
    assert (again.business_profile.headline, again.login_page.url) == (None, None)
    assert [c.id for c in portal.v1.billing_portal.configurations.list().data] == [made.id]
    owner = portal.desk.customer()
    assert portal.enter(owner, made).return_url == BACK
    kinds = [e for e in portal.shop.events() if e.startswith("billing_portal")]
    assert kinds == [
        "billing_portal.configuration.created",
        "billing_portal.configuration.updated",
        "billing_portal.session.created",
    ]


def test_what_configurations_refuse(portal):
    create = portal.v1.billing_portal.configurations.create
    small, other = portal.desk.plan(1000), portal.shop.price(5)
    change = {"enabled": True, "default_allowed_updates": ["price"]}
    assert refused(create) == "features"
    assert "products" in refused(create, features={"subscription_update": change})
    where = "features[subscription_update][products][0][prices][0]"
    products = [{"product": portal.desk.product.id, "prices": [other.id]}]
    assert refused(create, features={"subscription_update": change | {"products": products}}) == where
    many = [{"product": portal.desk.product.id, "prices": [small]}] * 11
    assert "products" in refused(create, features={"subscription_update": change | {"products": many}})
    portal.enter(portal.desk.customer())
    default = portal.v1.billing_portal.configurations.list(params={"is_default": True}).data[0]
    with pytest.raises(stripe.InvalidRequestError):
        portal.v1.billing_portal.configurations.update(default.id, params={"active": False})
    mine = portal.settings()
    portal.v1.billing_portal.configurations.update(mine.id, params={"active": False})
    sessions = portal.v1.billing_portal.sessions.create
    assert refused(sessions, customer=portal.desk.customer().id, configuration=mine.id) == "configuration"
    assert refused(sessions, return_url=BACK) == "customer"
    assert refused(sessions, customer="cus_none") == "customer"


def test_home_shows_everything_escaped(portal):
    owner = portal.desk.customer(name="<b>Jenny</b>", address={"line1": "1 Road", "country": "DE"})
    small = portal.desk.plan(1000)
    sub = portal.desk.subscribe(small, customer=owner)
    portal.enter(owner, portal.settings(small, portal.desk.plan(5000)))
    assert portal.session.url == f"{portal.shop.simulator.url}/p/session/{portal.session.id}"
    page = portal.get().text
    for text in (
        "Pro",
        "$10.00 a month",
        "Renews on 2026-02-01",
        "Visa ending in 4242",
        "&lt;b&gt;Jenny",
        BACK,
    ):
        assert text in page
    assert "<b>Jenny" not in page and f"plans/{sub.id}" in page and "Stripe simulator" in page
    invoice = portal.desk.invoice(sub)
    assert invoice.number in page and invoice.invoice_pdf in page


def test_the_address_expires(portal):
    portal.enter(portal.desk.customer())
    assert portal.get().status == 200
    portal.shop.simulator.control("clock", advance=3000)
    assert portal.get().status == 200
    portal.shop.simulator.control("clock", advance=3700)
    gone = portal.get()
    assert gone.status == 410 and "expired" in gone.text and BACK in gone.text
    portal.enter(portal.desk.customer())
    portal.shop.simulator.control("clock", advance=301)
    assert portal.get().status == 410
    assert portal.get("/p/session/bps_none").status == 404


def test_changing_plan_with_its_preview(portal):
    small, large, sub = subscribed(portal)
    portal.enter(sub.customer, portal.settings(small, large))
    portal.desk.to(sub.start_date + 10 * DAY)
    assert "The plan you have" in portal.get(f"plans/{sub.id}").text
    path = f"plans/{sub.id}"
    for wrong in (
        {"price": small, "quantity": "1"},
        {"price": "price_x"},
        {"quantity": "x"},
        {"quantity": "10"},
    ):
        assert portal.post(path, **wrong).status == 422
    where = portal.post(path, price=large, quantity="2").headers["Location"]
    preview = portal.get(where).text
    due = re.search(r"Due today</dt><dd>\$([\d.]+)", preview)[1]
    assert "Unused time on Pro" in preview and "Remaining time on 2 × Pro" in preview
    assert portal.desk.again(sub)["items"].data[0].price.id == small
    done = portal.post(f"confirm/{sub.id}", price=large, quantity="2")
    assert done.headers["Location"].endswith("?note=plan")
    assert "Your plan has been changed." in portal.get(done.headers["Location"]).text
    now = portal.desk.again(sub)
    assert (now["items"].data[0].price.id, now["items"].data[0].quantity) == (large, 2)
    invoice = portal.desk.invoice(sub)
    assert (invoice.billing_reason, invoice.status) == ("subscription_update", "paid")
    assert f"{invoice.amount_paid / 100:.2f}" == due
    assert len(amounts(invoice)) == 2


def test_a_change_that_waits_for_the_next_invoice(portal):
    small, large, sub = subscribed(portal)
    settings = portal.settings(small, large, subscription_update={"proration_behavior": "create_prorations"})
    portal.enter(sub.customer, settings)
    preview = portal.get(f"confirm/{sub.id}?price={large}&quantity=1").text
    assert "On your next invoice" in preview and "Due on 2026-02-01" in preview
    assert portal.post(f"confirm/{sub.id}", price=large, quantity="1").status == 303
    assert portal.desk.again(sub)["items"].data[0].price.id == large
    assert len(portal.v1.invoices.list(params={"subscription": sub.id}).data) == 1
    assert portal.get(f"confirm/{sub.id}?price=price_none").headers["Location"].endswith(f"plans/{sub.id}")


def test_a_declined_change_changes_nothing(portal):
    small, large, sub = subscribed(portal)
    portal.enter(sub.customer, portal.settings(small, large))
    bad = portal.v1.payment_methods.attach("pm_card_chargeCustomerFail", params={"customer": sub.customer})
    settings = {"default_payment_method": bad.id}
    portal.v1.customers.update(sub.customer, params={"invoice_settings": settings})
    answer = portal.post(f"confirm/{sub.id}", price=large, quantity="1")
    assert (
        answer.status == 402
        and "Your card was declined." in answer.text
        and "Nothing was changed" in answer.text
    )
    assert portal.desk.again(sub)["items"].data[0].price.id == small
    assert len(portal.v1.invoices.list(params={"subscription": sub.id}).data) == 1


@pytest.mark.parametrize("answer", ["approve", "fail"])
def test_a_change_that_the_bank_asks_about(portal, answer):
    small, large, sub = subscribed(portal)
    portal.enter(sub.customer, portal.settings(small, large))
    asks = portal.v1.payment_methods.attach(
        "pm_card_authenticationRequired", params={"customer": sub.customer}
    )
    portal.v1.customers.update(sub.customer, params={"invoice_settings": {"default_payment_method": asks.id}})
    where = portal.post(f"confirm/{sub.id}", price=large, quantity="1").headers["Location"]
    assert where.startswith("/c/3ds/pi_")
    back = portal.shop.simulator.ask("POST", where, {"answer": answer}).headers["Location"]
    page = portal.get(back.removeprefix(portal.shop.simulator.url))
    price = portal.desk.again(sub)["items"].data[0].price.id
    if answer == "approve":
        assert page.headers["Location"].endswith("note=plan") and price == large
    else:
        assert "unable to authenticate" in page.text and price == small


def test_a_cheaper_plan_waits_for_the_end_of_the_period(portal):
    small, large = portal.desk.plan(1000), portal.desk.plan(3000)
    sub = portal.desk.subscribe(large)
    wish = {"schedule_at_period_end": {"conditions": [{"type": "decreasing_item_amount"}]}}
    portal.enter(sub.customer, portal.settings(small, large, subscription_update=wish))
    page = portal.get(f"confirm/{sub.id}?price={small}&quantity=1").text
    assert "The change is made on 2026-02-01" in page and "Nothing is due today" in page
    path = f"confirm/{sub.id}"
    assert portal.post(path, price=small, quantity="1").headers["Location"].endswith("note=later")
    page = portal.get().text
    assert "Changes on 2026-02-01 to Pro: $10.00 a month" in page and "Change plan" not in page
    assert portal.desk.again(sub)["items"].data[0].price.id == large
    assert portal.post(f"keep/{sub.id}").headers["Location"].endswith("note=kept")
    assert "Changes on" not in portal.get().text
    assert portal.post(path, price=small, quantity="2").status == 303
    portal.desk.to(sub.start_date + 32 * DAY)
    item = portal.desk.again(sub)["items"].data[0]
    assert (item.price.id, item.quantity) == (small, 2)
    assert portal.desk.invoice(sub).total == 2000


def test_a_shorter_interval_waits_too(portal):
    small, yearly = portal.desk.plan(1000), portal.desk.plan(9000, "year")
    sub = portal.desk.subscribe(yearly)
    wish = {"schedule_at_period_end": {"conditions": [{"type": "shortening_interval"}]}}
    portal.enter(sub.customer, portal.settings(small, yearly, subscription_update=wish))
    assert "2027-01-01" in portal.get(f"confirm/{sub.id}?price={small}&quantity=1").text


def test_a_trial_ends_with_the_change(portal):
    small, large, sub = subscribed(portal, trial_period_days=10)
    portal.enter(sub.customer, portal.settings(small, large))
    assert "Free until 2026-01-11" in portal.get().text
    assert "To pay now" in portal.get(f"confirm/{sub.id}?price={large}&quantity=1").text
    assert portal.post(f"confirm/{sub.id}", price=large, quantity="1").status == 303
    assert portal.desk.again(sub).status == "active"


def test_cancelling_at_the_end_and_taking_it_back(portal):
    _, _, sub = subscribed(portal)
    portal.enter(sub.customer, portal.settings())
    page = portal.get(f"cancel/{sub.id}").text
    assert "until 2026-02-01" in page and "It is too expensive" in page and "too complicated" not in page
    done = portal.post(f"cancel/{sub.id}", feedback="too_expensive", comment="Too much")
    assert done.headers["Location"].endswith("note=cancel")
    now = portal.desk.again(sub)
    assert (now.cancel_at_period_end, now.status) == (True, "active")
    details = now.cancellation_details
    assert (details.feedback, details.comment, details.reason) == (
        "too_expensive",
        "Too much",
        "cancellation_requested",
    )
    page = portal.get().text
    assert "Ends on 2026-02-01" in page and "Don’t cancel" in page
    assert portal.get(f"cancel/{sub.id}").status == 303
    assert portal.post(f"renew/{sub.id}").headers["Location"].endswith("note=renew")
    assert not portal.desk.again(sub).cancel_at_period_end


def test_cancelling_now(portal):
    _, _, sub = subscribed(portal)
    wish = {"enabled": True, "mode": "immediately", "proration_behavior": "create_prorations"}
    portal.enter(sub.customer, portal.settings(subscription_cancel=wish))
    assert "becomes your credit" in portal.get(f"cancel/{sub.id}").text
    assert portal.post(f"cancel/{sub.id}", feedback="made_up").status == 303
    gone = portal.desk.again(sub)
    assert (gone.status, gone.cancellation_details.feedback) == ("canceled", None)
    assert "No subscriptions." in portal.get().text
    assert portal.get(f"cancel/{sub.id}").headers["Location"] == f"/p/session/{portal.session.id}"


@pytest.mark.parametrize("kind", ["indefinite", "interval_options"])
def test_pausing_and_resuming(portal, kind):
    _, _, sub = subscribed(portal)
    wish = {"enabled": True, "duration": {"type": kind}}
    portal.enter(sub.customer, portal.settings(subscription_pause=wish))
    assert ("For how long?" in portal.get(f"pause/{sub.id}").text) == (kind == "interval_options")
    assert portal.post(f"pause/{sub.id}", option="0").headers["Location"].endswith("note=pause")
    assert portal.desk.again(sub).status == "paused"
    assert portal.get(f"pause/{sub.id}").status == 303
    assert "Resume" in portal.get().text
    if kind == "indefinite":
        assert portal.post(f"resume/{sub.id}").headers["Location"].endswith("note=resume")
    else:
        portal.desk.to(sub.start_date + 32 * DAY)
    assert portal.desk.again(sub).status == "active"


def test_another_card(portal):
    _, _, sub = subscribed(portal)
    portal.enter(sub.customer, portal.settings())
    assert portal.post("card").status == 422
    answer = portal.post("card", **CARD | {"cardNumber": "4000000000000002"})
    assert answer.status == 402 and "declined" in answer.text
    done = portal.post("card", **CARD | {"cardNumber": "5555555555554444"})
    assert done.headers["Location"].endswith("note=card")
    owner = portal.v1.customers.retrieve(
        sub.customer, params={"expand": ["invoice_settings.default_payment_method"]}
    )
    assert owner.invoice_settings.default_payment_method.card.last4 == "4444"
    assert "Mastercard ending in 4444" in portal.get().text


@pytest.mark.parametrize("answer", ["approve", "fail"])
def test_a_card_whose_bank_asks(portal, answer):
    card = portal.v1.payment_methods.create(params={"type": "card", "card": {"token": "tok_visa"}})
    owner = portal.desk.customer()
    portal.v1.payment_methods.attach(card.id, params={"customer": owner.id})
    sub = portal.desk.subscribe(customer=owner, default_payment_method=card.id)
    portal.enter(owner, portal.settings())
    where = portal.post("card", **CARD | {"cardNumber": "4000002760003184"}).headers["Location"]
    assert portal.shop.simulator.ask("GET", where).status == 200
    back = portal.shop.simulator.ask("POST", where, {"answer": answer}).headers["Location"]
    page = portal.get(back.removeprefix(portal.shop.simulator.url))
    now = portal.desk.again(sub).default_payment_method
    if answer == "approve":
        assert page.headers["Location"].endswith("note=card") and now != card.id
    else:
        assert page.status == 402 and "unable to authenticate" in page.text and now == card.id


def test_details(portal):
    portal.enter(portal.desk.customer(), portal.settings())
    assert "jenny@example.com" in portal.get("details").text
    assert portal.post("details", email="nobody").status == 422
    assert portal.post("details", email="a@example.com", country="XX").status == 422
    done = portal.post(
        "details", email="new@example.com", name="New", line1="1 Road", country="DE", phone="123"
    )
    assert done.headers["Location"].endswith("note=details")
    owner = portal.v1.customers.retrieve(portal.session.customer)
    assert (owner.email, owner.name, owner.address.country, owner.phone) == (
        "new@example.com",
        "New",
        "DE",
        "123",
    )


def test_what_is_not_allowed_is_not_there(portal):
    _, _, sub = subscribed(portal)
    nothing = portal.v1.billing_portal.configurations.create(
        params={"features": {"invoice_history": {"enabled": False}}}
    )
    portal.enter(sub.customer, nothing)
    page = portal.get().text
    for word in ("Change plan", "Cancel", "Pause", "Use another card", "Change details", "Invoices"):
        assert word not in page
    home = f"/p/session/{portal.session.id}"
    for path in (
        "card",
        "details",
        f"cancel/{sub.id}",
        f"pause/{sub.id}",
        f"plans/{sub.id}",
        "plans/sub_none",
    ):
        assert portal.get(path).headers["Location"].startswith(home)
        assert portal.post(path).headers["Location"].startswith(home)
    assert portal.desk.again(sub).status == "active"
    other = portal.desk.subscribe()
    assert portal.post(f"resume/{other.id}").headers["Location"] == home


def test_an_old_sample_server(portal):
    """As Stripe's published samples ask, which pin 2020-08-27."""
    owner = portal.desk.customer()
    fields = {"customer": owner.id, "return_url": "http://localhost:4242"}
    made = portal.shop.simulator.api("POST", "/v1/billing_portal/sessions", fields, version="2020-08-27")
    assert made.status == 200, made.text
    page = portal.shop.simulator.ask("GET", made.json()["url"].removeprefix(portal.shop.simulator.url))
    assert page.status == 200 and "No subscriptions." in page.text
