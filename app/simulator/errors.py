"""The error envelope Stripe answers with, as exceptions. Nothing here knows HTTP servers or storage."""

from __future__ import annotations

from typing import Any

DOCS = "https://stripe.com/docs/error-codes/"


class StripeError(Exception):
    """An answer other than 200: `keep` says that what the request wrote stays (a declined charge does)."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        keep: bool = False,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.kind, self.code, self.param = status, message, kind, code, param
        self.keep, self.headers, self.more = keep, headers or {}, more

    def body(self, request_id: str) -> dict[str, Any]:
        """The envelope of this error for the request `request_id`."""
        error: dict[str, Any] = {}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = DOCS + self.code.replace("_", "-")
        error |= {k: v for k, v in self.more.items() if v is not None}
        error["message"] = self.message
        if self.param:
            error["param"] = self.param
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        error["type"] = self.kind
        return {"error": error}


def invalid(message: str, param: str | None = None, code: str | None = None, **more: Any) -> StripeError:
    """A 400 of the caller's making."""
    return StripeError(400, message, param=param, code=code, **more)


def missing(label: str, identifier: str, param: str | None = "id", status: int = 404) -> StripeError:
    """`No such …`: 404 for an object named by the path, 400 for one named by a parameter."""
    return StripeError(status, f"No such {label}: '{identifier}'", code="resource_missing", param=param)


def unrecognized(method: str, path: str) -> StripeError:
    """Stripe's sentence for a path that does not exist."""
    return StripeError(
        404,
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at "
        "https://support.stripe.com/.",
    )
