"""Buying: the decision, the way to Checkout, and the page the buyer comes back to."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, NoReturn

from flask import Response, abort, g, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from sqlalchemy.exc import OperationalError
from werkzeug.wrappers import Response as BaseResponse

from app import clock, gateway
from app.billing import checkout, offers, receipts, settlement
from app.billing.catalog import INTERVALS
from app.errors import AppError
from app.extensions import db, limiter, writing
from app.fraud.signals import visitor_hash
from app.models import Order, OrderState
from app.storefront import pages
from app.storefront.forms import CheckoutForm
from app.storefront.pages import blueprint

# How a payment was made is told by the charge's own event, which may come after the session's.
METHOD_WITHIN = timedelta(minutes=1)
SESSION_ID = re.compile(r"cs_(test|live)_[A-Za-z0-9]{8,200}")


@blueprint.post("/checkout", endpoint="checkout")
@limiter.limit("30/minute")
def buy() -> BaseResponse | tuple[str, int]:
    """One decision: order stored, session opened, on to Stripe. Sent twice, it leads to the same session."""
    form = CheckoutForm()
    if "update" in request.form:
        return _show_total(form)
    if not form.validate():
        return _ask_again(form)
    decision = checkout.Decision(
        price_key=form.price.data,
        quantity=int(form.quantity.data),
        seen_total=int(form.seen_total.data),
        decision_key=form.decision_key.data,
        source=session.get("source", {}),
        locale=pages.language(),
    )
    try:
        order = _place(decision)
    except checkout.PriceChanged as changed:
        return _confirm(changed), 409
    return _to_checkout(order)


def _place(decision: checkout.Decision) -> Order:
    order = checkout.place_order(decision, g.signals)
    db.session.commit()
    return order


def _to_checkout(order: Order) -> BaseResponse:
    """To the order's session; to its own page where there is none to pay any more."""
    url = checkout.open_session(order)
    db.session.commit()
    if url is None or order.state != OrderState.OPEN:
        return redirect(url_for("storefront.order", order_id=order.public_id), 303)
    return redirect(url, 303)


def _show_total(form: CheckoutForm) -> BaseResponse:
    """“Update total”, where no script does it: back to the offer, at the quantity that was entered."""
    price = offers.price_on_sale(form.price.data or "") or _unreadable()
    quantity = (form.quantity.data or "")[:20]
    slug, currency = price.offer.slug, price.currency
    return redirect(url_for("storefront.offer", slug=slug, currency=currency, quantity=quantity), 303)


def _ask_again(form: CheckoutForm) -> tuple[str, int]:
    """The offer's page with the message beside the field, at 422; 400 where what came is no form of ours."""
    price = offers.price_on_sale(form.price.data or "") or _unreadable()
    if set(form.errors) - {"quantity"}:
        _unreadable()
    return pages.offer_page(
        price.offer, price.currency, price.interval or INTERVALS[0], offers.currencies(), form=form
    )


def _unreadable() -> NoReturn:
    raise AppError(
        400,
        _("That request could not be read"),
        _("Go back to the offer, load the page again and press the button once more."),
        money=_("No money was taken."),
    )


def _confirm(changed: checkout.PriceChanged) -> str:
    """The new total, to be agreed to: nothing is ever charged at a total nobody saw."""
    form = CheckoutForm(formdata=None)
    quote = changed.quote
    form.price.data = quote.price.lookup_key
    form.quantity.data = str(quote.quantity)
    form.seen_total.data = str(quote.total.amount)
    form.decision_key.data = request.form["decision_key"]
    return render_template(
        "storefront/confirm.html",
        offer=quote.price.offer,
        quote=quote,
        statement=receipts.statement_of_quote(quote),
        form=form,
        problem=changed,
    )


@blueprint.get("/checkout/return")
def checkout_return() -> BaseResponse:
    """Where Checkout sends a buyer: ask Stripe what the session came to, settle, and go to the order's page."""
    session_id = request.args.get("session_id", "")
    if not SESSION_ID.fullmatch(session_id):
        abort(404)
    order = checkout.of_session(session_id, visitor_hash())
    if order is None:
        # Said of any session, ours or not: a payer whose browser lost its cookies must not pay again.
        raise AppError(
            404,
            _("This order opens only in the browser that placed it"),
            _("If you paid, the receipt comes by mail. Don't pay again; write to us if it does not come."),
            code="another_browser",
        )
    order_id = order.public_id
    with writing():
        return _to_order(order_id)


