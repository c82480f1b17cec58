"""Random valid sequences of operations and clock advances: nothing breaks, money adds up, events tell the truth."""

from collections import defaultdict

import pytest

from tests.infra.chance import SEED, scaled
from tests.simulator.machine import Machine

# States that every object of a kind reaches only with an event that says so.
TOLD = {
    "payment_intent": (
        "status",
        ("succeeded", "canceled", "processing", "requires_action", "requires_capture"),
    ),
    "setup_intent": ("status", ("succeeded", "canceled", "requires_action")),
    "charge": ("status", ("succeeded", "failed", "pending")),
    "refund": ("status", ("succeeded", "pending", "failed", "canceled")),
    "dispute": ("status", None),
    "payout": ("status", None),
    "review": ("open", None),
    "radar.early_fraud_warning": ("actionable", None),
    "checkout.session": ("status", ("complete", "expired")),
    "subscription": ("status", None),
    "invoice": ("status", ("open", "paid", "void", "uncollectible")),
}


def every(machine, name):
    return list(machine.store.read().scan(name))


def check_money(machine):
    """The balance is the sum of its transactions, and these are what happened to charges, refunds and disputes."""
    rows, expected = defaultdict(int), defaultdict(int)
    nets = defaultdict(int)
    for row in every(machine, "balance_transaction"):
        assert row["net"] == row["amount"] - row["fee"]
        assert sum(part["amount"] for part in row["fee_details"]) == row["fee"]
        rows[row["currency"]] += row["amount"]
        nets[row["currency"]] += row["net"]
    for charge in every(machine, "charge"):
        if charge["balance_transaction"]:
            expected[charge["currency"]] += charge["amount_captured"]
    for refund in every(machine, "refund"):
        if refund["balance_transaction"] and refund["status"] in ("succeeded", "pending"):
            expected[refund["currency"]] -= refund["amount"]
    for dispute in every(machine, "dispute"):
        expected[dispute["currency"]] += sum(row["amount"] for row in dispute["balance_transactions"])
    for payout in every(machine, "payout"):
        expected[payout["currency"]] -= payout["amount"] if payout["status"] in ("pending", "paid") else 0
    assert {k: v for k, v in rows.items() if v} == {k: v for k, v in expected.items() if v}
    held = defaultdict(int)
    balance = machine.api("GET", "balance")
    for entry in balance["available"] + balance["pending"]:
        held[entry["currency"]] += entry["amount"]
    assert {k: v for k, v in held.items() if v} == {k: v for k, v in nets.items() if v}


def check_refunds(machine):
    """No charge gives back more than it took."""
    given = defaultdict(int)
    for refund in every(machine, "refund"):
        if refund["status"] in ("succeeded", "pending"):
            given[refund["charge"]] += refund["amount"]
    for charge in every(machine, "charge"):
        assert 0 <= charge["amount_captured"] <= charge["amount"]
        assert 0 <= charge["amount_refunded"] <= charge["amount"]
        assert charge["refunded"] == (charge["amount_refunded"] == charge["amount"]) or not charge["paid"]
        if charge["captured"]:
            released = charge["amount"] - charge["amount_captured"]
            assert given[charge["id"]] + released == charge["amount_refunded"], charge["id"]


def check_events(machine):
    """What an event last said of an object is how the object is; and every told state was told."""
    last = {}
    for event in every(machine, "event"):
        told = event["data"]["object"]
        if "id" in told and event["type"] != "invoice.upcoming":  # tells of what is still to be made
            last.setdefault((told["object"], told["id"]), event)
    tx = machine.store.read()
    for (name, identifier), event in last.items():
        doc = tx.get(name, identifier)
        assert doc is not None, f"{event['type']} tells of a {name} that never was"
        clocked = event["data"]["object"].get("test_clock")  # a clock takes its objects with it silently
        if doc.get("deleted") and not clocked:
            assert event["type"].endswith(".deleted"), event["type"]
    for name, (field, states) in TOLD.items():
        for doc in every(machine, name):
            if states is not None and doc[field] not in states:
                continue
            event = last.get((name, doc["id"]))
            assert event is not None, f"no event told of {name} {doc['id']}: {doc[field]}"
            said = event["data"]["object"][field]
            assert said == doc[field], f"{event['type']} said {said}, but {doc['id']} is {doc[field]}"


def check(machine):
    assert machine.app.extensions["schedule"].problems == []
    assert machine.app.extensions["door"].violations == []
    check_money(machine)
    check_refunds(machine)
    check_events(machine)


def run(folder, seed, steps, every_steps):
    machine = Machine(folder, seed)
    try:
        for number in range(1, steps + 1):
            machine.step()
            if number % every_steps == 0:
                check(machine)
        check(machine)
        return machine.bytes(), machine
    finally:
        machine.close()


def test_random_valid_sequences(tmp_path):
    _, machine = run(tmp_path, SEED, scaled(400, 10_000), scaled(100, 1_000))
    assert machine.statuses[200] > sum(n for status, n in machine.statuses.items() if status != 200)


@pytest.mark.parametrize("offset", [1, 2])
def test_the_same_seed_gives_the_same_bytes(tmp_path, offset):
    steps = scaled(120, 2_000)
    first, _ = run(tmp_path / "a", SEED + offset, steps, steps)
    second, _ = run(tmp_path / "b", SEED + offset, steps, steps)
    assert first == second
