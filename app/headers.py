"""The headers every answer carries: a strict content policy, no sniffing, no framing, no stray caching."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, request

from app.config import Settings

STRIPE_PAGES = ("https://checkout.stripe.com", "https://billing.stripe.com")


def init_app(app: Flask, settings: Settings) -> None:
    policy = content_policy(settings)

    @app.after_request
    def _set(response: Response) -> Response:
        headers = response.headers
        headers.setdefault("Content-Security-Policy", policy)
        headers["X-Content-Type-Options"] = "nosniff"
        headers.setdefault("X-Frame-Options", "DENY")
        headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=()"
        if settings.public_url.startswith("https://"):
            headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
        if request.endpoint == "static" and response.status_code < 400:
            headers["Cache-Control"] = (
                "public, max-age=31536000, immutable" if "v" in request.args else "no-cache"
            )
        else:
            headers.setdefault("Cache-Control", "no-store")
        return response


def content_policy(settings: Settings) -> str:
    """`form-action` names where Checkout lives: a form's redirect there is blocked otherwise."""
    targets = ["'self'", *STRIPE_PAGES]
    if settings.simulated:
        port = urlsplit(settings.stripe_api_base).port or 80
        targets += [f"http://localhost:{port}", f"http://127.0.0.1:{port}"]
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            f"form-action {' '.join(targets)}",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )
