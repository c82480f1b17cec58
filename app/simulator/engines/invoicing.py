"""The life of an invoice: drafted, finalized, collected, voided. Lines and sums are reckoned in invoice_lines, money is
got in collecting; both are to be reached from here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from app.money import MAXIMUM_CHARGE, MINIMUM_CHARGE
from app.simulator.engines import collecting, customer_balance, invoice_items, invoice_lines
from app.simulator.engines import discounts as discounting
from app.simulator.engines.collecting import FAILED, PAID, attempt, charge, pay_out_of_band
from app.simulator.engines.invoice_fields import (
    DRAFT_FOR,
    addressed,
    advances,
    automatic_tax,
    blank,
    due_in,
    parent,
    payment_settings,
    rates,
)
from app.simulator.engines.invoice_lines import pricing
from app.simulator.engines.rehearsals import SUBSCRIBED, as_preview, rehearsed
from app.simulator.errors import StripeError, invalid
from app.simulator.registry import Doc, timed
from app.simulator.store import ACCOUNT
from app.simulator.transaction import Transaction

__all__ = [
    "DRAFT_FOR", "FAILED", "PAID", "SUBSCRIBED", "add", "advances", "as_preview", "attempt", "automatic_tax", "charge",
    "collect_later", "draft", "due_in", "finalize", "mark_uncollectible", "pay_out_of_band", "payment_settings",
    "preview", "pricing", "recount", "rehearsed", "remove", "replace", "reschedule", "send", "void",
]  # fmt: skip

HELD_FOR = 72 * 3600
REMINDER = 7 * collecting.DAY
NOT_DRAFT = "This invoice is already finalized, you can't re-finalize a non-draft invoice."
# Who wants to know that an invoice is void or uncollectible: subscriptions owe it no more.
GIVEN_UP: list[Callable[[Transaction, Doc], None]] = []
NOT_OPEN = "You can only pass in open invoices. This invoice isn't open."


def draft(
    tx: Transaction,
    *,
    customer: Doc | str,
    currency: str,
    lines: Iterable[Doc],
    billing_reason: str,
    subscription: Doc | str | None = None,
    collection_method: str = "charge_automatically",
    automatic_advance: bool = True,
    default_payment_method: str | None = None,
    discounts: Iterable[str] = (),
    default_tax_rates: Iterable[Doc | str] = (),
    metadata: Doc | None = None,
    days_until_due: int | None = None,
    period: tuple[int, int] | None = None,
    clock: str | None = None,
    inherit: bool = True,
    fields: Doc | None = None,
) -> Doc:
    """A draft with its event. `lines` are as invoice_lines.line takes them; `discounts` are ids: without any, and with
    `inherit`, those of the customer count. `fields` are further invoice fields as they stand in the document."""
    owner = tx.find("customer", customer) if isinstance(customer, str) else customer
    sub = tx.find("subscription", subscription) if isinstance(subscription, str) else subscription
    given = list(discounts) or (discounting.inherited(tx, owner) if inherit else [])
    start, end = period or (tx.now, tx.now)
    identifier = tx.new_id("in_")
    base = blank(owner) | {
        "billing_reason": billing_reason, "created": tx.now,
        "collection_method": collection_method, "currency": currency, "discounts": given, "id": identifier,
        "default_payment_method": default_payment_method, "default_tax_rates": rates(tx, default_tax_rates),
        "due_date": due_in(tx.now, days_until_due),
        "metadata": dict(metadata or {}), "parent": parent(sub), "period_end": end, "period_start": start,
        "test_clock": clock or owner.get("test_clock"), "_days_until_due": days_until_due,
        "_subscription": sub["id"] if sub else None,
    } | (fields or {})  # fmt: skip
    base |= advances(base, automatic_advance)
    wanted = list(lines)
    base |= invoice_lines.reckon(tx, base, [invoice_lines.line(tx, x, currency) for x in wanted])
    invoice = tx.create("invoice", base | _due(base), id=identifier)
    invoice_items.claim(tx, wanted, identifier)
    if owner["currency"] is None:
        tx.emit("customer.updated", owner, tx.update(owner, currency=currency))
    discounting.used(tx, invoice)
    tx.emit("invoice.created", invoice)
    reschedule(tx, invoice)
    return invoice


def reschedule(tx: Transaction, invoice: Doc) -> None:
    """Let a draft become open at the time it names, or not by itself when it names none."""
    tx.unschedule("invoice.finalize", invoice["id"])
    at = invoice["automatically_finalizes_at"]
    if at:
        tx.schedule(at, "invoice.finalize", invoice["id"], clock=invoice["test_clock"])


def recount(tx: Transaction, invoice: Doc, lines: list[Doc] | None = None) -> Doc:
    """Reckon a draft anew after its lines, discounts or rates changed; returns what was before."""
    changes = invoice_lines.reckon(tx, invoice, invoice["_lines"] if lines is None else lines)
    return tx.update(invoice, changes | _due(invoice | changes))


def add(tx: Transaction, invoice: Doc, given: list[Doc]) -> None:
    """Put lines before those a draft has, and tell of it."""
    new = [invoice_lines.line(tx, x, invoice["currency"]) for x in given]
    tx.emit("invoice.updated", invoice, recount(tx, invoice, [*new, *invoice["_lines"]]))


def replace(tx: Transaction, invoice: Doc, given: list[Doc]) -> None:
    """Rebuild the lines of a draft that stand for these invoice items, and tell of it."""
    fresh = {x["invoice_item"]: x for x in given}
    lines = []
    for line in invoice["_lines"]:
        wanted = fresh.get(item_of(line) or "")
        lines.append(
            invoice_lines.line(tx, wanted | {"id": line["id"]}, invoice["currency"]) if wanted else line
        )
    tx.emit("invoice.updated", invoice, recount(tx, invoice, lines))


def remove(tx: Transaction, invoice: Doc, item: str) -> None:
    """Take the line of an invoice item off a draft, and tell of it."""
    kept = [line for line in invoice["_lines"] if item_of(line) != item]
    tx.emit("invoice.updated", invoice, recount(tx, invoice, kept))


def item_of(line: Doc) -> str | None:
    """The invoice item a line stands for."""
    parent = line["parent"] or {}
    details: Doc = parent.get("invoice_item_details") or parent.get("subscription_item_details") or {}
    item: str | None = details.get("invoice_item")
    return item


def _due(invoice: Doc) -> Doc:
    """What is due after the customer's balance: less a credit, plus a debt, within what can be charged."""
    total, starting = invoice["total"], invoice["starting_balance"]
    due = max(0, total + starting) if total >= 0 else 0
    if due < MINIMUM_CHARGE.get(invoice["currency"], 1):
        due = 0
    due = min(due, MAXIMUM_CHARGE)
    return {"amount_due": due, "amount_remaining": due}


