"""SIGKILL to web or worker at random moments of a purchase: no order is lost, nobody pays twice."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.infra import wait
from tests.infra.buyer import Buyer
from tests.infra.chance import scaled
from tests.infra.databases import KINDS
from tests.infra.stack import Stack
from tests.infra.stacks import OpenStack

ROUNDS = scaled(8, 50)


@pytest.fixture(params=KINDS)
def shop(request: pytest.FixtureRequest, open_stack: OpenStack) -> Iterator[Stack]:
    yield open_stack(request.param, workers=2)


@pytest.mark.chaos
def test_killed_at_any_moment_every_purchase_is_paid_exactly_once(shop: Stack, rng: random.Random) -> None:
    bought = set()
    with ThreadPoolExecutor(1) as pool:
        for number in range(ROUNDS):
            purchase = pool.submit(Buyer(shop).buy, email=f"buyer{number}@example.com")
            # Anywhere between the first request and a little after the last one.
            threading.Event().wait(rng.uniform(0, 0.8))
            shop.restart(rng.choice(["web", "web", "worker"]))
            bought.add(purchase.result(120))
    assert len(bought) == ROUNDS
    wait.until(lambda: settled(shop) == ROUNDS, f"{ROUNDS} orders are paid", seconds=120)
    wait.until(lambda: open_events(shop) == 0, "every event is applied", seconds=120)
    check_books(shop)


def settled(shop: Stack) -> int:
    return shop.sql("SELECT count(*) AS n FROM orders WHERE state = 'paid'")[0]["n"]


def open_events(shop: Stack) -> int:
    return shop.sql("SELECT count(*) AS n FROM webhook_events WHERE state IN ('waiting', 'running')")[0]["n"]


def check_books(shop: Stack) -> None:
    """Ours against Stripe's: as many charges as orders, one of everything an order has."""
    charges = shop.stripe("/v1/charges?limit=100", method="GET")["data"]
    succeeded = [charge for charge in charges if charge["status"] == "succeeded"]
    orders = {charge["metadata"]["order_id"] for charge in succeeded}
    assert len(succeeded) == len(orders) == ROUNDS
    for table in ("payments", "revenue_records", "receipts", "mails"):
        assert shop.sql(f"SELECT count(*) AS n FROM {table}")[0]["n"] == ROUNDS, table
    sales = shop.sql("SELECT count(*) AS n FROM journal_entries WHERE key LIKE 'sale:%'")
    assert sales[0]["n"] == ROUNDS
    numbers = sorted(row["number"][-6:] for row in shop.sql("SELECT number FROM receipts"))
    assert numbers == [f"{number:06d}" for number in range(1, ROUNDS + 1)]
    unbalanced = shop.sql(
        "SELECT entry_id FROM journal_lines GROUP BY entry_id, currency HAVING sum(amount) <> 0"
    )
    assert unbalanced == []
    total = shop.sql("SELECT sum(amount) AS total FROM journal_lines WHERE account = 'revenue'")
    gross = sum(charge["amount"] for charge in succeeded)
    tax = shop.sql("SELECT sum(amount) AS total FROM journal_lines WHERE account = 'tax_payable'")
    assert total[0]["total"] + tax[0]["total"] == -gross
