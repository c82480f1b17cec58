"""A customer and the calls that bill them, for the tests of invoices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import stripe

if TYPE_CHECKING:
    from tests.simulator.conftest import Shop

HOUR, DAY = 3600, 86400


class Desk:
    """The few calls every test of an invoice begins with."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.v1 = shop, shop.v1

    def customer(self, card: str | None = None, **more: Any) -> Any:
        made = self.v1.customers.create(params={"name": "Jenny Rosen", "email": "jenny@example.com", **more})
        if card:
            method = self.v1.payment_methods.attach(card, params={"customer": made.id})
            settings = {"default_payment_method": method.id}
            self.v1.customers.update(made.id, params={"invoice_settings": settings})  # type: ignore[typeddict-item]
        return made

    def item(self, customer: Any, amount: int = 2000, currency: str = "usd", **more: Any) -> Any:
        given: Any = {"customer": customer.id, "amount": amount, "currency": currency, "description": "Work"}
        return self.v1.invoice_items.create(params=given | more)

    def draft(self, customer: Any, *amounts: int, currency: str = "usd", **more: Any) -> Any:
        for amount in amounts:
            self.item(customer, amount, currency)
        given: Any = {"customer": customer.id, "pending_invoice_items_behavior": "include"}
        return self.v1.invoices.create(params=given | more)

    def open(self, customer: Any, *amounts: int, **more: Any) -> Any:
        return self.v1.invoices.finalize_invoice(self.draft(customer, *amounts, **more).id)

    def paid(self, customer: Any, *amounts: int, **more: Any) -> Any:
        made = self.draft(customer, *amounts, **more)
        return self.v1.invoices.pay(made.id, params={"payment_method": "pm_card_visa"})

    def again(self, invoice: Any, *expand: str) -> Any:
        return self.v1.invoices.retrieve(invoice.id, params={"expand": list(expand)})

    def balance(self, customer: Any) -> int:
        found: int = self.v1.customers.retrieve(customer.id).balance or 0
        return found

    def types(self, after: int = 0) -> list[str]:
        """Event types, oldest first, from the `after`-th on."""
        return self.shop.events()[after:]


def refused(call: Callable[[], Any]) -> Any:
    """The error a call ends with."""
    with pytest.raises(stripe.StripeError) as caught:
        call()
    return caught.value
