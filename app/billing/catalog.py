"""The catalogue file: read, checked in full, brought into the database and to Stripe. Nothing is deleted."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from app import audit, clock
from app.extensions import db
from app.models import Offer, OfferKind, Order, Price, PromotionCode, Shop, StockState, TaxRate
from app.money import MAXIMUM_CHARGE, Money

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
INTERVALS = ("month", "year")
MERCHANT_REQUIRED = ("name", "support_email", "currency")
MERCHANT_KEYS = {
    "name", "about", "address", "vat_id", "support_email", "time_zone", "currency", "terms_url",
    "statement_descriptor",
}  # fmt: skip


class CatalogError(ValueError):
    """The file cannot be sold from; `problems` names each place and what to write there."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass
class Catalog:
    merchant: dict[str, Any]
    taxes: list[dict[str, Any]] = field(default_factory=list)
    offers: list[dict[str, Any]] = field(default_factory=list)
    codes: list[dict[str, Any]] = field(default_factory=list)


def read(file: Path) -> Catalog:
    """The checked contents of a catalogue file. Raises CatalogError with everything that is wrong."""
    try:
        document = tomllib.loads(file.read_text())
    except FileNotFoundError as error:
        raise CatalogError([f"{file} does not exist; write one, or set CATALOG_FILE."]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError([f"{file.name} is not TOML: {error}"]) from error
    catalog = Catalog(
        merchant=document.get("merchant", {}),
        taxes=document.get("tax", []),
        offers=document.get("offer", []),
        codes=document.get("promotion_code", []),
    )
    problems = _unknown("the file", document, {"merchant", "tax", "offer", "promotion_code"})
    problems += _merchant_problems(catalog.merchant)
    problems += [p for tax in catalog.taxes for p in _tax_problems(tax)]
    keys = {tax.get("key") for tax in catalog.taxes}
    problems += [p for offer in catalog.offers for p in _offer_problems(offer, keys)]
    problems += _repeated("offer", [offer.get("slug") for offer in catalog.offers])
    problems += [p for code in catalog.codes for p in _code_problems(code)]
    if problems:
        raise CatalogError(problems)
    return catalog


def _unknown(place: str, table: dict[str, Any], known: set[str]) -> list[str]:
    return [f"{place}: “{key}” is not a known entry." for key in sorted(set(table) - known)]


def _repeated(what: str, names: list[Any]) -> list[str]:
    return [
        f"{what} “{name}” appears twice."
        for name in sorted({n for n in names if names.count(n) > 1}, key=str)
    ]


def _merchant_problems(merchant: dict[str, Any]) -> list[str]:
    problems = [f"[merchant]: “{key}” is missing." for key in MERCHANT_REQUIRED if not merchant.get(key)]
    return problems + _unknown("[merchant]", merchant, MERCHANT_KEYS)


def _percentage(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and 0 <= number <= 100 else None


def _tax_problems(tax: dict[str, Any]) -> list[str]:
    place = f"[[tax]] “{tax.get('key', '?')}”"
    problems = _unknown(place, tax, {"key", "name", "percentage", "inclusive", "country"})
    problems += [f"{place}: “{key}” is missing." for key in ("key", "name") if not tax.get(key)]
    if _percentage(tax.get("percentage")) is None:
        problems.append(f"{place}: “percentage” is a number from 0 to 100, such as 19 or 8.1.")
    if not isinstance(tax.get("inclusive"), bool):
        problems.append(f"{place}: “inclusive” is true (prices hold the tax) or false (it is added).")
    return problems


def _offer_problems(offer: dict[str, Any], taxes: set[Any]) -> list[str]:
    place = f"[[offer]] “{offer.get('slug', '?')}”"
    known = {"slug", "kind", "name", "summary", "description", "features", "stock", "price"}
    problems = _unknown(place, offer, known)
    if not isinstance(offer.get("slug"), str) or not SLUG.fullmatch(offer["slug"]):
        problems.append(f'{place}: “slug” is small letters, digits and hyphens, such as "team-plan".')
    if offer.get("kind") not in ("product", "plan"):
        problems.append(f'{place}: “kind” is "product" (bought once) or "plan" (a subscription).')
    problems += [f"{place}: “{key}” is missing." for key in ("name", "summary") if not offer.get(key)]
    stock = offer.get("stock")
    if stock is not None and (type(stock) is not int or stock < 0):
        problems.append(f"{place}: “stock” is a whole number; leave it out where stock is unlimited.")
    prices = offer.get("price", [])
    if not prices:
        problems.append(f"{place}: has no [[offer.price]].")
    for price in prices:
        problems += _price_problems(place, offer, price, taxes)
    problems += _repeated(f"{place}: price", [(p.get("currency"), p.get("interval")) for p in prices])
    return problems


def _price_problems(place: str, offer: dict[str, Any], price: dict[str, Any], taxes: set[Any]) -> list[str]:
    problems = _unknown(f"{place} price", price, {"currency", "amount", "interval", "trial_days", "tax"})
    currency = price.get("currency")
    if not isinstance(currency, str) or not re.fullmatch(r"[a-z]{3}", currency):
        return [*problems, f'{place}: “currency” is three small letters, such as "eur".']
    try:
        amount = Money.from_major(str(price.get("amount")), currency)
        if not 0 < amount.amount <= MAXIMUM_CHARGE:
            problems.append(f"{place}: {price['amount']} {currency.upper()} is out of range.")
    except (ValueError, InvalidOperation):
        problems.append(
            f'{place}: “amount” is written as "49.00" with the currency\'s decimals (none in yen).'
        )
    if (offer.get("kind") == "plan") != (price.get("interval") in INTERVALS):
        problems.append(f'{place}: a plan\'s price has “interval” "month" or "year"; a product\'s has none.')
    if type(price.get("trial_days", 0)) is not int or not 0 <= price.get("trial_days", 0) <= 730:
        problems.append(f"{place}: “trial_days” is a whole number from 0 to 730.")
    if "tax" in price and price["tax"] not in taxes:
        problems.append(f"{place}: there is no [[tax]] “{price['tax']}”.")
    return problems


def _code_problems(code: dict[str, Any]) -> list[str]:
    place = f"[[promotion_code]] “{code.get('code', '?')}”"
    problems = _unknown(place, code, {"code", "percent_off", "amount_off", "currency"})
    if not isinstance(code.get("code"), str) or not re.fullmatch(r"[A-Z0-9]{3,64}", code["code"]):
        problems.append(f"{place}: “code” is 3 to 64 capital letters and digits.")
    if ("percent_off" in code) == ("amount_off" in code):
        problems.append(f"{place}: has either “percent_off” or “amount_off” with “currency”.")
    elif "percent_off" in code and not _percentage(code["percent_off"]):
        problems.append(f"{place}: “percent_off” is a number above 0 and up to 100.")
    elif "amount_off" in code:
        try:
            Money.from_major(str(code["amount_off"]), str(code.get("currency", "")))
        except (ValueError, InvalidOperation):
            problems.append(f'{place}: “amount_off” is written as "5.00", with “currency”.')
    return problems


def load(catalog: Catalog) -> dict[str, int]:
    """Bring the checked catalogue into the database, in the caller's transaction; counts of what changed.

    A price that changed is archived and a new one made, as at Stripe. What is no longer listed is archived.
    """
    shop = db.session.get(Shop, 1) or Shop(id=1)
    shop.merchant = catalog.merchant
    db.session.add(shop)
    taxes = {tax["key"]: _load_tax(tax) for tax in catalog.taxes}
    db.session.flush()
    counts = {"offers": len(catalog.offers), "prices": 0, "new_prices": 0, "archived": 0}
    for position, entry in enumerate(catalog.offers):
        offer = _load_offer(entry, position)
        db.session.flush()
        kept = set()
        for price in entry["price"]:
            row, new = _load_price(offer, price, taxes)
            kept.add(row.id)
            counts["prices"] += 1
            counts["new_prices"] += new
        for row in offer.prices:
            row.active = row.id in kept
    counts["archived"] = _archive({entry["slug"] for entry in catalog.offers})
    for code in catalog.codes:
        _load_code(code)
    db.session.execute(
        update(PromotionCode)
        .where(PromotionCode.code.not_in([c["code"] for c in catalog.codes]))
        .values(active=False)
    )
    audit.record("catalog.push", "catalog", actor="operator", **counts)
    return counts


def _load_tax(entry: dict[str, Any]) -> TaxRate:
    rate = Decimal(str(entry["percentage"]))
    key = f"{entry['key']}-{rate.normalize():f}-{'in' if entry['inclusive'] else 'ex'}"
    tax = db.session.scalar(select(TaxRate).where(TaxRate.key == key))
    if tax is None:
        tax = TaxRate(key=key, percentage=rate, inclusive=entry["inclusive"])
        db.session.add(tax)
    tax.name = entry["name"]
    tax.country = entry.get("country")
    return tax


def _load_offer(entry: dict[str, Any], position: int) -> Offer:
    offer = db.session.scalar(
        select(Offer)
        .where(Offer.slug == entry["slug"])
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if offer is None:
        offer = Offer(slug=entry["slug"], stock=entry.get("stock"), available=entry.get("stock"))
        db.session.add(offer)
    offer.kind = OfferKind(entry["kind"])
    offer.name = entry["name"]
    offer.summary = entry["summary"]
    offer.description = entry.get("description", "")
    offer.features = list(entry.get("features", []))
    offer.position = position
    offer.active, offer.archived_at = True, None
    _restock(offer, entry.get("stock"))
    return offer


def _restock(offer: Offer, stock: int | None) -> None:
    """Take over a changed stock; what is held or sold stays counted off."""
    if stock is None or offer.stock is None:
        if stock != offer.stock:
            offer.stock = stock
            offer.available = None if stock is None else stock - _taken(offer)
        return
    # Below zero where more is held or sold than is now on sale: given back, it is not sold again.
    offer.available = (offer.available or 0) + stock - offer.stock
    offer.stock = stock


def _taken(offer: Offer) -> int:
    query = select(Order.quantity).where(
        Order.offer_id == offer.id, Order.stock_state.in_((StockState.HELD, StockState.SOLD))
    )
    return sum(db.session.scalars(query))


def _load_price(offer: Offer, entry: dict[str, Any], taxes: dict[str, TaxRate]) -> tuple[Price, bool]:
    currency, interval = entry["currency"], entry.get("interval")
    amount = Money.from_major(str(entry["amount"]), currency).amount
    tax = taxes[entry["tax"]] if "tax" in entry else None
    trial = entry.get("trial_days", 0)
    for row in offer.prices:
        same = (row.currency, row.interval, row.unit_amount, row.trial_days, row.tax_rate_id)
        if same == (currency, interval, amount, trial, tax.id if tax else None):
            row.active = True
            return row, False
    version = 1 + sum(1 for row in offer.prices if row.currency == currency and row.interval == interval)
    row = Price(
        lookup_key="-".join(filter(None, (offer.slug, currency, interval, f"v{version}"))),
        currency=currency,
        interval=interval,
        unit_amount=amount,
        trial_days=trial,
        tax_rate=tax,
    )
    offer.prices.append(row)
    db.session.flush()
    return row, True


def _archive(slugs: set[str]) -> int:
    gone = list(db.session.scalars(select(Offer).where(Offer.active, Offer.slug.not_in(slugs))))
    for offer in gone:
        offer.active, offer.archived_at = False, clock.now()
    return len(gone)


def _load_code(entry: dict[str, Any]) -> None:
    code = db.session.scalar(select(PromotionCode).where(PromotionCode.code == entry["code"]))
    if code is None:
        code = PromotionCode(code=entry["code"])
        db.session.add(code)
    percent = Decimal(str(entry["percent_off"])) if "percent_off" in entry else None
    currency = entry.get("currency")
    off = Money.from_major(str(entry["amount_off"]), currency).amount if currency else None
    if (code.percent_off, code.currency, code.off_amount) != (percent, currency, off):
        code.stripe_coupon_id = code.stripe_promotion_code_id = None  # a changed coupon is a new one
    code.percent_off, code.currency, code.off_amount = percent, currency, off
    code.active = True
