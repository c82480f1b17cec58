"""What tests of subscriptions begin with: a clock, a customer under it, plans, and the way through time."""

from typing import Any

from tests.infra import wait
from tests.simulator.conftest import Shop, Simulator

DAY = 86400
# Thursday, 1 January 2026, midnight UTC.
START = 1767225600


class Desk:
    """A shop with a test clock and a customer who stands under it."""

    def __init__(self, shop: Shop, simulator: Simulator) -> None:
        self.shop, self.simulator, self.v1 = shop, simulator, shop.v1
        self.clock = self.v1.test_helpers.test_clocks.create(params={"frozen_time": START})
        self.product = self.v1.products.create(params={"name": "Pro"})
        self._seen = 0

    def customer(self, card: str | None = "pm_card_visa", **more: Any) -> Any:
        given: dict[str, Any] = {"email": "jenny@example.com", "test_clock": self.clock.id} | more
        if card:
            given |= {"payment_method": card, "invoice_settings": {"default_payment_method": card}}
        return self.v1.customers.create(params=given)  # type: ignore[arg-type]

    def plan(self, amount: int = 2000, interval: str = "month", currency: str = "usd", **more: Any) -> str:
        recurring: Any = {"interval": interval} | more.pop("recurring", {})
        given: Any = {
            "product": self.product.id,
            "currency": currency,
            "unit_amount": amount,
            "recurring": recurring,
        }
        return self.v1.prices.create(params=given | more).id

    def subscribe(self, *prices: str, customer: Any = None, **more: Any) -> Any:
        owner = customer or self.customer()
        items: Any = [{"price": p} for p in prices or (self.plan(),)]
        return self.v1.subscriptions.create(params={"customer": owner.id, "items": items, **more})

    def update(self, sub: Any, **params: Any) -> Any:
        return self.v1.subscriptions.update(sub.id, params=params)  # type: ignore[arg-type]

    def switch(self, sub: Any, price: str, **params: Any) -> Any:
        """Another price for the first item."""
        return self.update(sub, items=[{"id": sub["items"].data[0].id, "price": price}], **params)

    def again(self, sub: Any, *expand: str) -> Any:
        return self.v1.subscriptions.retrieve(sub.id, params={"expand": list(expand)})

    def invoice(self, sub: Any) -> Any:
        """The latest invoice."""
        return self.v1.invoices.retrieve(self.again(sub).latest_invoice)

    def to(self, moment: int) -> None:
        """Move the clock there."""
        self.v1.test_helpers.test_clocks.advance(self.clock.id, params={"frozen_time": moment})
        wait.until(self._arrived, "the clock has arrived", seconds=30)

    def _arrived(self) -> bool:
        return self.v1.test_helpers.test_clocks.retrieve(self.clock.id).status == "ready"

    def events(self, *kinds: str) -> list[str]:
        """Types of the events since this was last asked, of these kinds (all, without any). Fees come a second of
        real time after their charge: `charge.updated` is left out."""
        found = self.shop.v1.events.list(params={"limit": 100}).data
        new = found[: len(found) - self._seen] if len(found) < 100 else found
        self._seen = len(found)
        types = [e.type for e in reversed(new) if e.type != "charge.updated"]
        return [t for t in types if not kinds or t.startswith(kinds)]

    def last(self, kind: str) -> Any:
        """The newest event of a type."""
        return self.v1.events.list(params={"type": kind, "limit": 1}).data[0]


def amounts(invoice: Any) -> list[int]:
    """The amounts of its lines."""
    return [line.amount for line in invoice.lines.data]


def span(sub: Any) -> tuple[int, int]:
    """The current period of the first item."""
    item = sub["items"].data[0]
    return item.current_period_start, item.current_period_end
