"""The console's first page: calm when nothing waits, and what waits first when something does."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask

from tests.infra.shop import ClientRequest, Travel
from tests.ops.conftest import settled, stored_event


def test_a_quiet_shop_is_called_quiet(shop: Flask, operator: ClientRequest) -> None:
    settled(shop)
    page = operator.get("/ops")
    assert page.one(".lede").text == "Nothing waits for a person."
    assert not page.select(".note")
    assert "Taken today€29.00" in page.one("dl.grid").text
    assert "visitor@example.com" in page.one("table.data").text


def test_what_needs_a_person_comes_first(shop: Flask, operator: ClientRequest) -> None:
    from app import clock, tasks
    from app.extensions import db, mean_to_write
    from app.models import CallState, ExecutionTask, StripeCall

    settled(shop, amount_total=2000)
    stored_event(shop, state="dead")
    stored_event(shop, stripe_event_id="evt_2", queued_at=clock.now() - timedelta(minutes=9))
    with shop.app_context():
        mean_to_write()
        tasks.enqueue("post_fees")
        db.session.flush()
        db.session.execute(db.update(ExecutionTask).values(state="dead"))
        db.session.add(StripeCall(operation="x", parameters={}, idempotency_key="k", state=CallState.UNKNOWN))
        db.session.commit()
    page = operator.get("/ops")
    assert page.one(".lede").text == "5 matters wait for a person, most urgent first."
    said = [note.text for note in page.select(".note strong")]
    assert said == [
        "1 order is held",
        "Events have waited for 9 minutes",
        "1 event gave up",
        "1 call to Stripe went unanswered",
        "Background tasks gave up",
    ]
    for note in page.select(".note a"):
        operator.get(note["href"])


def test_days_and_weeks_end(shop: Flask, operator: ClientRequest, travel: Travel) -> None:
    from app.extensions import db, mean_to_write
    from app.models import Order

    settled(shop)
    with shop.app_context():
        mean_to_write()
        db.session.execute(db.update(Order).values(flagged=True, flags=["high_amount"]))
        db.session.commit()
    assert "1 order of this week is flagged" in operator.get("/ops").one(".lede").text
    travel(days=8)
    page = operator.get("/ops")
    assert "flagged" not in page.one(".lede").text
    assert "Taken todayNothing yet" in page.one("dl.grid").text
    assert "worth more than $100,000." in operator.get("/ops/flagged").one("table.data").text
