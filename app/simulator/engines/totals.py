"""What a basket comes to: lines, discounts spread over them, and tax inside or on top."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from app.money import Money, included, percent
from app.simulator.registry import Doc


@dataclass
class Line:
    """One line of a basket; `rates` are tax_rate documents. The amounts are filled in by `total`."""

    price: Doc
    quantity: int
    rates: list[Doc] = field(default_factory=list)
    subtotal: int = 0
    discount: int = 0
    taxes: list[tuple[Doc, int, int]] = field(default_factory=list)

    @property
    def tax(self) -> int:
        return sum(amount for _, amount, _ in self.taxes)

    @property
    def total(self) -> int:
        """Subtotal less discount plus the tax that is not already inside."""
        on_top = sum(amount for rate, amount, _ in self.taxes if not rate["inclusive"])
        return self.subtotal - self.discount + on_top


def unit_total(price: Doc, quantity: int) -> int:
    """`quantity` pieces at a price, which may name fractions of a minor unit, rounded half up."""
    unit = Decimal(price["unit_amount_decimal"] if price["unit_amount"] is None else price["unit_amount"])
    return int((unit * quantity).quantize(Decimal(1), ROUND_HALF_UP))


def total(lines: list[Line], coupons: list[Doc], currency: str) -> None:
    """Fill in subtotal, discount and tax of every line."""
    for line in lines:
        line.subtotal = unit_total(line.price, line.quantity)
        line.discount = 0
    for coupon in coupons:
        _discount(lines, coupon, currency)
    for line in lines:
        net = Money(line.subtotal - line.discount, currency)
        inside = sum((Decimal(str(r["percentage"])) for r in line.rates if r["inclusive"]), Decimal(0))
        taxable = net - included(net, inside) if inside else net
        line.taxes = [(rate, _tax(rate, net, taxable, inside), taxable.amount) for rate in line.rates]


def _tax(rate: Doc, net: Money, taxable: Money, inside: Decimal) -> int:
    share = Decimal(str(rate["percentage"]))
    if rate["inclusive"]:
        return net.share(share, 100 + inside).amount
    return percent(taxable, share).amount


def _discount(lines: list[Line], coupon: Doc, currency: str) -> None:
    products = (coupon.get("applies_to") or {}).get("products")
    chosen = [x for x in lines if not products or x.price["product"] in products]
    left = [x.subtotal - x.discount for x in chosen]
    if coupon["percent_off"] is not None:
        rate = Decimal(str(coupon["percent_off"]))
        shares = [percent(Money(amount, currency), rate).amount for amount in left]
    else:
        shares = spread(min(amount_off(coupon, currency) or 0, sum(left)), left)
    for line, share in zip(chosen, shares, strict=True):
        line.discount += share


def amount_off(coupon: Doc, currency: str) -> int | None:
    """What a coupon takes off in a currency; None when it is not worth anything in it."""
    if coupon["currency"] == currency:
        return int(coupon["amount_off"])
    option = (coupon.get("currency_options") or coupon.get("_currency_options") or {}).get(currency)
    return int(option["amount_off"]) if option else None


def spread(amount: int, weights: list[int]) -> list[int]:
    """`amount` in parts as the weights are to each other, to the last unit: the largest remainders round up."""
    whole = sum(weights)
    if whole == 0:
        return [0] * len(weights)
    parts = [amount * w // whole for w in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(amount * weights[i] % whole), i))
    for i in by_remainder[: amount - sum(parts)]:
        parts[i] += 1
    return parts