def _to_order(order_id: str) -> BaseResponse:
    """Settle, and show the order. Where Stripe does not answer the page says that we do not know yet, and the
    webhook or the sweeper settles.
    """
    order = checkout.of_visitor(order_id, visitor_hash()) or abort(404)
    unsure = None
    try:
        settlement.refresh(order, actor="return page")
        db.session.commit()
    except (
        gateway.StripeFailure,
        OperationalError,
    ):  # PostgreSQL lets one of two that wait for each other go
        db.session.rollback()
        unsure = 1
    return redirect(url_for("storefront.order", order_id=order_id, unsure=unsure), 303)


@blueprint.get("/checkout/<order_id>")
def order(order_id: str) -> str:
    """What is true of an order right now, for the browser that placed it."""
    found = checkout.of_visitor(order_id, visitor_hash()) or abort(404)
    return render_template("storefront/order.html", **_view(found))


@blueprint.get("/checkout/<order_id>/state")
def order_state(order_id: str) -> Response:
    """The changing part of the order's page alone, for the small poll."""
    found = checkout.of_visitor(order_id, visitor_hash()) or abort(404)
    return make_response(render_template("storefront/_order_state.html", **_view(found)))


@blueprint.get("/checkout/<order_id>/receipt")
def receipt(order_id: str) -> str:
    """The receipt, as mailed, for printing: for the browser that bought, and for whoever has the mail's link."""
    found = checkout.of_visitor(order_id, visitor_hash()) or receipts.order_by_key(
        order_id, request.args.get("key", "")
    )
    if found is None or found.receipt is None:
        abort(404)
    own = found.visitor_hash == visitor_hash()
    return render_template("storefront/receipt.html", receipt=found.receipt, own=own, **_view(found))


@blueprint.get("/checkout/<order_id>/cancelled")
def cancelled(order_id: str) -> BaseResponse | str:
    """Back from Checkout without paying: go on with the same basket, or let it go. Looking changes nothing."""
    found = checkout.of_visitor(order_id, visitor_hash()) or abort(404)
    if found.state not in (OrderState.OPEN, OrderState.CANCELED):
        return redirect(url_for("storefront.order", order_id=order_id), 303)
    return render_template("storefront/cancelled.html", **_view(found))


@blueprint.post("/checkout/<order_id>/resume")
def resume(order_id: str) -> BaseResponse:
    """On to the same session; also for an order whose session could not be opened at first."""
    found = checkout.of_visitor(order_id, visitor_hash()) or abort(404)
    if (
        found.state == OrderState.OPEN
        and found.session_expires_at
        and found.session_expires_at <= clock.now()
    ):
        return _to_order(order_id)
    return _to_checkout(found)


@blueprint.post("/checkout/<order_id>/cancel")
def cancel(order_id: str) -> BaseResponse:
    """Let the order go: its session ends and what was reserved is free again. Where a payment came first, the
    order's page says so.
    """
    found = checkout.of_visitor(order_id, visitor_hash()) or abort(404)
    cancelled = checkout.cancel(found)
    db.session.commit()
    if not cancelled:
        return _to_order(order_id)
    return redirect(url_for("storefront.cancelled", order_id=order_id), 303)


def _view(order: Order) -> dict[str, Any]:
    """What the order's pages show, and whether it may still change while somebody looks."""
    payment = order.payments[-1] if order.payments else None
    waiting = order.state in (OrderState.PENDING, OrderState.OPEN, OrderState.PROCESSING)
    if order.state == OrderState.PAID and payment and not payment.method and order.settled_at:
        waiting = clock.now() - order.settled_at < METHOD_WITHIN
    return {
        "order": order,
        "offer": order.offer,
        "statement": receipts.statement_of(order),
        "payment": payment,
        "unsure": "unsure" in request.args,
        "waiting": waiting,
    }
