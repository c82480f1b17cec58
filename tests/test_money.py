"""Money: exact, never mixed, formatted with Stripe's decimals."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.money import (
    THREE_DECIMAL,
    ZERO_DECIMAL,
    CurrencyMismatch,
    Money,
    exponent,
    format_money,
    included,
    percent,
)

currencies = st.sampled_from(["eur", "usd", "jpy", "kwd", "isk", "ugx", "clp", "tnd"])
amounts = st.integers(min_value=-(10**12), max_value=10**12)


@given(amounts, currencies)
def test_major_units_go_there_and_back(amount: int, currency: str) -> None:
    money = Money(amount, currency)
    assert Money.from_major(money.major, currency) == money
    assert Money.from_major(str(money.major), currency) == money


@given(amounts, amounts, currencies)
def test_sums_are_exact(one: int, other: int, currency: str) -> None:
    a, b = Money(one, currency), Money(other, currency)
    assert (a + b) - b == a
    opposite = -a
    assert -opposite == a
    assert a * 3 == a + a + a
    assert (a < b) == (one < other)
    assert (a <= b) == (one <= other)
    assert (a > b) == (one > other)
    assert (a >= b) == (one >= other)
    assert bool(a) == bool(one)


@given(st.integers(0, 10**10), st.decimals(0, 100, places=4))
def test_tax_inside_and_tax_added_agree(net: int, rate: Decimal) -> None:
    """What is added to a net price is found again inside the gross one, to a minor unit."""
    price = Money(net, "eur")
    tax = percent(price, rate)
    assert abs((included(price + tax, rate) - tax).amount) <= 1


@pytest.mark.parametrize("wrong", [1.0, "1", True, None])
def test_an_amount_is_an_integer(wrong: object) -> None:
    with pytest.raises(TypeError):
        Money(wrong, "eur")


@pytest.mark.parametrize("wrong", ["EUR", "eu", "euro", "éur", ""])
def test_a_currency_is_a_small_iso_code(wrong: str) -> None:
    with pytest.raises(ValueError, match="ISO"):
        Money(1, wrong)


def test_currencies_do_not_mix() -> None:
    with pytest.raises(CurrencyMismatch):
        Money(1, "eur") + Money(1, "usd")
    with pytest.raises(CurrencyMismatch):
        _ = Money(1, "eur") < Money(1, "usd")
    with pytest.raises(TypeError):
        Money(1, "eur") + 1
    with pytest.raises(TypeError):
        Money(1, "eur") * 1.5


def test_a_decimal_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match="decimals"):
        Money.from_major("1.005", "eur")
    with pytest.raises(ValueError, match="decimals"):
        Money.from_major("1.5", "jpy")


def test_exponents_are_stripes() -> None:
    assert {exponent(code) for code in ZERO_DECIMAL} == {0}
    assert {exponent(code) for code in THREE_DECIMAL} == {3}
    # Babel counts these otherwise.
    assert (exponent("isk"), exponent("ugx"), exponent("huf"), exponent("twd")) == (2, 2, 2, 2)


@pytest.mark.parametrize(
    ("money", "locale", "text"),
    [
        (Money(4900, "eur"), "en", "€49.00"),
        (Money(4900, "eur"), "de", "49,00\u00a0€"),
        (Money(-123456789, "usd"), "en", "\u2212$1,234,567.89"),
        (Money(5000, "jpy"), "en", "¥5,000"),
        (Money(5000, "jpy"), "de", "5.000\u00a0¥"),
        (Money(1234, "kwd"), "en", "KWD1.234"),
        (Money(0, "eur"), "en", "€0.00"),
    ],
)
def test_amounts_as_people_read_them(money: Money, locale: str, text: str) -> None:
    assert format_money(money, locale) == text


def test_the_code_stands_in_for_the_sign_where_currencies_meet() -> None:
    assert format_money(Money(4900, "usd"), "en", code=True) == "USD\u00a049.00"
    assert format_money(Money(4900, "usd"), "de", code=True) == "49,00\u00a0USD"


@given(amounts, currencies)
def test_no_digit_is_lost_in_formatting(amount: int, currency: str) -> None:
    digits = "".join(c for c in format_money(Money(amount, currency), "en") if c.isdigit())
    assert int(digits) == abs(amount)


def test_shares_round_half_up_or_down_to_the_floor() -> None:
    assert Money(5, "eur").share(1, 2) == Money(3, "eur")
    assert Money(-5, "eur").share(1, 2, floor=True) == Money(-3, "eur")
    assert Money(9, "eur").share(1, 2, floor=True) == Money(4, "eur")
