"""Each of the SDK's errors as one of ours: a calm sentence, whether money moved, the request id, no raw message."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest
import stripe
from flask import Flask

from app import gateway
from app.errors import answer
from app.gateway.errors import translate

RAW = "No such price: 'price_1SeCrEt'; a similar object exists in live mode"
EXPECTED: dict[type[stripe.StripeError], type[gateway.StripeFailure]] = {
    stripe.StripeError: gateway.StripeFailure,
    stripe.APIError: gateway.ApiFailure,
    stripe.APIConnectionError: gateway.ConnectionLost,
    stripe.CardError: gateway.CardRefused,
    stripe.RateLimitError: gateway.RateLimited,
    stripe.InvalidRequestError: gateway.InvalidCall,
    stripe.IdempotencyError: gateway.InvalidCall,
    stripe.AuthenticationError: gateway.KeyRefused,
    stripe.PermissionError: gateway.KeyRefused,
    stripe.SignatureVerificationError: gateway.StripeFailure,
}


def every_class(parent: type = stripe.StripeError) -> Iterator[type[stripe.StripeError]]:
    yield parent
    for child in parent.__subclasses__():
        yield from every_class(child)


def made(kind: type[stripe.StripeError], **changes: object) -> stripe.StripeError:
    """An error as the SDK raises it."""
    values = {
        "message": RAW,
        "description": RAW,
        "http_body": "{}",
        "http_status": 400,
        "json_body": {"error": {"message": RAW, "decline_code": "do_not_honor"}},
        "headers": {"request-id": "req_test123"},
        "param": "price",
        "code": None,
        "sig_header": "t=1",
        **changes,
    }
    accepted = inspect.signature(kind.__init__).parameters
    return kind(**{name: value for name, value in values.items() if name in accepted})


def test_the_table_names_what_people_meet() -> None:
    unknown = {kind for kind in every_class() if kind not in EXPECTED}
    # Whatever a newer SDK adds falls back to its parent's entry or to the general failure; none is unhandled.
    for kind in unknown:
        assert isinstance(translate(made(kind)), gateway.StripeFailure), kind
    assert set(EXPECTED) <= set(every_class())


@pytest.mark.parametrize(("kind", "ours"), EXPECTED.items(), ids=lambda kind: kind.__name__)
def test_each_error_is_told_calmly(
    app: Flask, kind: type[stripe.StripeError], ours: type[gateway.StripeFailure]
) -> None:
    failure = translate(made(kind))
    assert type(failure) is ours
    with app.test_request_context("/checkout"):
        page = answer(failure)
        text = page.get_data(as_text=True)
        assert page.status_code == ours.http
        assert str(failure.title) in text
        assert "No money was taken." in text
        assert str(failure.what_next) in text
        said = (text, str(failure), str(failure.title), str(failure.what_next))
    assert not any("price_1SeCrEt" in words for words in said)
    assert "price_1SeCrEt" in failure.raw
    if "headers" in inspect.signature(kind.__init__).parameters or kind is stripe.StripeError:
        assert failure.request_id == "req_test123"


@pytest.mark.parametrize(
    ("error", "ours", "definite", "retryable"),
    [
        (made(stripe.InvalidRequestError, code="resource_missing"), gateway.NotThere, True, False),
        (made(stripe.InvalidRequestError, http_status=404), gateway.NotThere, True, False),
        (made(stripe.InvalidRequestError), gateway.InvalidCall, True, False),
        (made(stripe.CardError, code="card_declined"), gateway.CardRefused, True, False),
        (made(stripe.AuthenticationError), gateway.KeyRefused, True, False),
        (made(stripe.RateLimitError), gateway.RateLimited, False, True),
        # 409: the same key is being worked on in another request, whose outcome nobody knows yet.
        (made(stripe.APIError, http_status=409), gateway.RateLimited, False, True),
        (made(stripe.APIError, http_status=500), gateway.ApiFailure, False, True),
        (made(stripe.APIConnectionError, http_status=None), gateway.ConnectionLost, False, True),
        (made(stripe.StripeError), gateway.StripeFailure, False, False),
    ],
)
def test_what_may_have_happened_is_not_called_refused(
    error: stripe.StripeError, ours: type[gateway.StripeFailure], definite: bool, retryable: bool
) -> None:
    failure = translate(error)
    assert (type(failure), failure.definite, failure.retryable) == (ours, definite, retryable)


def test_a_declined_card_keeps_the_bank_s_code() -> None:
    assert translate(made(stripe.CardError, code="card_declined")).stripe_code == "card_declined"
    assert translate(made(stripe.CardError)).stripe_code == "do_not_honor"


def test_a_raw_message_is_bounded() -> None:
    assert len(translate(made(stripe.APIError, message="x" * 9000)).raw) == 500


def test_programs_read_a_code(app: Flask) -> None:
    with app.test_request_context("/api/v1/orders", headers={"Accept": "application/json"}):
        said = answer(translate(made(stripe.CardError))).get_json()
    assert (said["status"], said["code"]) == (402, "card_error")
    assert "price_1SeCrEt" not in str(said)