# ---------------------------------------------------------------------------------------- finalizing


def finalize(tx: Transaction, invoice: Doc) -> Doc:
    """Make a draft open: its number, the customer's balance, its payment intent. With nothing due it is paid."""
    if invoice["status"] != "draft":
        raise invalid(NOT_DRAFT)
    owner = tx.find("customer", invoice["customer"])
    tx.update(
        invoice,
        addressed(owner) | {"automatic_tax": automatic_tax(invoice["automatic_tax"]["enabled"], owner)},
    )
    recount(tx, invoice)
    if invoice["automatic_tax"]["status"] == "requires_location_inputs":
        raise invalid(
            "The customer's location isn't recognized. Set a valid customer address in order to automatically "
            "calculate tax.", code="customer_tax_location_invalid",
        )  # fmt: skip
    tx.unschedule("invoice.finalize", invoice["id"])
    tx.update(invoice, starting_balance=owner["balance"])
    tx.update(invoice, _due(invoice))
    tx.update(
        invoice,
        _number(tx, invoice, owner) | _opened(tx, invoice) | {"ending_balance": _settle(tx, invoice, owner)},
    )
    if invoice["amount_due"]:
        collecting.open_payment(tx, invoice)
    tx.emit("invoice.finalized", invoice)
    if invoice["due_date"] and invoice["amount_due"]:
        _watch_due_date(tx, invoice)
    if not invoice["amount_due"]:
        collecting.mark_paid(tx, invoice, 0)
    collecting.count_prepaid(tx, invoice)
    return invoice


