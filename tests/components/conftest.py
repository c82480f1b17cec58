"""The gallery, served; and a way to render one line of template."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, render_template_string
from werkzeug.serving import make_server

from tests.components.gallery import make_gallery
from tests.components.stand_in import make_app
from tests.infra.html import Element, parse

Render = Callable[..., Element]


@pytest.fixture(scope="session")
def app() -> Flask:
    return make_app()


@pytest.fixture
def render(app: Flask) -> Render:
    """`render("{{ ui.money(m) }}", m=…)` as a parsed fragment, macros imported as pages import them."""

    def render(source: str, **context: Any) -> Element:
        with app.test_request_context("/"):
            return parse(
                render_template_string('{% import "components/ui.html" as ui %}' + source, **context)
            )

    return render


@pytest.fixture(scope="session")
def gallery() -> Iterator[str]:
    """The address of the running gallery."""
    server = make_server("127.0.0.1", 0, make_gallery(), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://localhost:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()
