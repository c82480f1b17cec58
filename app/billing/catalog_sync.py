"""The catalogue at Stripe: each product, price, tax rate and promotion code made there once, by stored calls."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from flask import current_app
from sqlalchemy import select, update

from app import gateway
from app.extensions import db
from app.models import Offer, OfferKind, Price, PromotionCode, Shop, StripeCall, TaxRate

Step = tuple[str, dict[str, Any], Callable[[str], None]]


def push() -> Iterator[str]:
    """Make at Stripe what is not there yet, committing after each object; yields one line for each.

    With a key of another account, or of the other mode, everything is made there anew. Raises StripeFailure.
    """
    scope = _account()
    yield from _switch_codes(scope)
    for make in (_tax_rates, _products, _prices, _coupons, _promotion_codes):
        for operation, parameters, keep in list(make()):
            call = _prepare(scope, operation, parameters)
            db.session.commit()
            result = gateway.perform(call)
            keep(result["id"])
            db.session.commit()
            yield f"{operation.removesuffix('.create')}: {result['id']}"


def _account() -> str:
    """The account and mode the key belongs to. Ids stored for another one are forgotten: they name nothing here."""
    mode = "live" if current_app.config["SETTINGS"].livemode else "test"
    account = f"{gateway.account()['id']}:{mode}"
    shop = db.session.get_one(Shop, 1)
    if shop.stripe_account != account:
        db.session.execute(update(TaxRate).values(stripe_tax_rate_id=None))
        db.session.execute(update(Offer).values(stripe_product_id=None))
        db.session.execute(update(Price).values(stripe_price_id=None))
        db.session.execute(update(PromotionCode).values(stripe_coupon_id=None, stripe_promotion_code_id=None))
        shop.stripe_account = account
        db.session.commit()
        db.session.expire_all()
    return account


def _switch_codes(scope: str) -> Iterator[str]:
    """A code that was withdrawn or changed here stops at Stripe; one that is listed again works there again.

    Codes made elsewhere than by us carry no coupon in their metadata and are left alone.
    """
    query = select(PromotionCode.stripe_promotion_code_id, PromotionCode.active)
    ours = {code: active for code, active in db.session.execute(query) if code is not None}
    live = {
        code["id"]
        for code in gateway.listing("promotion_codes.list", active=True)
        if "coupon" in (code.get("metadata") or {})
    }
    wanted = [(code, False) for code in sorted(live) if not ours.get(code)]
    wanted += [(code, True) for code, active in ours.items() if active and code not in live]
    for code, active in wanted:
        call = gateway.prepare(
            "promotion_codes.update",
            {"active": active},
            object_id=code,
            idempotency_key=f"catalog:{scope}:{code}:{active}:{secrets.token_hex(8)}",
        )
        db.session.commit()
        gateway.perform(call)
        yield f"promotion_codes: {code} {'works' if active else 'stops'}"


def _prepare(scope: str, operation: str, parameters: dict[str, Any]) -> StripeCall:
    body = orjson.dumps(parameters, option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(body).hexdigest()[:32]
    return gateway.prepare(operation, parameters, idempotency_key=f"catalog:{scope}:{operation}:{digest}")


def _setter(row: Any, column: str) -> Callable[[str], None]:
    return lambda stripe_id: setattr(row, column, stripe_id)


def _tax_rates() -> Iterator[Step]:
    for tax in db.session.scalars(select(TaxRate).where(TaxRate.stripe_tax_rate_id.is_(None))):
        parameters = {
            "display_name": tax.name,
            "percentage": f"{tax.percentage.normalize():f}",
            "inclusive": tax.inclusive,
            **({"country": tax.country} if tax.country else {}),
            "metadata": {"key": tax.key},
        }
        yield "tax_rates.create", parameters, _setter(tax, "stripe_tax_rate_id")


def _products() -> Iterator[Step]:
    for offer in db.session.scalars(select(Offer).where(Offer.stripe_product_id.is_(None))):
        parameters = {
            "name": offer.name,
            "description": offer.summary,
            "metadata": {"slug": offer.slug},
            **(
                {"marketing_features": [{"name": name} for name in offer.features[:15]]}
                if offer.features
                else {}
            ),
        }
        yield "products.create", parameters, _setter(offer, "stripe_product_id")


def _prices() -> Iterator[Step]:
    query = select(Price).join(Price.offer).where(Price.stripe_price_id.is_(None))
    for price in db.session.scalars(query):
        parameters: dict[str, Any] = {
            "product": price.offer.stripe_product_id,
            "currency": price.currency,
            "unit_amount": price.unit_amount,
            "tax_behavior": price.tax_behavior,
            "metadata": {"lookup_key": price.lookup_key},
        }
        if price.offer.kind == OfferKind.PLAN:
            parameters["recurring"] = {"interval": price.interval}
        yield "prices.create", parameters, _setter(price, "stripe_price_id")


def _coupons() -> Iterator[Step]:
    for code in db.session.scalars(select(PromotionCode).where(PromotionCode.stripe_coupon_id.is_(None))):
        parameters: dict[str, Any] = {"name": code.code, "duration": "once"}
        if code.percent_off is not None:
            parameters["percent_off"] = f"{code.percent_off.normalize():f}"
        else:
            parameters |= {"amount_off": code.off_amount, "currency": code.currency}
        yield "coupons.create", parameters, _setter(code, "stripe_coupon_id")


def _promotion_codes() -> Iterator[Step]:
    query = select(PromotionCode).where(PromotionCode.stripe_promotion_code_id.is_(None))
    for code in db.session.scalars(query):
        parameters = {
            "code": code.code,
            "promotion": {"type": "coupon", "coupon": code.stripe_coupon_id},
            "metadata": {"coupon": code.stripe_coupon_id},
        }
        yield "promotion_codes.create", parameters, _setter(code, "stripe_promotion_code_id")
