"""The only door to Stripe: clients, stored calls, reads, typed errors, event verification.

SDK objects stop here: what comes out is plain dictionaries in Stripe's own shapes.
"""

from app.gateway.calls import perform, prepare
from app.gateway.client import API_VERSION, account, close, configure, fetch, listing
from app.gateway.errors import (
    ApiFailure,
    CardRefused,
    ConnectionLost,
    InvalidCall,
    KeyRefused,
    NotThere,
    RateLimited,
    StripeFailure,
    TooLate,
)
from app.gateway.signature import RefusedSignature, verify

__all__ = [
    "API_VERSION", "ApiFailure", "CardRefused", "ConnectionLost", "InvalidCall", "KeyRefused", "NotThere",
    "RateLimited", "RefusedSignature", "StripeFailure", "TooLate", "account", "close", "configure", "fetch", "listing",
    "perform", "prepare", "verify",
]  # fmt: skip
