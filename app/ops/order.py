"""One order: what it is, what happened to it, and what a person can do about it."""

from __future__ import annotations

from typing import Any

from flask import abort, current_app, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.billing import checkout, receipts, settlement
from app.extensions import db
from app.gateway import StripeFailure
from app.guards import staff
from app.models import (
    HistoryEntry,
    JournalEntry,
    Mail,
    Order,
    OrderState,
    StripeCall,
)
from app.ops import timeline
from app.ops.door import actor, blueprint


@blueprint.get("/orders/<order_id>")
def order(order_id: str) -> str:
    found = _order(order_id)
    mails = _of(Mail, found)
    history = _of(HistoryEntry, found)[::-1]
    return render_template(
        "ops/order.html",
        order=found,
        statement=receipts.statement_of(found),
        happenings=timeline.of(found, history, mails),
        entries=_of(JournalEntry, found),
        mails=mails,
        calls=db.session.scalars(
            select(StripeCall)
            .where(StripeCall.idempotency_key.startswith(f"order:{found.public_id}:", autoescape=True))
            .order_by(StripeCall.id)
        ).all(),
        paid=settlement.received(found),
        dashboard=_dashboard(),
    )


def _of(model: Any, found: Order) -> list[Any]:
    return list(db.session.scalars(select(model).where(model.order_id == found.id).order_by(model.id)))


def _dashboard() -> str:
    """Where Stripe shows a payment to people; empty for the simulator, which has no such page."""
    settings = current_app.config["SETTINGS"]
    if settings.simulated:
        return ""
    return f"https://dashboard.stripe.com/{'' if settings.livemode else 'test/'}payments/"


@blueprint.post("/orders/<order_id>/sync")
@staff("operator")
def sync_order(order_id: str) -> Response:
    """Ask Stripe about the order and settle it: the same room as the webhook's."""
    found = _order(order_id)
    before = found.state
    try:
        if found.state == OrderState.PENDING:
            checkout.reopen(found.public_id)
        settlement.refresh(found, actor=actor())
        db.session.commit()
        if found.state == before:
            flash(_("Stripe was asked. The order is as it was."), "good")
        else:
            flash(_("Stripe was asked, and the order is brought up to date."), "good")
    except StripeFailure as failure:
        db.session.rollback()
        flash(_("Stripe gave no answer: %(reason)s", reason=str(failure.title)), "bad")
    return redirect(url_for("ops.order", order_id=order_id), 303)


@blueprint.post("/orders/<order_id>/release")
@staff("operator")
def release(order_id: str) -> Response:
    """Accept a held order as it was paid."""
    found = _order(order_id)
    if settlement.release(found, actor=actor()):
        flash(_("The order is released: revenue and receipt are written."), "good")
    else:
        flash(_("The order is not held any more. Nothing was changed."), "warn")
    db.session.commit()
    return redirect(url_for("ops.order", order_id=order_id), 303)


def _order(order_id: str) -> Order:
    return db.session.scalar(select(Order).where(Order.public_id == order_id)) or abort(404)