def _number(tx: Transaction, invoice: Doc, owner: Doc) -> Doc:
    if invoice["number"]:
        return {}
    sequence = owner["next_invoice_sequence"]
    tx.update(owner, next_invoice_sequence=sequence + 1)
    return {"number": f"{owner['invoice_prefix']}-{sequence:04d}"}


def _opened(tx: Transaction, invoice: Doc) -> Doc:
    url = f"{tx.base_url}/i/{ACCOUNT}/{invoice['id']}"
    days = invoice["_days_until_due"]
    return {
        "status": "open", "effective_at": invoice["effective_at"] or tx.now, "hosted_invoice_url": url,
        "invoice_pdf": f"{url}/pdf", "automatically_finalizes_at": None, "next_payment_attempt": None,
        "due_date": invoice["due_date"] if days is None else due_in(tx.now, days),
        "webhooks_delivered_at": invoice["created"] if not _undelivered(tx, invoice) else None,
        "status_transitions": invoice["status_transitions"] | {"finalized_at": tx.now},
    }  # fmt: skip


def _settle(tx: Transaction, invoice: Doc, owner: Doc) -> int:
    """Move the customer's balance by what the invoice takes from it or leaves to it; returns what it ends at."""
    total, due, start = invoice["total"], invoice["amount_due"], invoice["starting_balance"]
    ending: int = start + total - due
    if ending != start:
        kind = "applied_to_invoice" if start else "invoice_too_large" if due else "invoice_too_small"
        customer_balance.change(tx, owner, ending - start, invoice["currency"], kind, invoice=invoice["id"])
    return ending


def _undelivered(tx: Transaction, invoice: Doc) -> bool:
    """Whether an endpoint still has to take the `invoice.created` of this invoice."""
    row = tx.sql.execute(
        "SELECT 1 FROM deliveries d JOIN objects o ON o.object = 'event' AND o.id = d.event WHERE d.state = 'pending'"
        " AND json_extract(o.data, '$.type') = 'invoice.created'"
        " AND json_extract(o.data, '$.data.object.id') = ? LIMIT 1",
        (invoice["id"],),
    ).fetchone()  # fmt: skip
    return row is not None


@timed("invoice.finalize")
def _finalize_due(tx: Transaction, identifier: str) -> None:
    """A draft that advances by itself, unless an endpoint has not yet taken its creation: then an hour later."""
    invoice = tx.get("invoice", identifier)
    if invoice is None or invoice.get("status") != "draft" or not invoice["auto_advance"]:
        return
    if tx.now < invoice["created"] + HELD_FOR and _undelivered(tx, invoice):
        tx.update(invoice, automatically_finalizes_at=tx.now + DRAFT_FOR)
        reschedule(tx, invoice)
        return
    try:
        finalize(tx, invoice)
    except StripeError as error:
        problem = {"code": error.code, "message": error.message, "type": error.kind}
        tx.update(invoice, last_finalization_error=problem, automatically_finalizes_at=None)
        tx.emit("invoice.finalization_failed", invoice)
        return
    if invoice["status"] == "open":
        advance(tx, invoice)


def advance(tx: Transaction, invoice: Doc) -> None:
    """What follows by itself once an invoice is open: it is charged, or sent."""
    if invoice["collection_method"] == "charge_automatically":
        attempt(tx, invoice)
    else:
        send(tx, invoice)


