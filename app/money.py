"""Money: an integer of minor units and a currency, with Stripe's own exponent table. No float touches it.

Page: https://docs.stripe.com/currencies
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

from babel import Locale
from babel.numbers import format_currency, format_percent

ZERO_DECIMAL = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])

# The smallest charge, in minor units, that Stripe accepts for each settlement-independent currency.
MINIMUM_CHARGE = {
    "usd": 50, "eur": 50, "chf": 50, "aud": 50, "cad": 50, "sgd": 50, "nzd": 50, "brl": 50, "inr": 50,
    "gbp": 30, "dkk": 250, "nok": 300, "sek": 300, "hkd": 400, "mxn": 1000, "jpy": 50, "pln": 200,
    "myr": 200, "aed": 200, "czk": 1500, "huf": 17500, "ron": 200, "bgn": 100, "thb": 1000,
}  # fmt: skip
# Stripe takes amounts of up to eight digits.
MAXIMUM_CHARGE = 99_999_999


class CurrencyMismatch(TypeError):
    """Two amounts of different currencies met in one sum."""


def exponent(currency: str) -> int:
    """How many digits of `currency`'s amounts stand behind the decimal point, as Stripe counts them."""
    code = currency.lower()
    if code in ZERO_DECIMAL:
        return 0
    return 3 if code in THREE_DECIMAL else 2


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount: `amount` in minor units (cents, yen, fils) of the lower-case ISO `currency`."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount) is not int:
            raise TypeError(f"an amount is an integer of minor units, not {self.amount!r}")
        if len(self.currency) != 3 or not self.currency.isascii() or self.currency != self.currency.lower():
            raise ValueError(f"not a lower-case ISO currency code: {self.currency!r}")

    @classmethod
    def from_major(cls, value: Decimal | str | int, currency: str) -> Money:
        """`Money.from_major("49.00", "eur")` is 4900 cents; a digit too many raises ValueError."""
        scaled = Decimal(value).scaleb(exponent(currency))
        if scaled != scaled.to_integral_value():
            raise ValueError(f"{value} has more decimals than {currency.upper()} knows")
        return cls(int(scaled), currency)

    @property
    def major(self) -> Decimal:
        """The amount in major units: 4900 cents are Decimal('49.00')."""
        return Decimal(self.amount).scaleb(-exponent(self.currency))

    def _same(self, other: Money) -> int:
        if not isinstance(other, Money):
            raise TypeError(f"Money and {type(other).__name__} do not mix")
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not mix")
        return other.amount

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __mul__(self, factor: int) -> Money:
        if type(factor) is not int:
            raise TypeError("money is multiplied by whole numbers only; use share() for rates")
        return Money(self.amount * factor, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.amount > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.amount >= self._same(other)

    def __bool__(self) -> bool:
        return self.amount != 0

    def share(
        self, numerator: Decimal | int, denominator: Decimal | int = 1, *, floor: bool = False
    ) -> Money:
        """`amount * numerator / denominator`, rounded half up to a minor unit (or floored, as proration is)."""
        exact = Decimal(self.amount) * Decimal(numerator) / Decimal(denominator)
        return Money(int(exact.quantize(Decimal(1), ROUND_FLOOR if floor else ROUND_HALF_UP)), self.currency)


def percent(amount: Money, rate: Decimal) -> Money:
    """`rate` per cent of `amount`, rounded half up: the tax on a net price, the worth of a coupon."""
    return amount.share(rate, 100)


def included(amount: Money, rate: Decimal) -> Money:
    """The tax of `rate` per cent that is already inside the gross `amount`."""
    return amount.share(rate, 100 + rate)


def format_money(money: Money, locale: str = "en", *, code: bool = False) -> str:
    """`Money` in a reader's locale, always with the currency's decimals and a true minus sign.

    `code` shows the ISO code instead of the symbol, for pages on which several currencies meet.
    """
    digits = exponent(money.currency)
    loc = Locale.parse(locale, sep="-" if "-" in locale else "_")
    pattern = loc.currency_formats["standard"].pattern.split(";")[0]
    head, _, tail = pattern.rpartition(".")
    if head:
        tail_rest = tail.lstrip("0#")
        pattern = head + ("." + "0" * digits if digits else "") + tail_rest
    currency = money.currency.upper()
    if code:
        pattern = pattern.replace("\u00a4\u00a0", "\u00a4").replace("\u00a4", "\u00a4\u00a4\u00a0", 1)
        pattern = pattern.rstrip("\u00a0") if pattern.endswith("\u00a4\u00a4\u00a0") else pattern
    text = format_currency(
        abs(money.major),
        currency,
        format=pattern,
        locale=loc,
        currency_digits=False,
        decimal_quantization=True,
    )
    return ("\u2212" if money.amount < 0 else "") + text


def format_rate(rate: Decimal, locale: str = "en") -> str:
    """A tax rate of `rate` per cent as a reader of `locale` writes it: 19%, 8.1%; 19 % in German."""
    loc = Locale.parse(locale, sep="-" if "-" in locale else "_")
    pattern = loc.percent_formats[None].pattern.replace("0", "0.####", 1)
    return str(format_percent(rate / 100, format=pattern, locale=loc))
