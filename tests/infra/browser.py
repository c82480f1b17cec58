"""Debian's Chromium, driven by Playwright, and what every page it shows must not do."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, sync_playwright

from tests.infra import run
from tests.infra.stack import Stack, address, running

OpenPage = Callable[..., Page]

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
    # Whatever a page asks for, nothing leaves this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]


class Watch:
    """Gathers what a page must not do. A test that provokes something adds a pattern to `allowed`."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.allowed: list[str] = []

    def attach(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", lambda error: self.problems.append(f"script error: {error.error}"))
        context.on("request", lambda request: self._request(request.url))
        context.on("response", self._response)

    def check(self) -> None:
        """Raise AssertionError naming every problem no pattern allows."""
        left = [p for p in self.problems if not any(re.search(pattern, p) for pattern in self.allowed)]
        assert not left, "in the browser:\n  " + "\n  ".join(dict.fromkeys(left))

    def _console(self, message: ConsoleMessage) -> None:
        # The status of each answer is judged in _response, which knows what was asked for.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.problems.append(f"console: {message.text}")

    def _request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.netloc not in _hosts():
            self.problems.append(f"request to another origin: {url}")

    def _response(self, response: Response) -> None:
        page_or_script = response.request.resource_type in ("document", "fetch", "xhr")
        if response.status >= (500 if page_or_script else 400):
            self.problems.append(f"{response.status} for {response.url}")


def _hosts() -> set[str]:
    ports = [port for stack in running for port in (stack.web_port, stack.simulator_port)]
    return {f"{host}:{port}" for port in ports for host in ("localhost", "127.0.0.1")}


def executable() -> str:
    """Debian's Chromium, or Chrome under one of its names."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise RuntimeError("chromium is not installed; .ci/tools installs it or says how")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of this process; each test opens contexts of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def watch() -> Watch:
    """What the browser noticed in this test; `watch.allowed.append(pattern)` for what a test provokes."""
    return Watch()


@pytest.fixture
def open_page(chromium: Browser, watch: Watch, request: pytest.FixtureRequest) -> Iterator[OpenPage]:
    """Open a page in a fresh context: `open_page(stack, javascript=False, **context_options)`.

    A page of the same visitor in another tab is `page.context.new_page()`.
    """
    contexts: list[BrowserContext] = []

    def open_page(stack: Stack, *, javascript: bool = True, **options: Any) -> Page:
        options = {"reduced_motion": "reduce", "locale": "en-GB", "extra_http_headers": address(), **options}
        context = chromium.new_context(base_url=stack.base_url, java_script_enabled=javascript, **options)
        contexts.append(context)
        context.set_default_timeout(15_000)
        watch.attach(context)
        return context.new_page()

    yield open_page
    failed = getattr(request.node, "failed", False)
    for context in contexts:
        if failed:
            _keep_what_was_seen(request.node.nodeid, context)
        context.close()
    if not failed:
        watch.check()


@pytest.fixture
def page(stack: Stack, open_page: OpenPage) -> Page:
    """A visitor of the shared shop."""
    return open_page(stack)


@pytest.fixture
def page_nojs(stack: Stack, open_page: OpenPage) -> Page:
    """A visitor of the shared shop whose browser runs no JavaScript."""
    return open_page(stack, javascript=False)


@pytest.fixture(params=[True, False], ids=["javascript", "no-javascript"])
def either_page(stack: Stack, open_page: OpenPage, request: pytest.FixtureRequest) -> Page:
    """The test runs twice: with JavaScript and without."""
    return open_page(stack, javascript=request.param)


def _keep_what_was_seen(nodeid: str, context: BrowserContext) -> None:
    place = run.OUT / "failures"
    place.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.-]+", "-", nodeid.removeprefix("tests/"))
    for number, page in enumerate(context.pages):
        target: Path = place / f"{name}-{number}"
        try:
            page.screenshot(path=f"{target}.png", full_page=True, timeout=5000)
            Path(f"{target}.html").write_text(f"<!-- {page.url} -->\n{page.content()}")
        except Exception as error:
            Path(f"{target}.txt").write_text(f"{page.url}\n{error}\n")
