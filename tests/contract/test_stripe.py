"""What the shop asks of Stripe and what the simulator answers, by the shared checkers in their strict mode."""

from collections.abc import Callable

import pytest

from tests.infra import wait
from tests.infra.buyer import Buyer
from tests.infra.stack import Stack

LISTS = (
    "products", "prices", "tax_rates", "coupons", "promotion_codes", "customers", "checkout/sessions",
    "payment_intents", "charges", "refunds", "balance_transactions", "webhook_endpoints", "events",
)  # fmt: skip
DECLINED = "4000000000000002"


@pytest.fixture(scope="module")
def traded(shared_stacks: Callable[[str], Stack]) -> Stack:
    """A shop in which someone bought, someone was declined, someone left, and a purchase was refunded."""
    stack = shared_stacks("sqlite")
    order = Buyer(stack).buy()
    declined = Buyer(stack)
    declined.pay(declined.start(), cardNumber=DECLINED)
    leaving = Buyer(stack)
    session = leaving.start().rpartition("/")[2].partition("#")[0]
    stack.stripe(f"/v1/checkout/sessions/{session}/expire")
    intent = stack.sql("SELECT stripe_payment_intent_id AS id FROM payments WHERE state = 'succeeded'")[0][
        "id"
    ]
    stack.stripe("/v1/refunds", payment_intent=intent)
    stack.stripe("/_sim/settle")
    wait.until(
        lambda: not stack.sql("SELECT id FROM webhook_events WHERE state IN ('waiting', 'running')"),
        "every event is applied",
    )
    assert stack.sql("SELECT state FROM orders WHERE public_id = :order", order=order)
    return stack


def test_each_request_is_one_stripe_understands(traded: Stack, checkers):
    check_params, _ = checkers
    asked = traded.stripe("/_sim/requests", method="GET")["requests"]
    # Requests without a pinned version are this test's own.
    ours = [entry for entry in asked if entry["version"]]
    assert {"/v1/products", "/v1/prices", "/v1/checkout/sessions"} <= {entry["path"] for entry in ours}
    problems = [
        f"{entry['method']} {entry['path']}: {problem}"
        for entry in ours
        for problem in check_params.check(entry["method"], entry["path"], entry["params"] or "")
    ]
    assert not problems, "\n".join(problems)
    assert all(entry["idempotency_key"] for entry in ours if entry["method"] == "POST")


@pytest.mark.parametrize("name", LISTS)
def test_each_answer_has_the_shape_of_stripes(traded: Stack, checkers, name: str):
    _, check_response = checkers
    path = f"/v1/{name}"
    listed = traded.stripe(f"{path}?limit=100", method="GET")
    assert listed["data"], f"nothing to look at in {path}"
    check = check_response.check_event if name == "events" else check_response.check
    problems = [problem for found in listed["data"] for problem in check(found)]
    problems += check(traded.stripe(f"{path}/{listed['data'][0]['id']}", method="GET"))
    assert not problems, "\n".join(sorted(set(problems)))
