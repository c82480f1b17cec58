"""Deep links into the billing portal: each leads to one form and from there where the shop said."""

import pytest

from tests.simulator.conftest import CARD
from tests.simulator.subscribing import Desk
from tests.simulator.visiting import Portal, refused, subscribed


@pytest.fixture
def portal(shop, simulator):
    return Portal(shop, Desk(shop, simulator))


def test_a_flow_leads_to_its_form_and_back_to_the_shop(portal):
    small, large, sub = subscribed(portal)
    item = sub["items"].data[0].id
    settings = portal.settings(small, large)
    back = {"type": "redirect", "redirect": {"return_url": "http://127.0.0.1:9/done"}}
    confirm = {"subscription": sub.id, "items": [{"id": item, "price": large, "quantity": 2}]}
    acts = [
        ("customer_update", {}, "details", {"email": "x@example.com"}),
        ("payment_method_update", {}, "card", CARD),
        ("subscription_update_confirm", confirm, f"confirm/{sub.id}", {}),
        ("subscription_update", {"subscription": sub.id}, f"plans/{sub.id}", None),
        ("subscription_pause", {"subscription": sub.id}, f"pause/{sub.id}", {}),
    ]
    for kind, about, path, fields in acts:
        flow = {"type": kind, "after_completion": back} | ({kind: about} if about else {})
        portal.enter(sub.customer, settings, flow_data=flow)
        assert portal.get().headers["Location"] == f"/p/session/{portal.session.id}/{path}"
        page = portal.get(path)
        assert page.status == 200 and "http://127.0.0.1:9" in page.headers["Content-Security-Policy"]
        if fields is None:
            where = portal.post(path, price=small, quantity="1").headers["Location"]
            path, fields = f"confirm/{sub.id}", {"price": small, "quantity": "1"}
            assert "/confirm/" in where
        assert portal.post(path, **fields).headers["Location"] == "http://127.0.0.1:9/done"
        assert portal.get().status == 200
    assert portal.desk.again(sub).status == "paused"


def test_a_flow_that_confirms_on_its_own_page_and_an_offer_to_stay(portal):
    _, _, sub = subscribed(portal)
    coupon = portal.v1.coupons.create(
        params={"percent_off": 20, "duration": "forever", "name": "Please stay"}
    )
    about = {
        "subscription": sub.id,
        "retention": {"type": "coupon_offer", "coupon_offer": {"coupon": coupon.id}},
    }
    flow = {
        "type": "subscription_cancel", "subscription_cancel": about,
        "after_completion": {"type": "hosted_confirmation", "hosted_confirmation": {"custom_message": "Bye <3"}},
    }  # fmt: skip
    portal.enter(sub.customer, portal.settings(), flow_data=flow)
    assert "Please stay" in portal.get(f"cancel/{sub.id}").text
    where = portal.post(f"cancel/{sub.id}", stay="1").headers["Location"]
    assert "Bye &lt;3" in portal.get(where).text
    assert len(portal.desk.again(sub).discounts) == 1
    portal.enter(sub.customer, portal.settings(), flow_data=flow)
    assert portal.post(f"cancel/{sub.id}").headers["Location"].endswith("/done")
    assert portal.desk.again(sub).cancel_at_period_end


def test_what_flows_refuse(portal):
    _, large, sub = subscribed(portal)
    create = portal.v1.billing_portal.sessions.create
    owner, other = sub.customer, portal.desk.customer().id
    item = sub["items"].data[0].id
    settings = portal.settings(large).id

    def wrong(kind, about=None, customer=owner, configuration=settings, **more):
        flow = {"type": kind} | ({kind: about} if about else {}) | more
        return refused(create, customer=customer, configuration=configuration, flow_data=flow)

    bare = portal.v1.billing_portal.configurations.create(
        params={"features": {"invoice_history": {"enabled": False}}}
    ).id
    assert wrong("customer_update", configuration=bare) == "flow_data[type]"
    assert wrong("subscription_cancel") == "flow_data[subscription_cancel]"
    about = {"subscription": sub.id}
    assert (
        wrong("subscription_cancel", about, customer=other) == "flow_data[subscription_cancel][subscription]"
    )
    after = {"type": "redirect"}
    assert "redirect" in wrong("customer_update", after_completion=after)
    confirm = "subscription_update_confirm"
    assert wrong(confirm, about | {"items": [{"id": "si_x"}]}).endswith("[items][0][id]")
    assert wrong(confirm, about | {"items": [{"id": item, "price": "x"}]}).endswith("[price]")
    assert wrong(confirm, about | {"items": [{"id": item}, {"id": item}]}).endswith("[items]")
    portal.desk.update(sub, cancel_at_period_end=True)
    assert wrong("subscription_cancel", about).endswith("[subscription]")
    portal.v1.subscriptions.cancel(sub.id)
    assert wrong("subscription_update", about).endswith("[subscription]")
