"""Stripe-Signature: verified over the raw bytes against each live secret, its age checked both ways.

Page: https://docs.stripe.com/webhooks/signature
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from stripe import SignatureVerificationError, WebhookSignature

from app import clock

_TIME = re.compile(r"(?:^|,)\s*t=(\d{1,12})(?:,|$)")


class RefusedSignature(ValueError):
    """The bytes do not carry a fresh signature made with one of our secrets."""


def verify(body: bytes, header: str, secrets: Iterable[str], *, tolerance: int) -> None:
    """Raise RefusedSignature unless `header` signs `body` with one of `secrets` within ±`tolerance` seconds.

    The SDK lets signatures from the future pass and stumbles over non-ASCII ones; both are refused here.
    """
    stamp = _TIME.search(header)
    if stamp is None or not header.isascii():
        raise RefusedSignature("no readable Stripe-Signature")
    if abs(clock.timestamp() - int(stamp[1])) > tolerance:
        raise RefusedSignature("signed too long ago, or in the future")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedSignature("not UTF-8") from error
    for secret in secrets:
        try:
            WebhookSignature.verify_header(text, header, secret, tolerance=None)
        except SignatureVerificationError:
            continue
        return
    raise RefusedSignature("no secret of ours made this signature")
