"""Disputes from the test cards to their end, early fraud warnings, reviews; and the money behind them."""

import pytest
import stripe

from tests.simulator.test_payments import check_balance, pay, settled

DAY = 86_400


def disputed(shop, method="pm_card_createDispute", amount=2000, **more):
    intent = pay(shop, method, amount, **more)
    return shop.v1.disputes.list(params={"payment_intent": intent.id}).data[0]


def later(shop, seconds=2):
    shop.simulator.control("clock", advance=seconds)


def test_withdrawn_in_the_recorded_order(shop):
    dispute = disputed(shop)
    assert shop.events()[:5] == [
        "payment_intent.created",
        "charge.succeeded",
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "payment_intent.succeeded",
    ]
    assert dispute.id.startswith("du_")
    assert (dispute.status, dispute.reason, dispute.is_charge_refundable) == (
        "needs_response",
        "fraudulent",
        False,
    )
    assert [(r.amount, r.fee, r.net, r.type) for r in dispute.balance_transactions] == [
        (-2000, 1500, -3500, "adjustment")
    ]
    assert shop.v1.charges.retrieve(dispute.charge).disputed
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.v1.refunds.create(params={"charge": dispute.charge})
    assert caught.value.code == "charge_disputed"
    check_balance(shop)


@pytest.mark.parametrize(
    ("text", "status", "ending", "nets"),
    [
        (
            "winning_evidence",
            "won",
            ["charge.dispute.funds_reinstated", "charge.dispute.closed"],
            [-3500, 3500],
        ),
        ("losing_evidence", "lost", ["charge.dispute.closed"], [-3500]),
    ],
)
def test_decided_by_the_evidence(shop, text, status, ending, nets):
    dispute = disputed(shop)
    settled(shop, shop.v1.payment_intents.retrieve(dispute.payment_intent))
    drafted = shop.v1.disputes.update(
        dispute.id,
        params={"evidence": {"customer_name": "Jenny", "uncategorized_text": text}, "submit": False},
    )
    assert (drafted.status, drafted.evidence_details.has_evidence) == ("needs_response", True)
    assert drafted.evidence_details.submission_count == 0
    sent = shop.v1.disputes.update(dispute.id, params={"submit": True})
    assert (sent.status, sent.evidence_details.submission_count) == ("under_review", 1)
    with pytest.raises(stripe.InvalidRequestError, match="already been submitted"):
        shop.v1.disputes.update(dispute.id, params={"evidence": {"customer_name": "A"}})
    later(shop)
    done = shop.v1.disputes.retrieve(dispute.id)
    assert (done.status, [r.net for r in done.balance_transactions]) == (status, nets)
    assert shop.events()[-len(ending) :] == ending
    assert [e for e in shop.events() if e == "charge.dispute.updated"] == ["charge.dispute.updated"] * 2
    for change in ({"submit": True}, {"evidence": {"customer_name": "B"}}):
        with pytest.raises(stripe.InvalidRequestError, match="already closed"):
            shop.v1.disputes.update(dispute.id, params=change)
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        shop.v1.disputes.close(dispute.id)
    check_balance(shop)


def test_an_inquiry_moves_no_money_until_it_escalates(shop):
    dispute = disputed(shop, "pm_card_createDisputeInquiry")
    assert (dispute.status, dispute.is_charge_refundable) == ("warning_needs_response", True)
    assert dispute.balance_transactions == []
    assert dispute.payment_method_details.card.case_type == "inquiry"
    part = shop.v1.refunds.create(params={"charge": dispute.charge, "amount": 500})
    assert part.status == "succeeded"
    shop.v1.disputes.update(
        dispute.id, params={"evidence": {"uncategorized_text": "escalate_inquiry_evidence"}}
    )
    assert shop.v1.disputes.retrieve(dispute.id).status == "warning_under_review"
    later(shop)
    raised = shop.v1.disputes.retrieve(dispute.id)
    assert (raised.status, raised.amount) == ("needs_response", 1500)
    assert raised.payment_method_details.card.case_type == "chargeback"
    assert shop.events()[-2:] == ["charge.dispute.updated", "charge.dispute.funds_withdrawn"]
    assert shop.v1.disputes.close(dispute.id).status == "lost"
    check_balance(shop)


