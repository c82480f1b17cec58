"""A customer in the billing portal: what its tests begin with."""

import pytest
import stripe

BACK = "http://127.0.0.1:9/account"
REASONS = ["too_expensive", "unused"]


class Portal:
    """A customer in the portal."""

    def __init__(self, shop, desk):
        self.shop, self.desk, self.v1 = shop, desk, shop.v1
        self.session = None

    def settings(self, *prices, **features):
        change = {
            "enabled": bool(prices), "default_allowed_updates": ["price", "quantity"],
            "proration_behavior": "always_invoice",
            "products": [{
                "product": self.desk.product.id, "prices": list(prices),
                "adjustable_quantity": {"enabled": True, "minimum": 1, "maximum": 9},
            }],
        }  # fmt: skip
        change |= features.pop("subscription_update", {})
        wished = {
            "customer_update": {"enabled": True, "allowed_updates": ["email", "name", "address", "phone"]},
            "invoice_history": {"enabled": True},
            "payment_method_update": {"enabled": True},
            "subscription_cancel": {
                "enabled": True, "cancellation_reason": {"enabled": True, "options": REASONS},
            },
            "subscription_pause": {"enabled": True},
        } | ({"subscription_update": change} if prices else {}) | features  # fmt: skip
        return self.v1.billing_portal.configurations.create(params={"features": wished})

    def enter(self, owner, settings=None, **more):
        given = {"customer": getattr(owner, "id", owner), "return_url": BACK} | more
        if settings:
            given["configuration"] = settings.id
        self.session = self.v1.billing_portal.sessions.create(params=given)
        return self.session

    def get(self, path=""):
        where = (
            path if path.startswith("/") else f"/p/session/{self.session.id}" + (f"/{path}" if path else "")
        )
        return self.shop.simulator.ask("GET", where)

    def post(self, path, **fields):
        return self.shop.simulator.ask("POST", f"/p/session/{self.session.id}/{path}", fields)


def subscribed(portal, **more):
    """A small and a large plan, and a subscription to the small one."""
    small, large = portal.desk.plan(1000), portal.desk.plan(3000)
    sub = portal.desk.subscribe(small, **more)
    return small, large, sub


def refused(call, **params):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        call(params=params)
    return caught.value.param
