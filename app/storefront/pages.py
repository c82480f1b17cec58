"""Pages to read: the offers, one offer, help and status. None of them changes anything but the funnel's count."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from flask import Blueprint, abort, current_app, render_template, request, session
from flask_babel import get_locale

from app import health
from app.billing import funnel, offers, receipts
from app.billing.catalog import INTERVALS
from app.extensions import db, writing
from app.models import Offer, OfferKind
from app.storefront.forms import WHOLE, CheckoutForm

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
    shown = [(offer, offers.price_of(offer, currency, interval)) for offer in offers.on_sale()]
    return render_template(
        "storefront/home.html",
        plans=[(o, offers.quote(p, 1)) for o, p in shown if p and o.kind == OfferKind.PLAN],
        products=[(o, offers.quote(p, 1)) for o, p in shown if p and o.kind == OfferKind.PRODUCT],
        currency=currency,
        interval=interval,
        currencies=available,
        intervals=INTERVALS,
    )


@blueprint.get("/offers/<slug>")
def offer(slug: str) -> str:
    found = offers.by_slug(slug)
    if found is None:
        abort(404)
    currency, interval, available = choices()
    price = offers.price_of(found, currency, interval)
    _remember_source()
    with writing():
        funnel.seen(found, session.get("source", {}))
        db.session.commit()
    quantity = request.args.get("quantity", "1")
    chosen = int(quantity) if WHOLE.fullmatch(quantity) else 1
    return offer_page(found, offers.quote(price, chosen) if price else None, currency, interval, available)


def offer_page(
    found: Offer,
    quote: offers.Quote | None,
    currency: str,
    interval: str,
    available: list[str],
    *,
    form: CheckoutForm | None = None,
) -> str:
    """One offer with its quote and the form that buys exactly that quote; `form` carries what was sent wrongly."""
    if form is None:
        form = CheckoutForm(formdata=None)
        form.quantity.data = str(quote.quantity) if quote else "1"
    form.decision_key.data = secrets.token_urlsafe(24)
    if quote is not None:
        form.price.data = quote.price.lookup_key
        form.seen_total.data = str(quote.total.amount)
    return render_template(
        "storefront/offer.html",
        offer=found,
        quote=quote,
        statement=receipts.statement_of_quote(quote) if quote else None,
        form=form,
        errors={name: messages[0] for name, messages in form.errors.items()},
        currency=currency,
        interval=interval,
        currencies=available,
        intervals=INTERVALS,
    )


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
