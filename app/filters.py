"""What templates format with: money, moments, states; and what every page knows of its shop."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any
from urllib.parse import urljoin

from babel.dates import format_date, format_datetime, format_skeleton
from babel.numbers import get_currency_name
from flask import Flask, current_app, g, request
from flask_babel import get_locale
from flask_babel import gettext as _
from sqlalchemy.exc import SQLAlchemyError

from app import clock, languages
from app.extensions import db
from app.models import TaxRate
from app.money import Money, format_money, format_rate


def init_app(app: Flask) -> None:
    app.add_template_filter(money, "money")
    app.add_template_filter(when, "when")
    app.add_template_filter(currency_name, "currency_name")
    app.add_template_filter(tax_name, "tax_name")
    app.context_processor(_page)


def money(value: Money | None, code: bool = False) -> str:
    """`Money` in the reader's language; None is not yet known."""
    if value is None:
        return str(_("not yet known"))
    return format_money(value, str(get_locale() or "en"), code=code)


def when(value: datetime | None, style: str = "date") -> str:
    """`date`: 20 December 2026, where the merchant is · `datetime`: with the time in UTC, said so · `short`:
    20 Dec, 14:02 (UTC), with its year unless that is this one · `time`: 20 December, 15:02 CET, where the merchant
    is.
    """
    if value is None:
        return str(_("not yet known"))
    locale = str(get_locale() or "en")
    locale = "en_GB" if locale == "en" else locale
    if style == "date":
        return format_date(value.astimezone(merchant().zone), "long", locale=locale)
    if style == "time":
        zone = merchant().zone
        day = format_skeleton("MMMMd", value, tzinfo=zone, locale=locale)
        return f"{day}, {format_datetime(value, 'HH:mm z', tzinfo=zone, locale=locale)}"
    at = format_datetime(value, "HH:mm", locale=locale)
    if style == "short":
        this_year = value.year == clock.now().year
        return f"{format_skeleton('MMMd' if this_year else 'yMMMd', value, locale=locale)}, {at}"
    return f"{format_date(value, 'long', locale=locale)}, {at} UTC"


def currency_name(code: str) -> str:
    """The currency's name in the reader's language, as a choice is labelled: Euro, Japanese Yen."""
    name = get_currency_name(code.upper(), locale=str(get_locale() or "en"))
    return name[:1].upper() + name[1:]


def tax_name(rate: TaxRate) -> str:
    """A tax as it is named on a price: VAT 19%."""
    return f"{rate.name} {format_rate(rate.percentage, str(get_locale() or 'en'))}"


class Merchant:
    """The merchant block, with calm defaults where a shop has not been set up or cannot be read."""

    def __init__(self, block: dict[str, Any], base: str) -> None:
        self.name: str = block.get("name", "Countinghouse")
        self.about: str = block.get("about", "")
        self.address: list[str] = block.get("address", [])
        self.vat_id: str = block.get("vat_id", "")
        self.support_email: str = block.get("support_email", "")
        # In full: a mail is read elsewhere.
        self.terms_url: str = (
            urljoin(base + "/", block.get("terms_url", "")) if block.get("terms_url") else ""
        )
        self.zone: tzinfo = clock.zone(block.get("time_zone", ""))
        self.currency: str = block.get("currency", "")


def merchant() -> Merchant:
    """This request's merchant; read once, and never the reason why an error page fails."""
    if "merchant" not in g:
        from app.billing import offers

        base = current_app.config["SETTINGS"].public_url
        try:
            g.merchant = Merchant(offers.merchant(), base)
        except SQLAlchemyError:
            db.session.rollback()
            g.merchant = Merchant({}, base)
    return g.merchant  # type: ignore[no-any-return]  # g carries no types


def _page() -> dict[str, Any]:
    settings = current_app.config["SETTINGS"]
    return {
        "merchant": merchant(),
        "test_mode": not settings.livemode,
        "simulated": settings.simulated,
        "locale": str(get_locale() or "en"),
        "nav": [("storefront.home", _("Shop")), ("storefront.help", _("Help"))],
        "local_mode": settings.local,
        "path": request.path if request else "/",
        "languages": languages.LANGUAGES,
        "this_page": languages.this_page(),
    }
