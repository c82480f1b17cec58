"""Pages to read: the offers, one offer, help and status. None of them changes anything but the funnel's count."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from flask import Blueprint, abort, current_app, render_template, request, session
from flask_babel import get_locale, ngettext
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from app import health
from app.billing import checkout, funnel, offers, receipts
from app.billing.catalog import INTERVALS
from app.extensions import db, writing
from app.fraud.signals import visitor_hash
from app.models import Offer, OfferKind, Price
from app.storefront.forms import CheckoutForm

GUARD = "public"
blueprint = Blueprint("storefront", __name__)


def choices() -> tuple[str, str, list[str]]:
    """The currency and billing interval to show, and the currencies there are: the address's word, then the
    last choice, then the merchant's. Anything else is a 404.
    """
    available = offers.currencies()
    currency = request.args.get("currency") or session.get("currency") or (available[0] if available else "")
    interval = request.args.get("interval") or session.get("interval") or INTERVALS[0]
    if ("currency" in request.args and currency not in available) or interval not in INTERVALS:
        abort(404)
    if currency not in available:
        currency = available[0] if available else ""
    for name, value in (("currency", currency), ("interval", interval)):
        if name in request.args:
            session[name] = value
    return currency, interval, available


@blueprint.get("/")
def home() -> str:
    currency, interval, available = choices()
    _remember_source()
    every = offers.on_sale()
    shown = [(offer, offers.price_of(offer, currency, interval)) for offer in every]
    return render_template(
        "storefront/home.html",
        offers=every,
        plans=[(o, offers.quote(p, 1)) for o, p in shown if p and o.kind == OfferKind.PLAN],
        products=[(o, offers.quote(p, 1)) for o, p in shown if p and o.kind == OfferKind.PRODUCT],
        currency=currency,
        interval=interval,
        currencies=available,
        intervals=INTERVALS,
    )


@blueprint.get("/offers/<slug>")
def offer(slug: str) -> tuple[str, int]:
    """One offer. `?quantity=` shows what that many come to; one that cannot be bought is told beside the field."""
    found = offers.by_slug(slug) or abort(404)
    currency, interval, available = choices()
    _remember_source()
    typed = request.args.getlist("quantity")
    form = CheckoutForm(formdata=MultiDict({"quantity": typed}) if typed else None)
    if typed:
        form.quantity.validate(form)
    else:
        with writing():
            funnel.seen(found, session.get("source", {}))
            db.session.commit()
    return offer_page(found, currency, interval, available, form=form)


def offer_page(
    found: Offer, currency: str, interval: str, available: list[str], *, form: CheckoutForm
) -> tuple[str, int]:
    """One offer, the total of the quantity in `form`, and the form that buys exactly that; 422 with its errors."""
    price = offers.price_of(found, currency, interval)
    quote = _quote(found, price, form) if price else None
    form.price.data = price.lookup_key if price else ""
    form.seen_total.data = str(quote.total.amount) if quote else ""
    form.decision_key.data = secrets.token_urlsafe(24)
    errors = {name: str(messages[0]) for name, messages in form.errors.items() if name == "quantity"}
    page = render_template(
        "storefront/offer.html",
        offer=found,
        each=offers.quote(price, 1) if price else None,
        quote=quote,
        statement=receipts.statement_of_quote(quote) if quote else None,
        # Drawn with the page, not with the press: a press whose answer is lost is known again when repeated.
        waiting=checkout.waiting_order(found, visitor_hash()),
        form=form,
        errors=errors,
        currency=currency,
        interval=interval,
        currencies=available,
        intervals=INTERVALS,
    )
    return page, 422 if errors else 200


def _quote(found: Offer, price: Price, form: CheckoutForm) -> offers.Quote | None:
    """What the form's quantity comes to; None, with the reason as the field's error, where it cannot be bought."""
    form.quantity.data = form.quantity.data or "1"
    if form.quantity.errors:
        return None
    quote = offers.quote(price, int(form.quantity.data))
    if found.available is not None and quote.quantity > found.available > 0:
        form.quantity.errors = [
            ngettext(
                "Only %(num)s is left: enter 1",
                "Only %(num)s are left: enter a number from 1 to %(num)s",
                found.available,
            )
        ]
        return None
    if quote.too_large:
        form.quantity.errors = [_("This total cannot be charged in one payment: enter a smaller number")]
        return None
    return quote


@blueprint.get("/help")
def help() -> str:
    return render_template("storefront/help.html")


@blueprint.get("/status")
def status() -> tuple[str, int]:
    """Whether the shop can serve, for people."""
    answer, code = health.readyz()
    return render_template("storefront/status.html", checks=answer["checks"], ready=code == 200), code


def _remember_source() -> None:
    """Where this visit came from, by its first page; kept in the visitor's own cookie."""
    if "source" in session:
        return
    host = urlsplit(current_app.config["SETTINGS"].public_url).hostname or ""
    source = funnel.source_of(request.args, request.referrer, host)
    if source:
        session["source"] = source


def language() -> str:
    return str(get_locale() or "en")
