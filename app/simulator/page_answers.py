"""How the hosted pages answer: rendered, secured, sent on to where the shop wants people."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from flask import Response, current_app, render_template

from app.simulator.store import Store

PATIENCE = 10.0


def store() -> Store:
    """The store behind this app."""
    found: Store = current_app.extensions["store"]
    return found


def to(url: str) -> Response:
    """Go there with GET."""
    return Response("", 303, {"Location": url})


def wait_for(deliveries: list[int]) -> None:
    """Let the shop hear of what has happened, ten seconds at most."""
    current_app.extensions["courier"].wait(deliveries, PATIENCE)


def page(name: str, status: int = 200, leads_to: tuple[str | None, ...] = (), **values: Any) -> Response:
    """A page of templates/simulator whose forms may end up here or at the origins of `leads_to`: Chromium holds the
    redirects of a form to form-action too."""
    body = render_template(f"simulator/{name}.html", merchant=str(current_app.config["MERCHANT"]), **values)
    response = Response(body, status)
    targets = " ".join(dict.fromkeys(["'self'", *origins(leads_to)]))
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'none'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action {targets}"
    )
    return response


def origins(urls: tuple[str | None, ...]) -> list[str]:
    """The origins of these addresses, as far as they are plain enough for a header."""
    found = []
    for url in urls:
        parts = urlsplit(url) if url else None
        if parts and re.fullmatch(r"[\w.:\[\]-]+", parts.netloc, re.A):
            found.append(f"{parts.scheme}://{parts.netloc}")
    return found


def end(kind: str, back: str | None = None, status: int = 200) -> Response:
    """A page on which nothing more can be done."""
    return page("end", status, kind=kind, back=back)
