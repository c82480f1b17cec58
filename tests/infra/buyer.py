"""A buyer without a browser: opens an offer, presses the button, fills in Checkout, comes back; presses again
when something broke, as people do.
"""

from __future__ import annotations

import re
import time
from http.client import HTTPException
from http.cookiejar import CookieJar
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, OpenerDirector, Request, build_opener

from tests.infra import html
from tests.infra.shop import filled
from tests.infra.stack import Stack, address

CARD = {
    "email": "buyer@example.com",
    "cardNumber": "4242 4242 4242 4242",
    "cardExpiry": "12 / 34",
    "cardCvc": "123",
    "billingName": "A Buyer",
    "billingCountry": "DE",
    "billingPostalCode": "20095",
}
ORDER = re.compile(r"/checkout/(ord_[A-Za-z0-9]+)")


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_arguments: object) -> None:
        return None


class Answer:
    """A status, where it leads, and what stands there."""

    def __init__(self, status: int, url: str, location: str, body: str) -> None:
        self.status, self.url, self.body = status, url, body
        self.location = urljoin(url, location) if location else ""

    @property
    def page(self) -> html.Element:
        return html.parse(self.body)


class Buyer:
    """One browser's worth of cookies against one shop."""

    def __init__(self, stack: Stack, patience: float = 60) -> None:
        self.stack, self.patience = stack, patience
        self.address = address()
        self.opener: OpenerDirector = build_opener(HTTPCookieProcessor(CookieJar()), _Stay())

    def ask(self, url: str, data: dict[str, str] | None = None) -> Answer:
        """One request, not followed; connection failures are raised."""
        body = urlencode(data).encode() if data is not None else None
        request = Request(urljoin(self.stack.base_url, url), body, self.address)
        try:
            with self.opener.open(request, timeout=20) as answer:
                return Answer(answer.status, answer.url, "", answer.read().decode())
        except HTTPError as error:
            return Answer(
                error.code, error.url or url, error.headers.get("Location", ""), error.read().decode()
            )

    def insist(self, url: str, data: dict[str, str] | None = None) -> Answer:
        """Ask until there is an answer that is no failure of the server's: reload, or press again."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                answer = self.ask(url, data)
                if answer.status < 500:
                    return answer
            except (URLError, HTTPException, OSError):
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"{url} did not answer within {self.patience} seconds")
            time.sleep(0.05)

    def start(self, slug: str = "field-guide") -> str:
        """Open the offer and press its button; the address of the Checkout page."""
        form = self.insist(f"/offers/{slug}").page.one("form[method=post][action^=/checkout]")
        answer = self.insist(form["action"], filled(form))
        if answer.status == 303 and answer.location.startswith(self.stack.base_url):
            return answer.location
        assert answer.status == 303, f"the button led to {answer.status}: {answer.page.text[:500]}"
        return answer.location

    def pay(self, checkout_url: str, **changes: str) -> Answer:
        """Fill in the hosted page and pay; the answer to it (a redirect back, when it went well)."""
        page = self.insist(checkout_url)
        forms = page.page.select("form#pay")
        if not forms:
            return page
        target = urljoin(checkout_url, forms[0]["action"])
        return self.insist(target, {**filled(forms[0]), **CARD, "method": "card", **changes})

    def buy(self, slug: str = "field-guide", **changes: str) -> str:
        """The whole way; returns the order's public id."""
        url = self.start(slug)
        answer = self.pay(url, **changes)
        if answer.status != 303:  # paid already, by a press whose answer was lost
            answer = self.insist(checkout_page_back(answer) or url)
        back = self.insist(answer.location)
        found = ORDER.search(back.location or back.url)
        assert found, f"no order's page after paying: {back.status} {back.location} {back.page.text[:300]}"
        return found[1]


def checkout_page_back(answer: Answer) -> str:
    """The link back to the shop on a page that says the session is done."""
    links = [link["href"] for link in answer.page.select("a[href]") if "/checkout/return" in link["href"]]
    return links[0] if links else ""
