"""What people type on the hosted pages: who they are and how they pay, and what is wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from flask import current_app, request

from app.simulator import cards
from app.simulator.countries import COUNTRIES
from app.simulator.engines.methods import card_method, debit_method
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction

KEPT = ("email", "billingName", "billingCountry", "billingPostalCode", "phone", "method")
WITH_POSTAL_CODE = frozenset({"US", "GB", "CA"})


@dataclass
class Entry:
    """What a person typed, and what is wrong with it."""

    values: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    month: int = 12
    year: int = 2034

    @property
    def number(self) -> str:
        return re.sub(r"[\s-]", "", self.values.get("cardNumber", ""))

    @property
    def kept(self) -> dict[str, str]:
        """The values that may be shown again: nothing of a card."""
        return {k: self.values.get(k, "") for k in (*KEPT, "promotionCode")}


def typed() -> Entry:
    """What this request brings."""
    return Entry({k: v.strip() for k, v in request.form.items()})


def check_email(values: dict[str, str], wrong: dict[str, str]) -> None:
    """An address that could be one."""
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", values.get("email", "")):
        wrong["email"] = "Enter an email address like name@example.com."


def check_payment(entry: Entry) -> None:
    """A card, or a bank debit, and the billing details that go with it."""
    if entry.values.get("method", "card") == "card":
        _check_card(entry)
    _check_billing(entry.values, entry.errors)


def _check_card(entry: Entry) -> None:
    values, wrong = entry.values, entry.errors
    if not re.fullmatch(r"[0-9]{12,19}", entry.number):
        wrong["cardNumber"] = "Enter the full card number."
    elif not cards.luhn(entry.number):
        wrong["cardNumber"] = "Your card number is incorrect."
    match = re.fullmatch(r"(0?[1-9]|1[0-2])\s*[/.-]?\s*(20)?([0-9]{2})", values.get("cardExpiry", ""))
    if match is None:
        wrong["cardExpiry"] = "Enter the expiry date as month and year, like 12 / 34."
    else:
        entry.month, entry.year = int(match[1]), 2000 + int(match[3])
        if (entry.year, entry.month) < current_app.extensions["store"].clock.month():
            wrong["cardExpiry"] = "Your card’s expiry date is in the past."
    if not re.fullmatch(r"[0-9]{3,4}", values.get("cardCvc", "")):
        wrong["cardCvc"] = "Enter the card security code, three or four digits."


def _check_billing(values: dict[str, str], wrong: dict[str, str]) -> None:
    if not values.get("billingName"):
        wrong["billingName"] = "Enter the name on the card."
    country = values.get("billingCountry", "")
    if country not in COUNTRIES:
        wrong["billingCountry"] = "Choose a country."
    if country in WITH_POSTAL_CODE and not values.get("billingPostalCode"):
        wrong["billingPostalCode"] = "Enter the postal code of the billing address."


def details(entry: Entry) -> Doc:
    """Who pays, as a payment method and a session keep it."""
    values = entry.values
    address = {"country": values.get("billingCountry"), "postal_code": values.get("billingPostalCode")}
    return {
        "email": values.get("email"), "name": values.get("billingName"), "phone": values.get("phone"), "address": address
    }  # fmt: skip


def method_of(tx: Transaction, entry: Entry) -> Doc:
    """The payment method that was typed."""
    chosen = entry.values.get("method", "card")
    if chosen != "card":
        return debit_method(tx, details(entry), fails=chosen == "debit_fails")
    return card_method(tx, cards.by_number(entry.number), details(entry), month=entry.month, year=entry.year)


def declined(entry: Entry, code: str | None, message: str) -> None:
    """Mark the field that a decline is about."""
    wrong = {"incorrect_cvc": "cardCvc", "expired_card": "cardExpiry", "incorrect_number": "cardNumber"}
    entry.errors[wrong.get(code or "", "cardNumber")] = message