def collect_later(tx: Transaction, invoice: Doc) -> None:
    """An invoice finalized by hand advances too: it is charged in an hour, or sent now."""
    if invoice["collection_method"] != "charge_automatically":
        send(tx, invoice)
        return
    tx.schedule(tx.now + DRAFT_FOR, "invoice.retry", invoice["id"], clock=invoice["test_clock"])


def send(tx: Transaction, invoice: Doc) -> Doc:
    """Mail the invoice to the customer (here: only say so)."""
    tx.emit("invoice.sent", invoice)
    return invoice


def _watch_due_date(tx: Transaction, invoice: Doc) -> None:
    due, clock = invoice["due_date"], invoice["test_clock"]
    tx.schedule(due, "invoice.overdue", invoice["id"], clock=clock)
    if due - REMINDER > tx.now:
        tx.schedule(due - REMINDER, "invoice.will_be_due", invoice["id"], clock=clock)


@timed("invoice.will_be_due")
def _will_be_due(tx: Transaction, identifier: str) -> None:
    invoice = tx.get("invoice", identifier)
    if invoice is not None and invoice.get("status") == "open":
        tx.emit("invoice.will_be_due", invoice)


@timed("invoice.overdue")
def _overdue(tx: Transaction, identifier: str) -> None:
    invoice = tx.get("invoice", identifier)
    if invoice is not None and invoice.get("status") == "open":
        tx.emit("invoice.overdue", invoice)
        collecting.delinquent(tx, invoice, True)


# -------------------------------------------------------------------------------------------- ending


def void(tx: Transaction, invoice: Doc) -> Doc:
    """Take back a finalized invoice that has not been paid; what the customer's balance paid goes back there."""
    if invoice["status"] == "paid":
        raise invalid("Invoices with `paid` payments cannot be voided.")
    if invoice["status"] not in ("open", "uncollectible"):
        raise invalid(NOT_OPEN)
    collecting.cancel_payment(tx, invoice)
    _give_back(tx, invoice)
    previous = tx.update(
        invoice, status="void", auto_advance=False, next_payment_attempt=None,
        status_transitions=invoice["status_transitions"] | {"voided_at": tx.now},
    )  # fmt: skip
    tx.emit("invoice.updated", invoice, previous)
    tx.emit("invoice.voided", invoice)
    for told in GIVEN_UP:
        told(tx, invoice)
    return invoice


def _give_back(tx: Transaction, invoice: Doc) -> None:
    moved = invoice["ending_balance"] - invoice["starting_balance"]
    if moved:
        owner = tx.get("customer", invoice["customer"])
        if owner is not None and not owner.get("deleted"):
            customer_balance.change(
                tx, owner, -moved, invoice["currency"], "unapplied_from_invoice", invoice=invoice["id"]
            )


def mark_uncollectible(tx: Transaction, invoice: Doc) -> Doc:
    """Write an open invoice off; it can still be paid or voided."""
    if invoice["status"] == "uncollectible":
        raise invalid("This invoice has already been marked uncollectible.")
    if invoice["status"] != "open":
        raise invalid(NOT_OPEN)
    tx.unschedule("invoice.retry", invoice["id"])
    previous = tx.update(
        invoice, status="uncollectible", auto_advance=False, next_payment_attempt=None,
        status_transitions=invoice["status_transitions"] | {"marked_uncollectible_at": tx.now},
    )  # fmt: skip
    tx.emit("invoice.updated", invoice, previous)
    tx.emit("invoice.marked_uncollectible", invoice)
    for told in GIVEN_UP:
        told(tx, invoice)
    collecting.delinquent(tx, invoice, False)
    return invoice


# ------------------------------------------------------------------------------------------- preview


def preview(tx: Transaction, **given: Any) -> Doc:
    """The invoice that `draft` would make of the same arguments, without storing anything."""
    return as_preview(rehearsed(tx, lambda: draft(tx, automatic_advance=False, **given)))
