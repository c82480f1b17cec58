"""Credit notes: less to pay, or money back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.desk import Desk, refused


def _note(desk: Desk, invoice: Any, **params: Any) -> Any:
    return desk.v1.credit_notes.create(params={"invoice": invoice.id, **params})


def test_an_open_invoice_costs_less(desk: Desk) -> None:
    made = desk.open(desk.customer(), 2000)
    line = {"type": "custom_line_item", "unit_amount": 600, "quantity": 2, "description": "Late"}
    note = _note(desk, made, lines=[line], memo="Sorry", reason="order_change")
    assert (note.amount, note.type, note.pre_payment_amount, note.status) == (
        1200,
        "pre_payment",
        1200,
        "issued",
    )
    assert note.number == f"{made.number}-CN-01" and note.lines.data[0].amount == 1200
    now = desk.again(made, "payments.data.payment.payment_intent")
    assert (now.amount_due, now.amount_remaining, now.pre_payment_credit_notes_amount) == (800, 800, 1200)
    assert now.payments.data[0].payment.payment_intent.amount == 800
    changed = desk.v1.credit_notes.update(note.id, params={"memo": "Very sorry", "metadata": {"foo": "bar"}})
    assert changed.memo == "Very sorry"
    voided = desk.v1.credit_notes.void_credit_note(note.id)
    assert voided.status == "void" and voided.voided_at
    assert desk.again(made).amount_due == 2000
    assert [t for t in desk.types() if t.startswith("credit_note")] == [
        "credit_note.created", "credit_note.updated", "credit_note.voided",
    ]  # fmt: skip
    assert "already been voided" in str(refused(lambda: desk.v1.credit_notes.void_credit_note(note.id)))


def test_nothing_left_is_paid(desk: Desk) -> None:
    made = desk.open(desk.customer(), 2000)
    _note(desk, made, amount=2000)
    now = desk.again(made, "payments")
    assert (now.status, now.amount_paid, now.amount_due) == ("paid", 0, 0)
    assert now.payments.data[0].status == "canceled"


def test_a_paid_invoice_is_refunded_credited_and_settled_elsewhere(desk: Desk) -> None:
    customer = desk.customer()
    made = desk.paid(customer, 2000)
    line = {"type": "invoice_line_item", "invoice_line_item": made.lines.data[0].id, "amount": 1500}
    note = _note(desk, made, lines=[line], refund_amount=700, credit_amount=500, out_of_band_amount=300)
    assert (note.type, note.post_payment_amount, note.out_of_band_amount) == ("post_payment", 1500, 300)
    [given] = note.refunds
    refund = desk.v1.refunds.retrieve(given.refund)
    assert (refund.amount, given.amount_refunded, refund.status) == (700, 700, "succeeded")
    assert desk.balance(customer) == -500
    row = desk.v1.customers.balance_transactions.retrieve(customer.id, note.customer_balance_transaction)
    assert (row.type, row.credit_note, row.amount) == ("credit_note", note.id, -500)
    now = desk.again(made)
    assert (now.status, now.post_payment_credit_notes_amount, now.amount_paid) == ("paid", 1500, 2000)
    assert _note(desk, made, credit_amount=500).number.endswith("-CN-02")
    assert refused(lambda: _note(desk, made, credit_amount=1)).http_status == 400
    assert refused(lambda: desk.v1.credit_notes.void_credit_note(note.id)).http_status == 400


def test_a_note_for_more_than_is_left_to_pay_gives_the_rest_back(desk: Desk) -> None:
    customer = desk.customer()
    made = desk.open(customer, 2000)
    given: Any = {"amount": 1500, "currency": "usd", "customer": customer.id, "confirm": True}
    given |= {"payment_method": "pm_card_visa", "return_url": "http://127.0.0.1:9/back"}
    intent = desk.v1.payment_intents.create(params=given)
    desk.v1.invoices.attach_payment(made.id, params={"payment_intent": intent.id})
    note = _note(desk, made, amount=1200, refund_amount=700)
    assert (note.type, note.pre_payment_amount, note.post_payment_amount) == ("mixed", 500, 700)
    now = desk.again(made)
    assert (now.status, now.amount_due, now.amount_paid, now.amount_remaining) == ("paid", 1500, 1500, 0)
    assert (now.pre_payment_credit_notes_amount, now.post_payment_credit_notes_amount) == (500, 700)
    assert desk.v1.charges.retrieve(intent.latest_charge).amount_refunded == 700


def test_a_note_takes_its_share_of_discount_and_tax(desk: Desk) -> None:
    rate = desk.v1.tax_rates.create(params={"display_name": "VAT", "percentage": 20, "inclusive": False})
    coupon = desk.v1.coupons.create(params={"percent_off": 50})
    made = desk.paid(desk.customer(), 2000, default_tax_rates=[rate.id], discounts=[{"coupon": coupon.id}])
    assert made.total == 1200
    line = {"type": "invoice_line_item", "invoice_line_item": made.lines.data[0].id, "amount": 1000}
    note = _note(desk, made, lines=[line], credit_amount=600)
    assert (note.subtotal, note.discount_amount, note.total, note.total_excluding_tax) == (
        1000,
        500,
        600,
        500,
    )
    assert note.total_taxes[0].amount == 100


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({}, "amount"),
        ({"amount": 2001}, "amount"),
        ({"amount": -5}, "amount"),
        ({"lines": [{"type": "custom_line_item", "quantity": 1}]}, "lines[0][unit_amount]"),
        (
            {"lines": [{"type": "invoice_line_item", "invoice_line_item": "il_no"}]},
            "lines[0][invoice_line_item]",
        ),
        ({"amount": 100, "refund_amount": 100}, None),
    ],
)
def test_notes_that_are_refused(desk: Desk, params: dict[str, Any], param: str | None) -> None:
    made = desk.open(desk.customer(), 2000)
    error = refused(lambda: _note(desk, made, **params))
    assert (error.http_status, error.param) == (400, param)
    assert desk.v1.credit_notes.list().data == []


def test_no_notes_for_drafts_and_sums_have_to_fit(desk: Desk) -> None:
    customer = desk.customer()
    assert refused(lambda: _note(desk, desk.draft(customer, 2000), amount=5)).param == "invoice"
    error = refused(lambda: _note(desk, desk.paid(customer, 1000), amount=500, credit_amount=400))
    assert "must equal the post payment amount ($5.00)" in str(error)


def test_previews_and_lists(desk: Desk) -> None:
    made = desk.paid(desk.customer(), *range(1000, 1012))
    lines: Any = [
        {"type": "invoice_line_item", "invoice_line_item": x.id}
        for x in desk.v1.invoices.line_items.list(made.id, params={"limit": 100}).data
    ]
    asked: Any = {"invoice": made.id, "lines": lines, "credit_amount": made.total}
    shown = desk.v1.credit_notes.preview(params=asked)
    assert shown.total == made.total and desk.v1.credit_notes.list().data == []
    assert len(desk.v1.credit_notes.preview_lines.list(params=asked | {"limit": 100}).data) == 12
    note = desk.v1.credit_notes.create(params=asked)
    assert (
        note.lines.has_more
        and len(list(desk.v1.credit_notes.line_items.list(note.id).auto_paging_iter())) == 12
    )
    assert [n.id for n in desk.v1.credit_notes.list(params={"invoice": made.id}).data] == [note.id]
    assert desk.v1.credit_notes.retrieve(note.id).total == note.total