@pytest.mark.parametrize("text", ["winning_evidence", "losing_evidence"])
def test_an_inquiry_ends(shop, text):
    dispute = disputed(shop, "pm_card_createDisputeInquiry")
    shop.v1.disputes.update(dispute.id, params={"evidence": {"uncategorized_text": text}})
    later(shop)
    done = shop.v1.disputes.retrieve(dispute.id)
    assert (done.status, done.balance_transactions) == ("warning_closed", [])
    assert disputed(shop, "pm_card_createDisputeInquiry").status == "warning_needs_response"


def test_deadlines(shop):
    dispute, inquiry = disputed(shop), disputed(shop, "pm_card_createDisputeInquiry")
    assert dispute.evidence_details.due_by - dispute.created == 9 * DAY
    later(shop, 8 * DAY)
    assert shop.v1.disputes.retrieve(dispute.id).status == "needs_response"
    later(shop, 2 * DAY)
    assert shop.v1.disputes.retrieve(dispute.id).status == "lost"
    assert shop.v1.disputes.retrieve(inquiry.id).status == "warning_needs_response"
    later(shop, 111 * DAY)
    assert shop.v1.disputes.retrieve(inquiry.id).status == "warning_closed"
    check_balance(shop)


def test_disputed_more_than_once(shop):
    intent = pay(shop, "pm_card_createMultipleDisputes", 2001)
    found = shop.v1.disputes.list(params={"payment_intent": intent.id}).data
    assert sorted(d.amount for d in found) == [1000, 1001]
    assert disputed(shop, "pm_card_createDisputeProductNotReceived").reason == "product_not_received"
    check_balance(shop)


def test_notes_and_bounds_of_evidence(shop):
    dispute = disputed(shop)
    noted = shop.v1.disputes.update(dispute.id, params={"metadata": {"a": "1"}})
    assert (noted.status, noted.metadata["a"]) == ("needs_response", "1")
    with pytest.raises(stripe.InvalidRequestError, match="combined character count"):
        shop.v1.disputes.update(dispute.id, params={"evidence": {"uncategorized_text": "x" * 150_001}})
    assert shop.v1.disputes.close(dispute.id).status == "lost"


def test_early_fraud_warning(shop):
    intent = pay(shop, "pm_card_createIssuerFraudRecord")
    warning = shop.v1.radar.early_fraud_warnings.list(params={"payment_intent": intent.id}).data[0]
    assert (warning.actionable, warning.charge) == (True, intent.latest_charge)
    assert shop.events()[1:4] == [
        "charge.succeeded",
        "radar.early_fraud_warning.created",
        "payment_intent.succeeded",
    ]
    shop.v1.refunds.create(params={"payment_intent": intent.id, "reason": "fraudulent"})
    assert not shop.v1.radar.early_fraud_warnings.retrieve(warning.id).actionable
    assert shop.events()[-1] == "radar.early_fraud_warning.updated"
    check_balance(shop)


def test_reviews(shop):
    first, second, third = (pay(shop, "pm_card_riskLevelElevated") for _ in range(3))
    charge = shop.v1.charges.retrieve(first.latest_charge, params={"expand": ["review"]})
    assert (charge.outcome.type, charge.outcome.risk_level) == ("manual_review", "elevated")
    assert (charge.review.open, charge.review.opened_reason) == (True, "rule")
    approved = shop.v1.reviews.approve(charge.review.id)
    assert (approved.open, approved.closed_reason, approved.reason) == (False, "approved", "approved")
    with pytest.raises(stripe.InvalidRequestError, match="already been closed"):
        shop.v1.reviews.approve(charge.review.id)
    shop.v1.refunds.create(params={"payment_intent": second.id, "amount": 1})
    assert shop.v1.reviews.retrieve(second.review).open
    shop.v1.refunds.create(params={"payment_intent": second.id})
    assert shop.v1.reviews.retrieve(second.review).closed_reason == "refunded"
    shop.v1.refunds.create(params={"payment_intent": third.id, "reason": "fraudulent"})
    assert shop.v1.reviews.retrieve(third.review).closed_reason == "refunded_as_fraud"
    assert len(shop.v1.reviews.list().data) == 3
    kinds = [e for e in shop.events() if e.startswith("review")]
    assert sorted(kinds) == ["review.closed"] * 3 + ["review.opened"] * 3


def test_blocked_before_it_reached_the_bank(shop):
    with pytest.raises(stripe.CardError) as caught:
        pay(shop, "pm_card_radarBlock")
    charge = shop.v1.charges.retrieve(caught.value.error.charge)
    assert (charge.outcome.type, charge.outcome.risk_level) == ("blocked", "highest")
    assert charge.outcome.network_status == "not_sent_to_network"
