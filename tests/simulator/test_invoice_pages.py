"""The hosted page of an invoice: paid there, declined there, closed."""

import pytest

from tests.simulator.conftest import CARD


def where(desk, invoice):
    return invoice.hosted_invoice_url.removeprefix(desk.shop.simulator.url)


def pay(desk, invoice, number="4242424242424242", **more):
    return desk.shop.simulator.ask("POST", where(desk, invoice), CARD | {"cardNumber": number} | more)


def test_paid_on_its_page(desk):
    invoice = desk.open(desk.customer(), 2000, 500, collection_method="send_invoice", days_until_due=10)
    page = desk.shop.simulator.ask("GET", where(desk, invoice))
    assert page.status == 200 and "$25.00 to pay by" in page.text and "Stripe simulator" in page.text
    assert pay(desk, invoice).headers["Location"] == where(desk, invoice)
    assert desk.again(invoice).status == "paid"
    page = desk.shop.simulator.ask("GET", where(desk, invoice)).text
    assert "$25.00 paid" in page and "cardNumber" not in page
    assert pay(desk, invoice).status == 303
    assert len(desk.v1.charges.list().data) == 1


def test_declined_in_place(desk):
    invoice = desk.open(desk.customer(name="<i>Eve</i>"), 2000)
    assert pay(desk, invoice, "1").status == 422
    answer = pay(desk, invoice, "4000000000009995")
    assert answer.status == 402 and "insufficient funds" in answer.text
    assert "&lt;i&gt;Eve" in answer.text and "<i>Eve" not in answer.text
    assert (desk.again(invoice).status, desk.again(invoice).attempt_count) == ("open", 1)
    assert pay(desk, invoice).status == 303
    assert desk.again(invoice).status == "paid"


@pytest.mark.parametrize("answer", ["approve", "fail"])
def test_3d_secure(desk, answer):
    invoice = desk.open(desk.customer(), 2000)
    bank = pay(desk, invoice, "4000002760003184").headers["Location"]
    assert desk.shop.simulator.ask("GET", bank).status == 200
    back = desk.shop.simulator.ask("POST", bank, {"answer": answer}).headers["Location"]
    page = desk.shop.simulator.ask("GET", back.removeprefix(desk.shop.simulator.url)).text
    if answer == "approve":
        assert "$20.00 paid" in page and desk.again(invoice).status == "paid"
    else:
        assert "unable to authenticate" in page and desk.again(invoice).status == "open"


def test_a_bank_debit_is_asked_for_once(desk):
    invoice = desk.open(desk.customer(), 2000)
    assert pay(desk, invoice, method="debit").status == 303
    page = desk.shop.simulator.ask("GET", where(desk, invoice)).text
    assert "do not pay again" in page and "cardNumber" not in page
    assert pay(desk, invoice).status == 303
    desk.shop.simulator.control("clock", advance=4 * 86400)
    assert desk.again(invoice).status == "paid"
    assert len(desk.v1.charges.list().data) == 1


def test_closed_and_unknown(desk):
    invoice = desk.open(desk.customer(), 2000)
    desk.v1.invoices.void_invoice(invoice.id)
    page = desk.shop.simulator.ask("GET", where(desk, invoice)).text
    assert "taken back" in page and "cardNumber" not in page
    assert pay(desk, invoice).headers["Location"] == where(desk, invoice)
    draft = desk.draft(desk.customer(), 100)
    for path in ("/i/acct_x/in_none", f"/i/acct_x/{draft.id}", "/i/acct_x/in_none/pdf"):
        assert desk.shop.simulator.ask("GET", path).status == 404


def test_the_pdf(desk):
    customer = desk.customer(name="Zoë (Ltd)")
    invoice = desk.open(customer, 2000, 300)
    answer = desk.shop.simulator.ask("GET", where(desk, invoice) + "/pdf")
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.body.startswith(b"%PDF-1.4") and answer.body.endswith(b"%%EOF\n")
    place = int(answer.body.split(b"startxref\n")[1].split()[0])
    assert answer.body[place : place + 4] == b"xref"
    assert invoice.number.encode() in answer.body and b"$23.00" in answer.body and b"\\(Ltd\\)" in answer.body
