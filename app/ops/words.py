"""What the console says for a stored code: reasons, actors, accounts, operations, ways a person came."""

from __future__ import annotations

from datetime import timedelta

from flask_babel import format_decimal, format_timedelta
from flask_babel import gettext as _

from app.fraud import rules
from app.models import Account, JournalEntry, Order, Payment
from app.money import Money


def reason(code: str) -> str:
    """Why an order is flagged or held, in one sentence."""
    known: dict[str, str] = {
        "high_amount": _(
            "The amount is worth more than $%(limit)s.",
            limit=format_decimal(rules.HIGH_AMOUNT_USD_CENTS // 100),
        ),
        "rapid_payments": _(
            "The same buyer made more than %(most)s payments within an hour.", most=rules.RAPID_PAYMENTS
        ),
        "suspicious_ip": _("The order came from a network on the high-risk list."),
        "screening_failed": _("Screening failed, so nothing is ruled out."),
        "currency_mismatch": _("It was paid in another currency than the order's."),
        "reference_mismatch": _("The Checkout Session names another order."),
        "subtotal_mismatch": _("The price at Stripe is not the price that was agreed."),
        "discount_mismatch": _("The discount at Stripe is not what our promotion code takes off."),
        "total_mismatch": _("The total at Stripe is not what price, discount and tax add up to."),
        "oversold": _("The last one went to somebody else while this payment was on its way."),
    }
    return str(known.get(code) or _("Reason %(code)s.", code=code))


def short_reason(code: str) -> str:
    """The same in two or three words, for a table."""
    known: dict[str, str] = {
        "high_amount": _("High amount"),
        "rapid_payments": _("Many payments"),
        "suspicious_ip": _("Risky network"),
        "screening_failed": _("Not screened"),
        "currency_mismatch": _("Other currency"),
        "reference_mismatch": _("Other order"),
        "subtotal_mismatch": _("Other price"),
        "discount_mismatch": _("Other discount"),
        "total_mismatch": _("Other total"),
        "oversold": _("Sold out"),
    }
    return known.get(code, code.replace("_", " "))


def ending(order: Order) -> str:
    """Why an order came to nothing, where a reason is known."""
    known: dict[str, str] = {
        "async_payment_failed": _("The delayed payment did not arrive."),
        "never_opened": _("Its Checkout Session was never opened."),
        "released": "",
    }
    if order.reason is None:
        return ""
    return str(known.get(order.reason, _("Stripe's reason: %(code)s.", code=order.reason)))


def account(name: Account) -> str:
    """An account of the ledger."""
    known: dict[str, str] = {
        Account.STRIPE_CLEARING: _("Stripe clearing"),
        Account.REVENUE: _("Revenue"),
        Account.TAX_PAYABLE: _("Tax payable"),
        Account.STRIPE_FEES: _("Stripe fees"),
        Account.SUSPENSE: _("Suspense, waiting for a decision"),
        Account.CONVERSION: _("Currency conversion"),
    }
    return known.get(name, name)


def entry(key: str) -> str:
    """What a journal entry books, by its business key."""
    known: dict[str, str] = {
        "sale": _("Sale"),
        "held": _("Payment held"),
        "release": _("Held payment released"),
        "balance": _("Stripe's fee"),
    }
    return known.get(key.partition(":")[0], key)


def side(found: JournalEntry, currency: str, sign: int) -> Money:
    """What an entry's debits (sign 1) or credits (sign -1) of a currency add up to, as a positive sum."""
    lines = [line.amount for line in found.lines if line.currency == currency and line.amount * sign > 0]
    return Money(abs(sum(lines)), currency)


def operation(name: str) -> str:
    """What we asked Stripe for."""
    known: dict[str, str] = {
        "checkout.sessions.create": _("Open a Checkout Session"),
        "checkout.sessions.expire": _("Expire the Checkout Session"),
    }
    return known.get(name, name)


def mail(template: str) -> str:
    known: dict[str, str] = {"receipt": _("Receipt")}
    return known.get(template, template.replace("_", " ").capitalize())


def method(payment: Payment) -> str:
    """How it was paid: “Visa ending 4242”."""
    if payment.card_last4:
        brand = {"visa": "Visa", "mastercard": "Mastercard", "amex": "American Express"}.get(
            payment.card_brand or "", (payment.card_brand or _("Card")).capitalize()
        )
        return str(_("%(brand)s ending %(digits)s", brand=brand, digits=payment.card_last4))
    return (payment.method or "").replace("_", " ").capitalize() or str(_("not yet known"))


def source(found: dict[str, str]) -> str:
    """Where a purchase came from: campaign or referring host."""
    said = {
        "utm_source": _("source %(it)s"),
        "utm_medium": _("medium %(it)s"),
        "utm_campaign": _("campaign %(it)s"),
        "utm_term": _("term %(it)s"),
        "utm_content": _("content %(it)s"),
        "referrer": _("from %(it)s"),
    }
    parts = [said.get(name, name + " %(it)s") % {"it": value} for name, value in found.items()]
    return ", ".join(parts) or _("Direct, or not told")


def settled_in(payment: Payment, amount: int | None) -> Money | None:
    """A fee or net amount in the currency Stripe settles in; None while it is not known."""
    if amount is None or payment.settlement_currency is None:
        return None
    return Money(amount, payment.settlement_currency)


def span(length: timedelta) -> str:
    """A length of time: “3 minutes”."""
    return str(format_timedelta(length, threshold=1.2))
