"""What an invoice comes to: balance, small sums, discounts and tax."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.conftest import Simulator
from tests.simulator.desk import DAY, HOUR, Desk, refused

# ------------------------------------------------------------------------------------------ balance


@pytest.mark.parametrize(
    ("balance", "amounts", "due", "ending", "status"),
    [
        (0, [2000], 2000, 0, "open"),
        (-500, [2000], 1500, 0, "open"),
        (-5000, [2000], 0, -3000, "paid"),
        (700, [2000], 2700, 0, "open"),
        (0, [30], 0, 30, "paid"),
        (-1980, [2000], 0, 20, "paid"),
        (30, [30], 60, 0, "open"),
        (0, [-800], 0, -800, "paid"),
        (-200, [500, -800], 0, -500, "paid"),
        (0, [50], 50, 0, "open"),
        (0, [150_000_000], 99_999_999, 50_000_001, "open"),
    ],
)
def test_the_balance_pays_and_takes_what_is_too_small(
    desk: Desk, balance: int, amounts: list[int], due: int, ending: int, status: str
) -> None:
    customer = desk.customer(balance=balance)
    made = desk.draft(customer, *amounts)
    assert (made.amount_due, made.starting_balance, made.ending_balance) == (due, balance, None)
    done = desk.v1.invoices.finalize_invoice(made.id)
    assert (done.status, done.amount_due, done.ending_balance, done.total) == (
        status,
        due,
        ending,
        sum(amounts),
    )
    assert desk.balance(customer) == ending
    moved = desk.v1.customers.balance_transactions.list(customer.id).data
    assert sum(row.amount for row in moved) == ending
    assert [row.ending_balance for row in moved][:1] == ([ending] if moved else [])


def test_a_void_gives_the_balance_back(desk: Desk) -> None:
    customer = desk.customer(balance=-500)
    desk.v1.invoices.void_invoice(desk.open(customer, 2000).id)
    assert desk.balance(customer) == -500
    kinds = [row.type for row in desk.v1.customers.balance_transactions.list(customer.id).data]
    assert kinds == ["unapplied_from_invoice", "applied_to_invoice", "adjustment"]


def test_adjusting_a_balance(desk: Desk) -> None:
    customer = desk.customer()
    rows = desk.v1.customers.balance_transactions
    made = rows.create(customer.id, params={"amount": -500, "currency": "usd", "description": "Goodwill"})
    assert (made.type, made.ending_balance, made.description) == ("adjustment", -500, "Goodwill")
    changed = rows.update(customer.id, made.id, params={"metadata": {"a": "b"}})
    assert rows.retrieve(customer.id, made.id).metadata == changed.metadata
    other: Any = {"amount": 5, "currency": "eur"}
    assert refused(lambda: rows.create(customer.id, params=other)).param == "currency"
    desk.v1.customers.update(customer.id, params={"balance": 0})
    assert [row.amount for row in rows.list(customer.id).data] == [500, -500]


# ---------------------------------------------------------------------------------------- discounts


@pytest.mark.parametrize(
    ("coupon", "amounts", "off"),
    [
        ({"percent_off": 25}, [2000], [500]),
        ({"percent_off": 33.3}, [999, 1], [333, 0]),
        ({"amount_off": 500, "currency": "usd"}, [1000, 2000], [167, 333]),
        ({"amount_off": 5000, "currency": "usd"}, [2000], [2000]),
        ({"percent_off": 10}, [2000, -500], [200, 0]),
    ],
)
def test_a_discount_is_spread_over_the_lines(
    desk: Desk, coupon: dict[str, Any], amounts: list[int], off: list[int]
) -> None:
    found: Any = desk.v1.coupons.create(params=coupon)  # type: ignore[arg-type]
    made = desk.draft(desk.customer(), *amounts, discounts=[{"coupon": found.id}])
    lines = {line.amount: sum(d.amount for d in line.discount_amounts) for line in made.lines.data}
    assert lines == dict(zip(amounts, off, strict=True))
    assert made.total == sum(amounts) - sum(off) and made.subtotal == sum(amounts)
    assert [d.amount for d in made.total_discount_amounts] == [sum(off)]
    full = desk.again(made, "discounts", "total_discount_amounts.discount")
    assert (
        full.discounts[0].source.coupon == found.id == full.total_discount_amounts[0].discount.source.coupon
    )
    assert desk.v1.coupons.retrieve(found.id).times_redeemed == 1


def test_discounts_of_one_line_and_of_products(desk: Desk) -> None:
    customer, half = desk.customer(), desk.v1.coupons.create(params={"percent_off": 50})
    desk.item(customer, 1000, discounts=[{"coupon": half.id}])
    made = desk.draft(customer, 300)
    assert made.total == 800
    shirt = desk.shop.price(1000)
    only = desk.v1.coupons.create(
        params={"percent_off": 50, "applies_to": {"products": [str(shirt.product)]}}
    )
    other = desk.customer()
    desk.v1.invoice_items.create(params={"customer": other.id, "pricing": {"price": shirt.id}})
    assert desk.draft(other, 300, discounts=[{"coupon": only.id}]).total == 800


def test_a_discount_outlives_its_coupon(desk: Desk) -> None:
    coupon = desk.v1.coupons.create(params={"percent_off": 50})
    made = desk.draft(desk.customer(), 2000, discounts=[{"coupon": coupon.id}])
    desk.v1.coupons.delete(coupon.id)
    assert desk.v1.invoices.finalize_invoice(made.id).total == 1000


def test_coupons_that_cannot_be_used(desk: Desk) -> None:
    customer, v1 = desk.customer(), desk.v1
    once = v1.coupons.create(params={"percent_off": 50, "max_redemptions": 1})
    desk.draft(customer, 1000, discounts=[{"coupon": once.id}])
    error = refused(lambda: desk.draft(customer, 1000, discounts=[{"coupon": once.id}]))
    assert (error.code, error.param) == ("coupon_expired", "discounts[0][coupon]")
    euros = v1.coupons.create(params={"amount_off": 100, "currency": "eur"})
    assert (
        refused(lambda: desk.draft(customer, discounts=[{"coupon": euros.id}])).param
        == "discounts[0][coupon]"
    )
    plain = v1.coupons.create(params={"percent_off": 50})
    least: Any = {"minimum_amount": 5000, "minimum_amount_currency": "usd"}
    code = v1.promotion_codes.create(
        params={"promotion": {"type": "coupon", "coupon": plain.id}, "restrictions": least}
    )
    error = refused(lambda: desk.draft(customer, discounts=[{"promotion_code": code.id}]))
    assert error.param == "discounts[0][promotion_code]"
    made = desk.draft(customer, 6000, discounts=[{"promotion_code": code.id}])
    assert made.total == made.subtotal // 2
    first: Any = {"first_time_transaction": True}
    new = v1.promotion_codes.create(
        params={"promotion": {"type": "coupon", "coupon": plain.id}, "restrictions": first}
    )
    buyer = desk.customer()
    assert desk.draft(buyer, 1000, discounts=[{"promotion_code": new.id}]).total == 500
    desk.paid(buyer, 1000)
    assert refused(lambda: desk.draft(buyer, 1000, discounts=[{"promotion_code": new.id}])).http_status == 400


def _given(simulator: Simulator, path: str, **fields: str) -> Any:
    """A request as old scripts send it: without a version."""
    answer = simulator.api("POST", path, fields, version=None)
    assert answer.status == 200, answer.text
    return answer.json()


def test_a_customers_discount(desk: Desk, simulator: Simulator) -> None:
    v1 = desk.v1
    first = v1.coupons.create(params={"percent_off": 20, "duration": "forever"})
    second = v1.coupons.create(params={"percent_off": 10, "duration": "forever"})
    customer = _given(simulator, "/v1/customers", coupon=first.id)
    assert customer["discount"]["source"]["coupon"] == first.id
    held = v1.customers.retrieve(customer["id"])
    assert desk.draft(held, 1000).total == 800
    assert desk.draft(held, 1000, discounts="").total == 1000
    _given(simulator, f"/v1/customers/{held.id}", coupon=second.id)
    assert desk.draft(held, 1000).total == 900
    _given(simulator, f"/v1/customers/{held.id}", coupon="")
    assert v1.customers.retrieve(held.id).discount is None
    _given(simulator, f"/v1/customers/{held.id}", coupon=first.id)
    assert v1.customers.delete_discount(held.id).deleted
    assert refused(lambda: v1.customers.delete_discount(held.id)).http_status == 404
    told = [t for t in desk.types() if "discount" in t]
    assert [t.rpartition(".")[2] for t in told] == ["created", "updated", "deleted", "created", "deleted"]


@pytest.mark.parametrize(
    ("duration", "totals"), [({"duration": "once"}, [500, 1000, 1000]),
                             ({"duration": "repeating", "duration_in_months": 2}, [500, 500, 1000]),
                             ({"duration": "forever"}, [500, 500, 500])],
)  # fmt: skip
def test_how_long_a_discount_lasts(
    desk: Desk, simulator: Simulator, duration: dict[str, Any], totals: list[int]
) -> None:
    coupon = desk.v1.coupons.create(params={"percent_off": 50, **duration})  # type: ignore[typeddict-item]
    customer = desk.v1.customers.retrieve(_given(simulator, "/v1/customers", coupon=coupon.id)["id"])
    found = [desk.draft(customer, 1000).total]
    for _ in range(2):
        simulator.control("clock", advance=31 * DAY + HOUR)
        found.append(desk.draft(customer, 1000).total)
    assert found == totals


# ---------------------------------------------------------------------------------------------- tax


def _rate(desk: Desk, percentage: float, *, inclusive: bool = False) -> Any:
    return desk.v1.tax_rates.create(
        params={"display_name": "VAT", "percentage": percentage, "inclusive": inclusive}  # type: ignore[typeddict-item]
    )


@pytest.mark.parametrize(
    ("inclusive", "total", "tax", "net"), [(False, 1190, 190, 1000), (True, 1000, 160, 840)]
)
def test_tax_on_top_and_inside(desk: Desk, inclusive: bool, total: int, tax: int, net: int) -> None:
    rate = _rate(desk, 19, inclusive=inclusive)
    made = desk.draft(desk.customer(), 1000, default_tax_rates=[rate.id])
    assert (made.total, made.total_excluding_tax, made.subtotal) == (total, net, 1000)
    [found] = made.total_taxes
    assert (found.amount, found.taxable_amount, found.tax_behavior) == (
        tax, net, "inclusive" if inclusive else "exclusive",
    )  # fmt: skip
    assert found.tax_rate_details.tax_rate == rate.id == made.default_tax_rates[0].id
    assert made.lines.data[0].taxes[0].amount == tax


def test_a_discount_comes_before_tax_and_a_line_has_its_own_rate(desk: Desk) -> None:
    full, reduced = _rate(desk, 19), _rate(desk, 7)
    coupon = desk.v1.coupons.create(params={"percent_off": 50})
    customer = desk.customer()
    desk.item(customer, 1000, tax_rates=[reduced.id])
    made = desk.draft(customer, 2000, default_tax_rates=[full.id], discounts=[{"coupon": coupon.id}])
    taxes = {t.tax_rate_details.tax_rate: t.amount for t in made.total_taxes}
    assert taxes == {full.id: 190, reduced.id: 35}
    assert made.total == 1500 + 225


def test_who_is_exempt_pays_no_tax(desk: Desk) -> None:
    rate = _rate(desk, 19)
    made = desk.draft(desk.customer(tax_exempt="reverse"), 1000, default_tax_rates=[rate.id])
    assert (made.total, made.total_taxes[0].taxability_reason) == (1000, "reverse_charge")


def test_automatic_tax_wants_to_know_where_the_customer_is(desk: Desk, simulator: Simulator) -> None:
    v1 = desk.v1
    customer = desk.customer("pm_card_visa")
    made = desk.draft(customer, 1000, automatic_tax={"enabled": True})
    assert made.automatic_tax.status == "requires_location_inputs"
    assert refused(lambda: v1.invoices.finalize_invoice(made.id)).code == "customer_tax_location_invalid"
    waits = desk.draft(customer, 1000, automatic_tax={"enabled": True}, auto_advance=True)
    simulator.control("clock", advance=HOUR + 5)
    assert desk.again(waits).last_finalization_error.code == "customer_tax_location_invalid"
    assert "invoice.finalization_failed" in desk.types()
    v1.customers.update(customer.id, params={"address": {"country": "DE", "postal_code": "10115"}})
    done = v1.invoices.finalize_invoice(made.id)
    assert (done.automatic_tax.status, done.status) == ("complete", "open")
    assert done.customer_address.country == "DE"


# ----------------------------------------------------------------------------------------- previews


def test_a_preview_shows_and_stores_nothing(desk: Desk) -> None:
    v1, customer = desk.v1, desk.customer()
    error = refused(lambda: v1.invoices.create_preview(params={"customer": customer.id}))
    assert (error.code, error.http_status) == ("invoice_upcoming_none", 404)
    desk.item(customer, 2000)
    before, products = desk.types(), len(v1.products.list(params={"limit": 100}).data)
    coupon = v1.coupons.create(params={"percent_off": 50})
    more: Any = [{"amount": 500, "currency": "usd", "description": "Extra"}]
    shown = v1.invoices.create_preview(
        params={"customer": customer.id, "invoice_items": more, "discounts": [{"coupon": coupon.id}]}
    )
    assert shown.id.startswith("upcoming_in_") and (shown.total, shown.status) == (1250, "draft")
    assert [line.amount for line in shown.lines.data] == [500, 2000]
    assert desk.types() == before and v1.invoices.list().data == []
    assert len(v1.products.list(params={"limit": 100}).data) == products
    assert len(v1.invoice_items.list(params={"pending": True}).data) == 1
    assert v1.coupons.retrieve(coupon.id).times_redeemed == 0
    details: Any = {"address": {"country": "DE"}, "tax_exempt": "exempt"}
    nobody = v1.invoices.create_preview(params={"customer_details": details, "invoice_items": more})
    assert (nobody.customer, nobody.total, nobody.customer_address.country) == (None, 500, "DE")
    assert v1.customers.list().data[0].id == customer.id
