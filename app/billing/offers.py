"""Offers: what is on sale, at which price, and what a purchase of it comes to."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from app.extensions import db
from app.models import Offer, OfferKind, Price, Shop
from app.money import MAXIMUM_CHARGE, MINIMUM_CHARGE, Money, included, percent

MAX_QUANTITY = 99


@dataclass(frozen=True)
class Quote:
    """What a quantity of a price comes to. `subtotal` is before any discount, as Stripe counts it: with the
    tax inside where the price holds it, without where tax is added. `total` is what is charged.
    """

    price: Price
    quantity: int
    subtotal: Money
    tax: Money
    total: Money

    @property
    def tax_inside(self) -> bool:
        return self.price.tax_rate is not None and self.price.tax_rate.inclusive

    @property
    def too_small(self) -> bool:
        """Below what Stripe charges in this currency."""
        return self.total.amount < MINIMUM_CHARGE.get(self.total.currency, 50)

    @property
    def too_large(self) -> bool:
        return self.total.amount > MAXIMUM_CHARGE


def quote(price: Price, quantity: int) -> Quote:
    """The exact total for `quantity` of `price`, by the rules Checkout charges by."""
    subtotal = price.unit * quantity
    rate = price.tax_rate
    if rate is None:
        return Quote(price, quantity, subtotal, Money(0, price.currency), subtotal)
    if rate.inclusive:
        return Quote(price, quantity, subtotal, included(subtotal, rate.percentage), subtotal)
    tax = percent(subtotal, rate.percentage)
    return Quote(price, quantity, subtotal, tax, subtotal + tax)


def on_sale() -> list[Offer]:
    """Every active offer with its prices, in the catalogue's order."""
    query = (
        select(Offer)
        .where(Offer.active)
        .order_by(Offer.position, Offer.id)
        .options(selectinload(Offer.prices).joinedload(Price.tax_rate))
    )
    return list(db.session.scalars(query))


def by_slug(slug: str) -> Offer | None:
    """The active offer of that name."""
    query = (
        select(Offer)
        .where(Offer.slug == slug, Offer.active)
        .options(selectinload(Offer.prices).joinedload(Price.tax_rate))
    )
    return db.session.scalar(query)


def price_on_sale(lookup_key: str) -> Price | None:
    """The active price that key stands for: where the merchant has changed a price since a page named it, the
    one that took its place. None where the offer, or that price without another, is no longer sold.
    """
    query = (
        select(Price)
        .join(Price.offer)
        .where(Price.lookup_key == lookup_key, Offer.active)
        .options(joinedload(Price.offer), joinedload(Price.tax_rate))
    )
    named = db.session.scalar(query)
    if named is None or named.active:
        return named
    return price_of(named.offer, named.currency, named.interval)


def price_of(offer: Offer, currency: str, interval: str | None) -> Price | None:
    """The offer's active price in `currency` for `interval` (None for a product)."""
    wanted = interval if offer.kind == OfferKind.PLAN else None
    return next(
        (p for p in offer.prices if p.active and p.currency == currency and p.interval == wanted), None
    )


def currencies() -> list[str]:
    """Every currency something is sold in, the merchant's main one first."""
    found = set(
        db.session.scalars(
            select(Price.currency).join(Price.offer).where(Price.active, Offer.active).distinct()
        )
    )
    main = merchant().get("currency", "")
    return sorted(found, key=lambda code: (code != main, code))


def merchant() -> dict[str, str]:
    """The catalogue's merchant block as last pushed; empty before the first push."""
    shop = db.session.get(Shop, 1)
    return shop.merchant if shop else {}
