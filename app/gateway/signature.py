"""Stripe-Signature: verified over the raw bytes against each live secret, its age checked both ways.

Page: https://docs.stripe.com/webhooks/signature
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from stripe import SignatureVerificationError, WebhookSignature

from app import clock

_SECONDS = re.compile(r"[0-9]{1,12}")


class RefusedSignature(ValueError):
    """The bytes do not carry a fresh signature made with one of our secrets."""


def verify(body: bytes, header: str, secrets: Iterable[str], *, tolerance: int) -> None:
    """Raise RefusedSignature unless `header` signs `body` with one of `secrets` within ±`tolerance` seconds.

    The SDK lets signatures from the future pass and stumbles over non-ASCII ones; both are refused here. So is
    a header with several times: the one whose age is checked must be the one that was signed.
    """
    stamps = [item.strip()[2:] for item in header.split(",") if item.strip().startswith("t=")]
    if len(stamps) != 1 or not _SECONDS.fullmatch(stamps[0]) or not header.isascii():
        raise RefusedSignature("no readable Stripe-Signature")
    if abs(clock.timestamp() - int(stamps[0])) > tolerance:
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
