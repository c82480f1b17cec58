"""Credit notes: less to pay on an open invoice; money back, credit or a settlement elsewhere on a paid one."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from app.money import Money, format_money
from app.simulator.engines import collecting, customer_balance, invoice_lines, refunds
from app.simulator.errors import invalid
from app.simulator.fields import plain
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction, shown

SHOWN = 10
PARTS = ("credit_amount", "refund_amount", "out_of_band_amount")
_REFUND_REASONS = {"duplicate": "duplicate", "fraudulent": "fraudulent"}


def reckoned(tx: Transaction, invoice: Doc, params: Doc) -> Doc:
    """Every field of the note these parameters ask for; nothing is written. Raises 400 for what cannot be."""
    if invoice["status"] not in ("open", "paid", "uncollectible"):
        raise invalid(
            "Credit notes can only be issued for invoices that are open, paid or uncollectible.", "invoice"
        )
    lines = _lines(tx, invoice, params)
    fields = invoice_lines.sums(lines)
    total = fields["total"]
    less = min(total, invoice["amount_remaining"])
    _check(invoice, params, total, total - less)
    identifier = tx.new_id("cn_")
    discounts = fields.pop("total_discount_amounts")
    return fields | {
        "_lines": lines, "id": identifier, "amount": total, "amount_shipping": 0, "created": tx.now,
        "currency": invoice["currency"], "customer": invoice["customer"], "discount_amounts": discounts,
        "discount_amount": sum(d["amount"] for d in discounts), "effective_at": params.get("effective_at", tx.now),
        "invoice": invoice["id"], "lines": listed(identifier, lines), "livemode": False, "memo": params.get("memo"),
        "metadata": plain(params.get("metadata")), "number": _number(tx, invoice),
        "out_of_band_amount": params.get("out_of_band_amount"), "pdf": f"{tx.base_url}/credit_notes/{identifier}/pdf",
        "post_payment_amount": total - less, "pre_payment_amount": less,
        "pretax_credit_amounts": fields.pop("total_pretax_credit_amounts"), "reason": params.get("reason"),
        "refunds": [], "status": "issued", "type": _kind(less, total - less),
    }  # fmt: skip


def listed(identifier: str, lines: list[Doc]) -> Doc:
    """The first lines as a note shows them."""
    return {
        "object": "list", "data": [shown(x) for x in lines[:SHOWN]], "has_more": len(lines) > SHOWN,
        "url": f"/v1/credit_notes/{identifier}/lines",
    }  # fmt: skip


def _number(tx: Transaction, invoice: Doc) -> str:
    earlier = sum(1 for _ in tx.scan("credit_note", {"invoice": invoice["id"]}))
    return f"{invoice['number']}-CN-{earlier + 1:02d}"


def _kind(less: int, back: int) -> str:
    if less and back:
        return "mixed"
    return "pre_payment" if less else "post_payment"


def _check(invoice: Doc, params: Doc, total: int, back: int) -> None:
    """Refuse notes for more than the invoice, and those whose parts do not make up what goes `back`."""
    money = invoice["currency"]
    left = (
        invoice["total"]
        - invoice["post_payment_credit_notes_amount"]
        - invoice["pre_payment_credit_notes_amount"]
    )
    if total < 1:
        raise invalid("The credit note amount must be greater than 0.", "amount")
    if total > left:
        asked, most = format_money(Money(total, money)), format_money(Money(left, money))
        raise invalid(
            f"The credit note amount ({asked}) is greater than what can be credited ({most}).", "amount"
        )
    given = sum(params.get(k, 0) for k in PARTS) + sum(
        r.get("amount_refunded", 0) for r in params.get("refunds", [])
    )
    if given != back:
        asked, parts = format_money(Money(back, money)), format_money(Money(given, money))
        raise invalid(
            f"The sum of credit amount, refund amount and out of band amount ({parts}) must equal the post payment "
            f"amount ({asked})."
        )


# -------------------------------------------------------------------------------------------- lines


def _lines(tx: Transaction, invoice: Doc, params: Doc) -> list[Doc]:
    if params.get("lines"):
        return [_line(tx, invoice, given, f"lines[{i}]") for i, given in enumerate(params["lines"])]
    amount = params.get("amount", sum(params.get(k, 0) for k in PARTS))
    if not amount:
        raise invalid("Missing required param: amount.", "amount", "parameter_missing")
    given = {
        "type": "custom_line_item",
        "unit_amount": amount,
        "quantity": 1,
        "description": params.get("memo") or "Credit",
    }
    return [_line(tx, invoice, given, "")]


def _line(tx: Transaction, invoice: Doc, given: Doc, where: str) -> Doc:
    source = None
    if given["type"] == "invoice_line_item":
        source = next((x for x in invoice["_lines"] if x["id"] == given.get("invoice_line_item")), None)
        if source is None:
            raise invalid(
                "The invoice has no such line item.", f"{where}[invoice_line_item]", "resource_missing"
            )
    quantity = given.get("quantity", 1 if source is None else source["quantity"])
    amount = _amount(given, source, quantity, where)
    discounts = _discounts(source, amount)
    rates = _rates(tx, invoice, given, source)
    net = amount - sum(d["amount"] for d in discounts)
    unit = given.get("unit_amount") if source is None else None
    return {
        "id": tx.new_id("cnli_"), "object": "credit_note_line_item", "amount": amount,
        "description": given.get("description") or (source or {}).get("description"),
        "discount_amount": amount - net, "discount_amounts": discounts,
        "invoice_line_item": source["id"] if source else None, "livemode": False, "metadata": {},
        "pretax_credit_amounts": [d | {"type": "discount"} for d in discounts], "quantity": quantity,
        "tax_rates": [shown(r) for r in rates], "type": given["type"], "unit_amount": unit,
        "unit_amount_decimal": None if unit is None else str(unit),
        "taxes": invoice_lines.taxes_on(net, invoice["currency"], rates, invoice["customer_tax_exempt"]),
    }  # fmt: skip


def _amount(given: Doc, source: Doc | None, quantity: int, where: str) -> int:
    if given.get("amount") is not None:
        return int(given["amount"])
    unit = given.get("unit_amount", given.get("unit_amount_decimal"))
    if unit is not None and abs(unit) < 10**12 and quantity < 10**9:
        return int((Decimal(unit) * quantity).quantize(Decimal(1), ROUND_HALF_UP))
    if source is None:
        raise invalid(
            f"Missing required param: {where}[unit_amount].", f"{where}[unit_amount]", "parameter_missing"
        )
    return int(source["amount"]) * quantity // (source["quantity"] or 1)


def _discounts(source: Doc | None, amount: int) -> list[Doc]:
    if source is None or not source["amount"]:
        return []
    whole = Money(source["amount"], source["currency"])
    return [
        d | {"amount": Money(d["amount"], source["currency"]).share(amount, whole.amount).amount}
        for d in source["discount_amounts"]
    ]


def _rates(tx: Transaction, invoice: Doc, given: Doc, source: Doc | None) -> list[Doc]:
    if given.get("tax_rates"):
        wanted = given["tax_rates"]
    elif source is None:
        wanted = []
    else:
        wanted = source["_rates"] or [r["id"] for r in invoice["default_tax_rates"]]
    return [tx.find("tax_rate", r, "tax_rates") for r in wanted]


# ------------------------------------------------------------------------------------------ effects


def issue(tx: Transaction, invoice: Doc, params: Doc) -> Doc:
    """Write a note and do what it says: the invoice costs less, or money goes back."""
    fields = reckoned(tx, invoice, params)
    note = tx.create("credit_note", fields, id=fields["id"])
    _give_back(tx, invoice, note, params)
    tx.emit("credit_note.created", note)
    if note["post_payment_amount"]:
        amount = invoice["post_payment_credit_notes_amount"] + note["post_payment_amount"]
        tx.emit("invoice.updated", invoice, tx.update(invoice, post_payment_credit_notes_amount=amount))
    if note["pre_payment_amount"]:
        _reduce(tx, invoice, note["pre_payment_amount"])
    return note


def _reduce(tx: Transaction, invoice: Doc, amount: int) -> None:
    """An open invoice costs `amount` less (more, when negative); with nothing left it is paid."""
    due = invoice["amount_due"] - amount
    previous = tx.update(
        invoice, amount_due=due, amount_remaining=due - invoice["amount_paid"],
        pre_payment_credit_notes_amount=invoice["pre_payment_credit_notes_amount"] + amount,
    )  # fmt: skip
    tx.emit("invoice.updated", invoice, previous)
    if invoice["amount_remaining"] == 0:
        collecting.cancel_payment(tx, invoice)
        collecting.mark_paid(tx, invoice, invoice["amount_paid"])
        return
    collecting.ask_for(tx, invoice, invoice["amount_remaining"])


def _give_back(tx: Transaction, invoice: Doc, note: Doc, params: Doc) -> None:
    made: list[Doc] = []
    if params.get("refund_amount"):
        refund = _refund(tx, invoice, params["refund_amount"], params.get("reason"))
        made.append(_entry(refund["id"], refund["amount"]))
    for i, each in enumerate(params.get("refunds", [])):
        held = tx.find("refund", each.get("refund", ""), f"refunds[{i}][refund]")
        made.append(_entry(held["id"], each.get("amount_refunded", held["amount"])))
    tx.update(note, refunds=made)
    owner = tx.get("customer", invoice["customer"])
    if params.get("credit_amount") and owner is not None and not owner.get("deleted"):
        row = customer_balance.change(
            tx, owner, -params["credit_amount"], invoice["currency"], "credit_note", invoice=invoice["id"],
            credit_note=note["id"],
        )  # fmt: skip
        tx.update(note, customer_balance_transaction=row["id"])


def _entry(refund: str, amount: int) -> Doc:
    return {"amount_refunded": amount, "payment_record_refund": None, "refund": refund, "type": "refund"}


def _refund(tx: Transaction, invoice: Doc, amount: int, reason: Any) -> Doc:
    payment = tx.first("invoice_payment", {"invoice": invoice["id"], "status": "paid"})
    intent = tx.get("payment_intent", payment["_payment_intent"]) if payment else None
    charge = tx.get("charge", intent["latest_charge"]) if intent else None
    if charge is None or not charge["paid"]:
        raise invalid("The invoice was not paid with a charge that can be refunded.", "refund_amount")
    return refunds.request(tx, charge, amount, _REFUND_REASONS.get(reason, "requested_by_customer"), {})


def void(tx: Transaction, note: Doc) -> Doc:
    """Take back a note for an invoice that is still open."""
    invoice = tx.find("invoice", note["invoice"])
    if note["status"] == "void":
        raise invalid("This credit note has already been voided.")
    if note["type"] != "pre_payment" or invoice["status"] != "open":
        raise invalid("Only credit notes of invoices that are still open can be voided.")
    tx.update(note, status="void", voided_at=tx.now)
    tx.emit("credit_note.voided", note)
    _reduce(tx, invoice, -note["amount"])
    return note
