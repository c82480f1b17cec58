"""The languages the shop speaks, which one a reader gets, and where the switch between them leads back to."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request

# As each calls itself, for whoever cannot read the page they are on.
LANGUAGES = {"en": "English", "de": "Deutsch"}
COOKIE = "language"


def chosen() -> str:
    """What the reader chose, else what their browser asks for; English outside of a request."""
    if not request:
        return "en"
    kept = request.cookies.get(COOKIE, "")
    return kept if kept in LANGUAGES else request.accept_languages.best_match(list(LANGUAGES)) or "en"


def own_path(text: str) -> str:
    """`text` if it is a path of this shop; the front page for anything a browser could read as another place."""
    if any(character <= " " or character in "\\\x7f" for character in text) or text.startswith("//"):
        return "/"
    try:
        parts = urlsplit(text)
    except ValueError:
        return "/"
    return text if text.startswith("/") and not parts.scheme and not parts.netloc else "/"


def this_page() -> str:
    """The path of the page being shown; where a form was answered in place, of the page the form stood on."""
    if not request:
        return "/"
    if request.method in ("GET", "HEAD"):
        return own_path(request.full_path.rstrip("?"))
    try:
        parts = urlsplit(request.referrer or "")
    except ValueError:
        return "/"
    return own_path(parts.path + (f"?{parts.query}" if parts.query else ""))
