"""Stripe's test cards: which number, `pm_card_…` or `tok_…` behaves how.

Page: https://docs.stripe.com/testing
"""

from __future__ import annotations

from dataclasses import dataclass, replace

_DECLINED = "Your card was declined."


@dataclass(frozen=True)
class Card:
    """One test card. `code` is the error of a payment, None when it goes through; `secure` says when a 3-D Secure
    challenge is asked for: never, always, unless_set_up; `after` names what befalls a successful payment."""

    number: str
    code: str | None = None
    decline_code: str | None = None
    message: str = _DECLINED
    secure: str = "never"
    after: str | None = None
    attach_fails: bool = False
    blocked: bool = False
    risk: str = "normal"
    brand: str = "visa"
    country: str = "US"
    funding: str = "credit"

    @property
    def last4(self) -> str:
        return self.number[-4:]


def _declined(number: str, decline_code: str, message: str = _DECLINED) -> Card:
    return Card(number, "card_declined", decline_code, message, attach_fails=True)


FUNDS = "Your card has insufficient funds."
_CARDS = (
    Card("4242424242424242"),
    Card("4000056655665556", funding="debit"),
    Card("5555555555554444", brand="mastercard"),
    Card("5200828282828210", brand="mastercard", funding="debit"),
    Card("5105105105105100", brand="mastercard", funding="prepaid"),
    Card("378282246310005", brand="amex"),
    Card("371449635398431", brand="amex"),
    Card("6011111111111117", brand="discover"),
    Card("3056930009020004", brand="diners"),
    Card("3566002020360505", brand="jcb", country="JP"),
    Card("6200000000000005", brand="unionpay", country="CN"),
    Card("4000002760000016", country="DE"),
    Card("4000008260000000", country="GB"),
    Card("4000003920000003", country="JP"),
    _declined("4000000000000002", "generic_decline"),
    _declined("4000000000009995", "insufficient_funds", FUNDS),
    _declined("4000000000009987", "lost_card"),
    _declined("4000000000009979", "stolen_card"),
    Card("4000000000000069", "expired_card", None, "Your card has expired.", attach_fails=True),
    Card("4000000000000127", "incorrect_cvc", None, "Your card's security code is incorrect.", attach_fails=True),
    Card(
        "4000000000000119", "processing_error", None,
        "An error occurred while processing your card. Try again in a little bit.", attach_fails=True,
    ),
    _declined(
        "4000000000006975", "card_velocity_exceeded",
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    ),
    Card("4242424242424241", "incorrect_number", None, "Your card number is incorrect.", attach_fails=True),
    Card("4000000000000341", "card_declined", "generic_decline"),
    Card("4000002760003184", secure="always"),
    Card("4000002500003155", secure="unless_set_up"),
    Card("4000000000003220", secure="always"),
    Card("4000000000003063", secure="always"),
    Card("4000008260003178", "card_declined", "insufficient_funds", FUNDS, secure="always"),
    Card("4000008400001629", "card_declined", "generic_decline", secure="always"),
    Card("4000000000000259", after="dispute_fraudulent"),
    Card("4000000000002685", after="dispute_product_not_received"),
    Card("4000000000001976", after="dispute_inquiry"),
    Card("4000000404000079", after="dispute_several"),
    Card("4000000000005423", after="early_fraud_warning"),
    Card("4100000000000019", "card_declined", "fraudulent", blocked=True, risk="highest"),
    Card("4000000000004954", "card_declined", "fraudulent", blocked=True, risk="highest"),
    Card("4000000000009235", risk="elevated", after="review"),
    Card("4000000000007726", after="refund_succeeds_later"),
    Card("4000000000005126", after="refund_fails_later"),
    Card("4000000000000077", after="available_at_once"),
    Card("4000003720000278", after="available_at_once"),
)  # fmt: skip
BY_NUMBER = {card.number: card for card in _CARDS}
_ALIASES = {
    "visa": "4242424242424242", "visa_debit": "4000056655665556", "mastercard": "5555555555554444",
    "mastercard_debit": "5200828282828210", "mastercard_prepaid": "5105105105105100", "amex": "378282246310005",
    "discover": "6011111111111117", "diners": "3056930009020004", "jcb": "3566002020360505",
    "unionpay": "6200000000000005", "us": "4242424242424242", "de": "4000002760000016", "gb": "4000008260000000",
    "chargeDeclined": "4000000000000002", "visa_chargeDeclined": "4000000000000002",
    "chargeDeclinedInsufficientFunds": "4000000000009995", "visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "chargeDeclinedLostCard": "4000000000009987", "visa_chargeDeclinedLostCard": "4000000000009987",
    "chargeDeclinedStolenCard": "4000000000009979", "visa_chargeDeclinedStolenCard": "4000000000009979",
    "chargeDeclinedExpiredCard": "4000000000000069", "chargeDeclinedIncorrectCvc": "4000000000000127",
    "chargeDeclinedProcessingError": "4000000000000119",
    "visa_chargeDeclinedVelocityLimitExceeded": "4000000000006975",
    "chargeDeclinedVelocityLimitExceeded": "4000000000006975",
    "chargeCustomerFail": "4000000000000341", "authenticationRequired": "4000002760003184",
    "authenticationRequiredOnSetup": "4000002500003155", "threeDSecure2Required": "4000000000003220",
    "threeDSecureRequired": "4000000000003063",
    "authenticationRequiredChargeDeclinedInsufficientFunds": "4000008260003178",
    "threeDSecureRequiredChargeDeclined": "4000008400001629",
    "createDispute": "4000000000000259", "createDisputeProductNotReceived": "4000000000002685",
    "createDisputeInquiry": "4000000000001976", "createMultipleDisputes": "4000000404000079",
    "createIssuerFraudRecord": "4000000000005423", "radarBlock": "4100000000000019",
    "riskLevelHighest": "4000000000004954", "riskLevelElevated": "4000000000009235",
    "pendingRefund": "4000000000007726", "refundFail": "4000000000005126", "bypassPending": "4000000000000077",
    "bypassPendingInternational": "4000003720000278",
}  # fmt: skip
_TOKEN_ALIASES = {"visa_createDispute": "createDispute", "riskLevelHighest": "riskLevelHighest"}


def by_number(number: str) -> Card:
    """The card of that number; one that is in no table but well-formed is declined, as Stripe does."""
    known = BY_NUMBER.get(number)
    if known:
        return known
    return replace(BY_NUMBER["4000000000000002"], number=number, brand=brand(number), attach_fails=True)


def by_alias(name: str) -> Card | None:
    """The card behind `pm_card_…` or `tok_…`; None when Stripe has no such test name."""
    for prefix in ("pm_card_", "tok_"):
        if name.startswith(prefix):
            short = name.removeprefix(prefix)
            number = _ALIASES.get(_TOKEN_ALIASES.get(short, short))
            return BY_NUMBER[number] if number else None
    return None


def brand(number: str) -> str:
    """The brand that the first digits tell."""
    firsts = {
        "4": "visa",
        "5": "mastercard",
        "34": "amex",
        "37": "amex",
        "6011": "discover",
        "35": "jcb",
        "62": "unionpay",
    }
    return next((firsts[p] for p in sorted(firsts, key=len, reverse=True) if number.startswith(p)), "unknown")


def luhn(number: str) -> bool:
    """Whether the check digit fits."""
    digits = [int(d) for d in reversed(number)]
    return sum(d if i % 2 == 0 else sum(divmod(d * 2, 10)) for i, d in enumerate(digits)) % 10 == 0
