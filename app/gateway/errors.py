"""Stripe's errors as ours: one type and one calm sentence each, never the raw message, always the request id.

Page: https://docs.stripe.com/error-handling
"""

from __future__ import annotations

import stripe
from flask_babel import lazy_gettext as _l

from app.errors import AppError
from app.logs import redact

NOTHING_MOVED = _l("No money was taken.")


class StripeFailure(AppError):
    """Stripe did not do what was asked, as far as we know. `retryable`: the same call may succeed later;
    `definite`: Stripe said no, so nothing happened.
    """

    code = "stripe_error"
    http = 502
    title_text = _l("Our payment provider could not do this")
    next_text = _l("Try again in a minute. If it stays, write to us and quote the reference.")
    retryable = False
    definite = False

    def __init__(
        self, *, request_id: str | None = None, stripe_code: str | None = None, raw: str = ""
    ) -> None:
        super().__init__(self.http, self.title_text, self.next_text, money=NOTHING_MOVED, code=self.code)
        self.request_id = request_id
        self.stripe_code = stripe_code
        self.raw = raw  # for the operator's page only


class CardRefused(StripeFailure):
    definite = True
    code = "card_error"
    http = 402
    title_text = _l("The bank declined the card")
    next_text = _l("Try another card or call your bank.")


class RateLimited(StripeFailure):
    code = "rate_limited"
    http = 503
    title_text = _l("The payment page is very busy")
    next_text = _l("Wait a minute, then press the button again. You will not pay twice.")
    retryable = True


class InvalidCall(StripeFailure):
    definite = True
    code = "invalid_request"
    http = 502
    title_text = _l("The payment page could not be opened")
    next_text = _l("The order is kept. Write to us and quote the reference; it will not help to try again.")


class NotThere(InvalidCall):
    code = "resource_missing"


class ApiFailure(StripeFailure):
    code = "api_error"
    http = 503
    title_text = _l("Our payment provider has a problem of its own")
    next_text = _l("Try again in a minute. You will not pay twice.")
    retryable = True


class ConnectionLost(StripeFailure):
    code = "connection_error"
    http = 503
    title_text = _l("Our payment provider cannot be reached")
    next_text = _l("Try again in a minute. You will not pay twice.")
    retryable = True


class TooLate(StripeFailure):
    """The call was sent so long ago that Stripe may have forgotten its key, and its outcome is not known."""

    code = "call_too_old"
    http = 409
    title_text = _l("This was asked of our payment provider too long ago")
    next_text = _l(
        "It is not sent again, because it could then happen twice. Write to us and quote the reference."
    )


class KeyRefused(StripeFailure):
    definite = True
    code = "authentication_error"
    http = 503
    title_text = _l("The shop cannot take payments right now")
    next_text = _l("The operator has been told. Try again later.")


def translate(error: stripe.StripeError) -> StripeFailure:
    """The one place where an SDK error becomes one of ours."""
    kind: type[StripeFailure]
    match error:
        case stripe.CardError():
            kind = CardRefused
        case stripe.RateLimitError():
            kind = RateLimited
        case stripe.APIError() if error.http_status == 409:  # the same key, or the object, is being worked on
            kind = RateLimited
        case stripe.InvalidRequestError() if error.code == "resource_missing" or error.http_status == 404:
            kind = NotThere
        case stripe.InvalidRequestError() | stripe.IdempotencyError():
            kind = InvalidCall
        case stripe.AuthenticationError() | stripe.PermissionError():
            kind = KeyRefused
        case stripe.APIConnectionError():
            kind = ConnectionLost
        case stripe.APIError():
            kind = ApiFailure
        case _:
            kind = StripeFailure
    return kind(
        request_id=error.request_id,
        stripe_code=error.code or getattr(error.error, "decline_code", None),
        raw=redact(f"{type(error).__name__}: {error.user_message or error}"[:500]),
    )
