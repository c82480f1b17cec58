"""The hosted page of an invoice: what it is for, paying it, its PDF."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request

from app.money import Money, format_money
from app.simulator.countries import COUNTRIES
from app.simulator.engines import clocks, collecting, invoicing
from app.simulator.page_answers import end, page, store, to
from app.simulator.page_forms import Entry, check_payment, declined, method_of, typed
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction

invoice_pages = Blueprint("invoices", __name__)
PAYABLE = ("open", "uncollectible")


@invoice_pages.get("/i/<account>/<identifier>")
def invoice_page(account: str, identifier: str) -> Response:
    """What is to be paid, or that nothing is any more."""
    tx = store().read()
    invoice = _found(tx, identifier)
    if invoice is None:
        return end("unknown", None, 404)
    intent = collecting.intent_of(tx, invoice) or {}
    back_from_bank = "payment_intent" in request.args
    failed = intent.get("last_payment_error") if back_from_bank and invoice["status"] in PAYABLE else None
    return _shown(tx, invoice, Entry({"billingCountry": "US"}), failed["message"] if failed else None)


@invoice_pages.post("/i/<account>/<identifier>")
def pay(account: str, identifier: str) -> Response:
    """Pay, once: a paid or void invoice only says so."""
    here, entry = f"/i/{account}/{identifier}", typed()
    with store().write() as tx:
        tx.base_url = request.host_url.rstrip("/")
        clocks.enter(tx, {}, {"invoice": identifier})
        invoice = _found(tx, identifier)
        intent = collecting.intent_of(tx, invoice) if invoice else None
        if (
            invoice is None
            or intent is None
            or invoice["status"] not in PAYABLE
            or intent["status"] == "processing"
        ):
            return to(here)
        check_payment(entry)
        if entry.errors:
            return _shown(tx, invoice, entry, None, 422)
        tx.update(intent, _return_url=tx.base_url + here)
        outcome, error = invoicing.charge(tx, invoice, method_of(tx, entry), off_session=False)
        if error is not None:
            declined(entry, error.code, error.message)
            return _shown(tx, invoice, entry, error.message, 402)
    return to(f"/c/3ds/{intent['id']}" if outcome == "requires_action" else here)


@invoice_pages.get("/i/<account>/<identifier>/pdf")
def pdf(account: str, identifier: str) -> Response:
    """The invoice as a plain PDF."""
    tx = store().read()
    invoice = _found(tx, identifier)
    if invoice is None:
        return end("unknown", None, 404)
    name = f"Invoice-{invoice['number']}.pdf"
    response = Response(_pdf(_lines(invoice)), 200, content_type="application/pdf")
    response.headers["Content-Disposition"] = f'inline; filename="{name}"'
    return response


def _found(tx: Transaction, identifier: str) -> Doc | None:
    """A finalized invoice."""
    invoice = tx.get("invoice", identifier)
    return None if invoice is None or invoice.get("deleted") or invoice["status"] == "draft" else invoice


def _shown(tx: Transaction, invoice: Doc, entry: Entry, refused: str | None, status: int = 200) -> Response:
    intent = collecting.intent_of(tx, invoice) or {}
    return page(
        "invoice", status, invoice=invoice, lines=invoice["_lines"], entry=entry.kept, errors=entry.errors,
        declined=refused, countries=COUNTRIES, processing=intent.get("status") == "processing",
        payable=invoice["status"] in PAYABLE and bool(intent),
    )  # fmt: skip


# ----------------------------------------------------------------------------------------------- PDF


def _lines(invoice: Doc) -> list[str]:
    def money(amount: int) -> str:
        return format_money(Money(amount, invoice["currency"]))

    merchant = current_app.config["MERCHANT"]
    rows = [f"{x['description'] or 'Item'}: {money(x['amount'])}" for x in invoice["_lines"]]
    return [
        f"Invoice {invoice['number']} from {merchant}", "Stripe simulator: no real money moves.", "",
        f"For {invoice['customer_name'] or invoice['customer_email'] or invoice['customer']}", "", *rows, "",
        f"Total: {money(invoice['total'])}", f"Paid: {money(invoice['amount_paid'])}", f"State: {invoice['status']}",
    ]  # fmt: skip


def _pdf(lines: list[str]) -> bytes:
    """One page of text in a font every reader has."""
    escaped = [x.encode("cp1252", "replace") for x in lines]
    for mark in (b"\\", b"(", b")"):
        escaped = [x.replace(mark, b"\\" + mark) for x in escaped]
    text = b"BT /F1 11 Tf 14 TL 56 780 Td " + b" ".join(b"(" + x + b") Tj T*" for x in escaped[:52]) + b" ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n" % len(text) + text + b"\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    tail = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(out))
    return out + head + table + tail
