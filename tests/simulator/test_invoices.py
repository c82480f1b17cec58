"""Invoices from draft to their end, as the SDK sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from tests.infra import wait
from tests.simulator.conftest import Listener, Simulator
from tests.simulator.desk import DAY, HOUR, Desk, refused

# -------------------------------------------------------------------------------------------- drafts


def test_a_draft_takes_no_pending_items_unless_told(desk: Desk) -> None:
    customer = desk.customer()
    item = desk.item(customer)
    empty = desk.v1.invoices.create(params={"customer": customer.id})
    assert (empty.status, empty.total, empty.lines.data, empty.auto_advance) == ("draft", 0, [], False)
    assert (empty.number, empty.effective_at, empty.ending_balance) == (None, None, None)
    assert empty.period_start == empty.period_end == empty.created
    full = desk.draft(customer, 500)
    assert [line.amount for line in full.lines.data] == [500, 2000]
    assert (full.subtotal, full.total, full.amount_due, full.billing_reason) == (2500, 2500, 2500, "manual")
    assert desk.v1.invoice_items.retrieve(item.id).invoice == full.id
    assert desk.v1.invoice_items.list(params={"pending": True, "customer": customer.id}).data == []


def test_a_line_names_its_item_and_its_price(desk: Desk) -> None:
    item = desk.item(customer := desk.customer(), metadata={"job": "7"})
    line = desk.draft(customer).lines.data[0]
    assert line.parent.type == "invoice_item_details"
    assert line.parent.invoice_item_details.invoice_item == item.id
    assert line.pricing.price_details.price == item.pricing.price_details.price
    assert (line.quantity, line.description, line.metadata.to_dict()) == (1, "Work", {"job": "7"})
    assert "created" not in item and item.date and "price" not in line


def test_items_by_price_quantity_and_unit_amount(desk: Desk) -> None:
    customer, price = desk.customer(), desk.shop.price(1250)
    three = desk.v1.invoice_items.create(
        params={"customer": customer.id, "pricing": {"price": price.id}, "quantity": 3}
    )
    assert (three.amount, three.quantity, three.pricing.price_details.price) == (3750, 3, price.id)
    data = {"currency": "usd", "product": price.product, "unit_amount": 99}
    inline = desk.v1.invoice_items.create(params={"customer": customer.id, "price_data": data, "quantity": 2})
    assert inline.amount == 198
    unit = desk.v1.invoice_items.create(
        params={"customer": customer.id, "currency": "usd", "unit_amount_decimal": "0.5", "quantity": 3}
    )
    assert unit.amount == 2
    recurring = desk.shop.price(500, recurring={"interval": "month"})
    given = {"customer": customer.id, "pricing": {"price": recurring.id}}
    error = refused(lambda: desk.v1.invoice_items.create(params=given))
    assert "only accepts prices with `type=one_time`" in str(error)


@pytest.mark.parametrize(
    "given",
    [
        {"amount": 10**17},
        {"unit_amount_decimal": "1e19", "quantity": 10**17},
        {"price_data": {"currency": "usd", "unit_amount_decimal": "1e19"}},
        {"unit_amount_decimal": "1", "quantity": 10**17},
    ],
)
def test_numbers_no_invoice_can_hold(desk: Desk, given: Any) -> None:
    if "price_data" in given:
        given = {"price_data": given["price_data"] | {"product": desk.shop.price(5).product}}
    error = refused(lambda: desk.v1.invoice_items.create(params=given | {"customer": desk.customer().id}))
    assert (error.http_status, error.code) == (400, "amount_too_large")


def test_prices_without_a_unit_amount_are_refused(desk: Desk) -> None:
    given: Any = {
        "product": desk.shop.price(5).product,
        "currency": "usd",
        "custom_unit_amount": {"enabled": True},
    }
    price = desk.v1.prices.create(params=given)
    asked: Any = {"customer": desk.customer().id, "pricing": {"price": price.id}}
    assert refused(lambda: desk.v1.invoice_items.create(params=asked)).http_status == 400


def test_the_hour_of_a_draft(desk: Desk) -> None:
    made = desk.draft(desk.customer(), 2000, auto_advance=True)
    assert made.automatically_finalizes_at == made.created + 3601
    assert made.next_payment_attempt == made.created + 3600
    off = desk.v1.invoices.update(made.id, params={"auto_advance": False})
    assert (off.automatically_finalizes_at, off.next_payment_attempt) == (None, None)
    on = desk.v1.invoices.update(made.id, params={"auto_advance": True})
    assert on.automatically_finalizes_at == made.created + 3601
    sent = desk.draft(
        desk.customer(), 5, collection_method="send_invoice", days_until_due=7, auto_advance=True
    )
    assert (sent.next_payment_attempt, sent.due_date) == (None, sent.created + 7 * DAY)


def test_a_draft_that_advances_is_finalized_and_paid_after_an_hour(desk: Desk, simulator: Simulator) -> None:
    made = desk.draft(desk.customer("pm_card_visa"), 2000, auto_advance=True)
    seen = len(desk.types())
    simulator.control("clock", advance=HOUR - 5)
    assert desk.again(made).status == "draft"
    simulator.control("clock", advance=10)
    paid = desk.again(made, "payments.data.payment.payment_intent")
    assert (paid.status, paid.amount_paid, paid.attempt_count, paid.next_payment_attempt) == (
        "paid",
        2000,
        1,
        None,
    )
    assert paid.payments.data[0].payment.payment_intent.status == "succeeded"
    assert desk.types(seen)[:8] == [
        "payment_intent.created", "invoice.finalized", "charge.succeeded", "payment_intent.succeeded",
        "invoice.updated", "invoice.paid", "invoice.payment_succeeded", "invoice_payment.paid",
    ]  # fmt: skip


def _held_draft(desk: Desk, simulator: Simulator, listener: Listener, failures: int) -> Any:
    """A draft whose creation an endpoint has refused once already."""
    desk.v1.webhook_endpoints.create(params={"url": listener.url, "enabled_events": ["invoice.created"]})
    customer = desk.customer("pm_card_visa")
    listener.answers = [500] * failures
    made = desk.draft(customer, 2000, auto_advance=True)
    wait.until(
        lambda: [d["tries"] for d in simulator.look("deliveries")["deliveries"]] == [1], "a failed attempt"
    )
    return made


def test_an_endpoint_that_is_down_holds_a_draft_for_three_days(
    desk: Desk, simulator: Simulator, listener: Listener
) -> None:
    made = _held_draft(desk, simulator, listener, 100)
    simulator.control("clock", advance=70 * HOUR)
    held = desk.again(made)
    assert held.status == "draft" and held.automatically_finalizes_at > made.automatically_finalizes_at
    simulator.control("clock", advance=4 * HOUR)
    assert desk.again(made).status == "paid"


def test_a_held_draft_goes_on_when_the_endpoint_is_back(
    desk: Desk, simulator: Simulator, listener: Listener
) -> None:
    made = _held_draft(desk, simulator, listener, 1)
    simulator.control("clock", advance=100)
    wait.until(
        lambda: [d["state"] for d in simulator.look("deliveries")["deliveries"]] == ["delivered"], "delivery"
    )
    simulator.control("clock", advance=2 * HOUR)
    assert desk.again(made).status == "paid"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"collection_method": "send_invoice"}, "you must specify 'due_date' or 'days_until_due'."),
        ({"collection_method": "send_invoice", "days_until_due": 10**17}, "must be between 0 and 3650"),
        ({"days_until_due": 3}, "You can only specify 'due_date' or 'days_until_due' if"),
        ({"discounts": [{"coupon": "nope"}]}, "No such coupon: 'nope'"),
        ({"default_tax_rates": ["txr_no"]}, "No such tax rate: 'txr_no'"),
        ({"customer": "cus_no"}, "No such customer: 'cus_no'"),
    ],
)
def test_drafts_that_are_refused(desk: Desk, given: dict[str, Any], sentence: str) -> None:
    customer = desk.customer()
    error = refused(lambda: desk.v1.invoices.create(params={"customer": customer.id, **given}))
    assert error.http_status == 400 and sentence in str(error)


# ------------------------------------------------------------------------------------- finalizing


def test_finalizing_numbers_an_invoice_and_charges_nothing(desk: Desk) -> None:
    customer = desk.customer("pm_card_visa")
    first, second = desk.open(customer, 2000), desk.open(customer, 700)
    prefix = desk.v1.customers.retrieve(customer.id).invoice_prefix
    assert (first.number, second.number) == (f"{prefix}-0001", f"{prefix}-0002")
    assert (first.status, first.attempted, first.attempt_count, first.amount_remaining) == (
        "open",
        False,
        0,
        2000,
    )
    assert first.hosted_invoice_url and first.invoice_pdf
    assert first.effective_at == first.status_transitions.finalized_at
    assert "payments" not in first and "confirmation_secret" not in first
    full = desk.again(first, "payments", "confirmation_secret")
    payment = full.payments.data[0]
    assert (payment.status, payment.amount_requested, payment.is_default) == ("open", 2000, True)
    assert full.confirmation_secret.client_secret.startswith(payment.payment.payment_intent)
    found = desk.v1.invoice_payments.list(
        params={"payment": {"type": "payment_intent", "payment_intent": payment.payment.payment_intent}}
    )
    assert [p.invoice for p in found.data] == [first.id]


def test_finalized_by_hand_with_auto_advance_is_charged_an_hour_later(
    desk: Desk, simulator: Simulator
) -> None:
    made = desk.draft(desk.customer("pm_card_visa"), 2000)
    opened = desk.v1.invoices.finalize_invoice(made.id, params={"auto_advance": True})
    assert (opened.status, opened.next_payment_attempt, opened.automatically_finalizes_at) == (
        "open",
        None,
        None,
    )
    simulator.control("clock", advance=HOUR + 5)
    assert desk.again(made).status == "paid"


def test_nothing_due_is_paid_at_once(desk: Desk) -> None:
    free = desk.open(desk.customer())
    assert (free.status, free.attempted, free.attempt_count) == ("paid", True, 0)
    assert desk.again(free, "payments").payments.data == []


def test_the_client_can_confirm_the_intent(desk: Desk) -> None:
    made = desk.again(desk.open(desk.customer(), 2000), "payments")
    intent = made.payments.data[0].payment.payment_intent
    desk.v1.payment_intents.confirm(intent, params={"payment_method": "pm_card_visa"})
    assert desk.again(made).status == "paid"


def test_an_intent_that_was_canceled_is_replaced(desk: Desk) -> None:
    made = desk.again(desk.open(desk.customer(), 2000), "payments")
    desk.v1.payment_intents.cancel(made.payments.data[0].payment.payment_intent)
    paid = desk.v1.invoices.pay(made.id, params={"payment_method": "pm_card_visa", "expand": ["payments"]})
    assert paid.status == "paid" and [p.status for p in paid.payments.data] == ["paid", "canceled"]


def test_what_is_not_simulated_is_refused(desk: Desk) -> None:
    given: Any = {"customer": desk.customer().id, "shipping_cost": {"shipping_rate": "shr_1"}}
    assert refused(lambda: desk.v1.invoices.create(params=given)).param == "shipping_cost"


def test_a_finalized_invoice_is_frozen(desk: Desk) -> None:
    made = desk.open(desk.customer(), 2000)
    v1 = desk.v1.invoices
    assert v1.update(made.id, params={"metadata": {"a": "b"}}).metadata["a"] == "b"
    table: list[tuple[Callable[[], Any], str, str | None]] = [
        (lambda: v1.finalize_invoice(made.id), "This invoice is already finalized, you can't re-finalize", None),
        (lambda: v1.update(made.id, params={"description": "x"}), "Finalized invoices can't be updated in this way",
         "description"),
        (lambda: v1.delete(made.id), "You can only delete draft invoices.", None),
        (lambda: v1.add_lines(made.id, params={"lines": [{"amount": 5}]}), "This invoice is no longer editable",
         "invoice"),
    ]  # fmt: skip
    for call, sentence, param in table:
        error = refused(call)
        assert (error.http_status, getattr(error, "param", None)) == (400, param)
        assert sentence in str(error)


# ------------------------------------------------------------------------------------------- paying


def test_paying_a_draft_finalizes_it(desk: Desk) -> None:
    made = desk.draft(desk.customer("pm_card_visa"), 2000)
    paid = desk.v1.invoices.pay(made.id)
    assert (paid.status, paid.amount_paid, paid.attempt_count, paid.amount_remaining) == ("paid", 2000, 1, 0)
    times = paid.status_transitions
    assert times.paid_at and times.finalized_at == paid.effective_at
    error = refused(lambda: desk.v1.invoices.pay(made.id))
    assert "Invoice is already paid" in str(error) and error.http_status == 400


def test_a_decline_is_a_402_that_leaves_the_invoice_open(desk: Desk) -> None:
    made = desk.open(desk.customer("pm_card_chargeCustomerFail"), 2000)
    seen = len(desk.types())
    error = refused(lambda: desk.v1.invoices.pay(made.id))
    assert isinstance(error, stripe.CardError) and error.code == "card_declined"
    again = desk.again(made)
    assert (again.status, again.attempted, again.attempt_count, again.next_payment_attempt) == (
        "open",
        True,
        1,
        None,
    )
    assert desk.types(seen) == [
        "charge.failed", "payment_intent.payment_failed", "invoice.payment_failed", "invoice.updated",
    ]  # fmt: skip
    assert desk.v1.invoices.pay(made.id, params={"payment_method": "pm_card_visa"}).status == "paid"


def test_authentication_is_asked_for(desk: Desk, simulator: Simulator) -> None:
    made = desk.open(desk.customer("pm_card_threeDSecure2Required"), 2000)
    seen = len(desk.types())
    error = refused(lambda: desk.v1.invoices.pay(made.id))
    assert (error.http_status, error.code) == (402, "invoice_payment_intent_requires_action")
    assert error.error.payment_intent.status == "requires_action"
    assert {"invoice.payment_action_required", "invoice.payment_failed"} <= set(desk.types(seen))
    simulator.ask("POST", f"/c/3ds/{error.error.payment_intent.id}", {"answer": "approve"})
    paid = desk.again(made)
    assert (paid.status, paid.attempt_count) == ("paid", 1)


def test_no_method_no_payment(desk: Desk) -> None:
    error = refused(lambda: desk.v1.invoices.pay(desk.open(desk.customer(), 2000).id))
    assert "default_payment_method" in str(error)


def test_an_old_cards_source_is_charged_when_there_is_nothing_else(desk: Desk) -> None:
    customer = desk.customer(source="tok_visa")
    paid = desk.v1.invoices.pay(
        desk.draft(customer, 2000).id, params={"expand": ["payments.data.payment.payment_intent"]}
    )
    assert paid.payments.data[0].payment.payment_intent.payment_method == customer.default_source


def test_paid_out_of_band_cancels_the_intent(desk: Desk) -> None:
    made = desk.open(desk.customer(), 2000)
    paid = desk.v1.invoices.pay(made.id, params={"paid_out_of_band": True})
    assert (paid.status, paid.attempted, paid.amount_paid) == ("paid", False, 2000)
    full = desk.again(paid, "payments.data.payment.payment_intent")
    assert full.payments.data[0].status == "canceled"
    assert full.payments.data[0].payment.payment_intent.status == "canceled"


@pytest.mark.parametrize(
    ("sums", "paid", "over", "status"),
    [
        ([2000], 2000, 0, "paid"),
        ([500], 500, 0, "open"),
        ([500, 1500], 2000, 0, "paid"),
        ([2500], 2500, 500, "paid"),
    ],
)
def test_payments_made_elsewhere_can_be_attached(
    desk: Desk, sums: list[int], paid: int, over: int, status: str
) -> None:
    customer = desk.customer()
    made = desk.open(customer, 2000)
    for amount in sums:
        given: Any = {"amount": amount, "currency": "usd", "customer": customer.id, "confirm": True}
        given |= {"payment_method": "pm_card_visa", "return_url": "http://127.0.0.1:9/back"}
        intent = desk.v1.payment_intents.create(params=given)
        desk.v1.invoices.attach_payment(made.id, params={"payment_intent": intent.id})
    now = desk.again(made, "payments.data.payment.payment_intent")
    assert (now.status, now.amount_paid, now.amount_overpaid) == (status, paid, over)
    assert now.amount_remaining == max(0, 2000 - paid)
    assert desk.balance(customer) == -over
    default = next(p for p in now.payments.data if p.is_default)
    assert default.status == ("open" if status == "open" else "canceled")
    assert default.payment.payment_intent.amount == 2000 - (paid if status == "open" else sum(sums[:-1]))
    assert ("invoice.overpaid" in desk.types()) == bool(over)
    assert desk.types().count("invoice_payment.paid") == len(sums)


def test_a_failed_collection_makes_a_customer_delinquent_until_they_pay(
    desk: Desk, simulator: Simulator
) -> None:
    customer = desk.customer("pm_card_chargeCustomerFail")
    made = desk.draft(customer, 2000, auto_advance=True)
    simulator.control("clock", advance=HOUR + 5)
    assert desk.v1.customers.retrieve(customer.id).delinquent is True
    desk.v1.invoices.pay(made.id, params={"payment_method": "pm_card_visa"})
    assert desk.v1.customers.retrieve(customer.id).delinquent is False


def test_eight_retries_in_two_weeks(desk: Desk, simulator: Simulator) -> None:
    made = desk.draft(desk.customer("pm_card_chargeCustomerFail"), 2000, auto_advance=True)
    simulator.control("clock", advance=HOUR + 5)
    first = desk.again(made)
    assert first.attempt_count == 1 and first.next_payment_attempt > first.status_transitions.finalized_at
    simulator.control("clock", advance=14 * DAY + HOUR)
    last = desk.again(made)
    assert (last.status, last.attempt_count, last.next_payment_attempt) == ("open", 9, None)
    assert desk.types().count("invoice.payment_failed") == 9


# ------------------------------------------------------------------------------------------- ending


def test_void_and_uncollectible(desk: Desk) -> None:
    v1 = desk.v1.invoices
    made = desk.open(desk.customer(), 2000)
    written = v1.mark_uncollectible(made.id)
    assert (written.status, written.amount_remaining) == ("uncollectible", 2000)
    assert "already been marked uncollectible" in str(refused(lambda: v1.mark_uncollectible(made.id)))
    voided = v1.void_invoice(made.id)
    assert voided.status == "void" and voided.status_transitions.voided_at
    assert "This invoice isn't open." in str(refused(lambda: v1.void_invoice(made.id)))
    assert "can no longer be paid" in str(refused(lambda: v1.pay(made.id)))
    draft = desk.draft(desk.customer(), 300)
    assert "This invoice isn't open." in str(refused(lambda: v1.void_invoice(draft.id)))
    paid = v1.pay(desk.draft(desk.customer("pm_card_visa"), 2000).id)
    assert "Invoices with `paid` payments cannot be voided." in str(refused(lambda: v1.void_invoice(paid.id)))
    assert {"invoice.marked_uncollectible", "invoice.voided", "payment_intent.canceled"} <= set(desk.types())


def test_deleting_a_draft_keeps_its_items_from_other_invoices(desk: Desk) -> None:
    customer = desk.customer()
    made = desk.draft(customer, 2000)
    item = made.lines.data[0].parent.invoice_item_details.invoice_item
    assert desk.v1.invoices.delete(made.id).deleted
    assert desk.v1.invoice_items.list(params={"pending": True}).data == []
    assert "no longer editable" in str(refused(lambda: desk.v1.invoice_items.delete(item)))
    assert "has been deleted" in str(
        refused(lambda: desk.v1.invoice_items.update(item, params={"description": "x"}))
    )


def test_sending(desk: Desk, simulator: Simulator) -> None:
    made = desk.draft(desk.customer(), 2000, collection_method="send_invoice", days_until_due=8)
    sent = desk.v1.invoices.send_invoice(made.id)
    assert sent.status == "open" and "invoice.sent" in desk.types()
    simulator.control("clock", advance=DAY + 5)
    assert desk.types()[-1] == "invoice.will_be_due"
    simulator.control("clock", advance=7 * DAY)
    assert "invoice.overdue" in desk.types()
    desk.v1.invoices.pay(made.id, params={"payment_method": "pm_card_visa"})
    charged = desk.open(desk.customer(), 2000)
    assert "if its collection method is 'send_invoice'" in str(
        refused(lambda: desk.v1.invoices.send_invoice(charged.id))
    )
    assert "cannot be sent right now" in str(refused(lambda: desk.v1.invoices.send_invoice(made.id)))


# ------------------------------------------------------------------------------------ lines, lists


def test_changing_the_lines_of_a_draft(desk: Desk) -> None:
    v1 = desk.v1.invoices
    made = desk.draft(desk.customer(), 2000)
    old = made.lines.data[0].id
    more = v1.add_lines(made.id, params={"lines": [{"amount": 500, "description": "Extra"}]})
    assert [x.amount for x in more.lines.data] == [500, 2000] and more.total == 2500
    line = v1.line_items.update(made.id, old, params={"amount": 1800})
    assert (line.object, line.amount) == ("line_item", 1800)
    assert desk.again(made).total == 2300
    many = v1.update_lines(made.id, params={"lines": [{"id": old, "quantity": 2}]})
    assert many.total == 4100
    missing = refused(lambda: v1.remove_lines(made.id, params={"lines": [{"id": old}]}))
    assert (missing.code, missing.param) == ("parameter_missing", "lines[0][behavior]")
    left = v1.remove_lines(made.id, params={"lines": [{"id": old, "behavior": "unassign"}]})
    assert left.total == 500
    assert len(desk.v1.invoice_items.list(params={"pending": True}).data) == 1
    both = {"lines": [{"amount": 5, "quantity": 2}]}
    assert refused(lambda: v1.add_lines(made.id, params=both)).param == "lines[0][amount]"


def test_more_than_ten_lines_are_paged(desk: Desk) -> None:
    made = desk.draft(desk.customer(), *range(100, 112))
    assert made.lines.has_more and len(made.lines.data) == 10 and made.total == sum(range(100, 112))
    assert len(list(desk.v1.invoices.line_items.list(made.id).auto_paging_iter())) == 12


def test_lists_filter(desk: Desk) -> None:
    one, two = desk.customer(), desk.customer()
    paid = desk.v1.invoices.pay(desk.draft(one, 2000).id, params={"payment_method": "pm_card_visa"})
    draft = desk.draft(two, 300)
    found = {
        "customer": desk.v1.invoices.list(params={"customer": one.id}),
        "status": desk.v1.invoices.list(params={"status": "draft"}),
    }
    assert [x.id for x in found["customer"].data] == [paid.id]
    assert [x.id for x in found["status"].data] == [draft.id]
    payments = desk.v1.invoice_payments.list(params={"invoice": paid.id, "status": "paid"})
    assert [p.amount_paid for p in payments.data] == [2000]
    assert desk.v1.invoice_payments.retrieve(payments.data[0].id).invoice == paid.id
