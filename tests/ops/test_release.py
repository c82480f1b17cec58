"""Releasing a held order: balanced entries, a receipt that adds up, and the log, all in one commit or not at all."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import func, select

from tests.account.people import token
from tests.infra import databases
from tests.infra.shop import ClientRequest
from tests.ops.conftest import SignIn, settled


def release(visitor: ClientRequest, public_id: str, status: int = 303) -> object:
    visitor.get(f"/ops/orders/{public_id}")
    return visitor.post(f"/ops/orders/{public_id}/release", {"csrf_token": token(visitor)}, status)


@databases.both
def test_the_books_the_receipt_and_the_log_say_it(shop: Flask, sign_in: SignIn) -> None:
    from app import audit
    from app.billing import ledger
    from app.extensions import db
    from app.models import AuditRow, JournalEntry, Order, OrderState
    from app.money import Money

    public_id = settled(shop, amount_total=2000)
    operator = sign_in("operator")
    release(operator, public_id)
    page = operator.get(f"/ops/orders/{public_id}")
    assert "released by a person" in page.one(".lede").text
    assert "Released: accepted as it was paid" in page.one("ol.line").text
    assert "operator" in page.one("ol.line").text  # who did it, by their address
    with shop.app_context():
        order = db.session.scalars(select(Order)).one()
        assert (order.state, order.settled) == (OrderState.PAID, Money(2000, "eur"))
        entries = db.session.scalars(select(JournalEntry).order_by(JournalEntry.id)).all()
        assert [entry.key.partition(":")[0] for entry in entries] == ["held", "release"]
        assert all(sum(line.amount for line in entry.lines) == 0 for entry in entries)
        balances = ledger.balances()
        assert sum(balance.amount for balance in balances.values()) == 0
        assert balances["suspense", "eur"].amount == 0
        row = db.session.scalars(select(AuditRow).where(AuditRow.action == "order.release")).one()
        assert row.actor.startswith("user:") and row.subject == public_id
        assert row.details == {"amount": 2000, "currency": "eur"}
        assert list(audit.verify()) == []


def test_a_second_release_says_that_it_was_done(shop: Flask, held: str, operator: ClientRequest) -> None:
    from app.extensions import db
    from app.models import AuditRow, Receipt

    for _ in range(2):
        release(operator, held)
    notes = operator.get(f"/ops/orders/{held}").select("main .note")
    assert "Nothing was changed" in notes[0].text
    with shop.app_context():
        assert db.session.scalar(select(func.count()).select_from(Receipt)) == 1
        query = select(func.count()).select_from(AuditRow).where(AuditRow.action == "order.release")
        assert db.session.scalar(query) == 1


@pytest.mark.parametrize("action", ["release", "replay"])
def test_what_cannot_be_logged_does_not_happen(
    shop: Flask, held: str, operator: ClientRequest, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    from app import audit
    from app.extensions import db
    from app.models import Order, QueueState, WebhookEvent
    from tests.ops.conftest import stored_event

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    event = stored_event(shop, state=QueueState.DEAD, attempts=10)
    monkeypatch.setattr(audit, "record", full)
    path = f"/ops/orders/{held}/release" if action == "release" else f"/ops/events/{event}/replay"
    operator.get("/ops")
    operator.post(path, {"csrf_token": token(operator)}, 500)
    with shop.app_context():
        assert db.session.scalars(select(Order.state)).one() == "held"
        assert db.session.scalars(select(WebhookEvent.state)).one() == "dead"


@pytest.mark.parametrize("price", ["field-guide-eur-v1", "field-guide-jpy-v1"])
@pytest.mark.parametrize("paid", [1, 1999, 2900, 2901, 5000])
def test_the_statement_of_what_was_released_adds_up(shop: Flask, price: str, paid: int) -> None:
    from app.billing import receipts, settlement
    from app.extensions import db, mean_to_write
    from tests.billing.sessions import open_order, session_of

    with shop.app_context():
        mean_to_write()
        order = open_order(price)
        settlement.settle(session_of(order, amount_total=paid, amount_subtotal=1), actor="stripe")
        db.session.commit()
        assert settlement.release(order, actor="user:1")
        statement = receipts.statement_of(order)
        assert sum(line.amount.amount for line in statement.lines) == statement.total.amount == paid


def test_an_oversold_order_keeps_what_stripe_settled(shop: Flask) -> None:
    from app.billing import settlement
    from app.extensions import db, mean_to_write
    from tests.billing.sessions import open_order, session_of

    with shop.app_context():
        mean_to_write()
        order = open_order()
        details = {"amount_discount": 0, "amount_tax": 462, "amount_shipping": 0}
        settlement.settle(session_of(order, amount_total=2000, total_details=details), actor="stripe")
        order.discount_amount, order.settled_tax_amount, order.settled_amount = 0, 462, 2900
        db.session.flush()
        settlement.release(order, actor="user:1")
        db.session.commit()
        assert order.settled_tax_amount == 462


def test_money_in_another_currency_is_not_booked_as_this_order(shop: Flask, operator: ClientRequest) -> None:
    from app.extensions import db
    from app.models import Order, RevenueRecord

    public_id = settled(shop, currency="usd")
    aside = operator.get(f"/ops/orders/{public_id}").one("aside")
    assert "USD 29.00" in aside.text and not aside.select("form")
    page = operator.post(f"/ops/orders/{public_id}/release", {"csrf_token": token(operator)}, 409)
    assert "This order was paid in another currency" in page.one("h1").text
    assert "Nothing was changed." in page.one("main").text
    with shop.app_context():
        assert db.session.scalars(select(Order.state)).one() == "held"
        assert db.session.scalar(select(func.count()).select_from(RevenueRecord)) == 0
