"""What happened to an order, told newest first: each history entry becomes a sentence and a link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import url_for
from flask_babel import gettext as _
from sqlalchemy import select

from app.extensions import db
from app.models import HistoryEntry, Mail, Order, OrderState, PaymentState, User
from app.money import Money
from app.ops import words


@dataclass
class Happening:
    """One entry of the timeline macro."""

    title: str
    at: datetime
    actor: str
    detail: str = ""
    amount: Money | None = None
    href: str | None = None
    state: str | None = None
    kind: str | None = None


def of(order: Order, history: Sequence[HistoryEntry], mails: Sequence[Mail]) -> list[Happening]:
    """The order's history in words. Opening is told once, by its session."""
    staff = _staff(history)
    told = []
    for entry in history:
        if entry.kind == "state" and entry.data.get("to") == OrderState.OPEN:
            continue
        happening = Happening("", entry.at, staff.get(entry.actor) or _actor(entry.actor))
        TELL.get(entry.kind, _other)(happening, entry, order, mails)
        told.append(happening)
    return told


def _staff(history: Sequence[HistoryEntry]) -> dict[str, str]:
    """Who the staff among the actors are."""
    numbers = {entry.actor.removeprefix("user:") for entry in history if entry.actor.startswith("user:")}
    if not numbers:
        return {}
    users = db.session.scalars(select(User).where(User.id.in_([int(n) for n in numbers])))
    return {f"user:{user.id}": user.email for user in users}


def _actor(name: str) -> str:
    known: dict[str, str] = {
        "buyer": _("Buyer"),
        "return page": _("The buyer's return"),
        "stripe": "Stripe",
        "worker": _("Worker"),
        "screening": _("Screening"),
        "countinghouse": "Countinghouse",
    }
    return known.get(name, name)


def _requested(to: Happening, entry: HistoryEntry, order: Order, mails: Sequence[Mail]) -> None:
    to.title, to.amount, to.state = _("Order placed"), entry.money, "pending"
    to.detail = f"{order.offer.name} × {entry.data.get('quantity', order.quantity)}"


def _screened(to: Happening, entry: HistoryEntry, order: Order, mails: Sequence[Mail]) -> None:
    flagged = entry.data.get("verdict") == "flag"
    again = entry.data.get("stage") == "settlement"
    if flagged:
        to.title = _("Screening flagged it, score %(score)s of 100", score=entry.data.get("score"))
    else:
        to.title = _("Screening found nothing")
    to.kind = "warn" if flagged else "idle"
    reasons = [words.reason(code) for code in entry.data.get("reasons", [])]
    to.detail = " ".join([*reasons, _("Judged again with the payer known.") if again else ""]).strip()


def _session(to: Happening, entry: HistoryEntry, order: Order, mails: Sequence[Mail]) -> None:
    to.title, to.amount, to.state = _("Checkout opened"), entry.money, "open"
    to.detail = entry.subject or ""


def _state(to: Happening, entry: HistoryEntry, order: Order, mails: Sequence[Mail]) -> None:
    state, reason = str(entry.data.get("to")), entry.data.get("reason")
    to.state = state
    if state == OrderState.PAID and reason == "released":
        to.title = _("Released: accepted as it was paid")
        return
    titles: dict[str, str] = {
        OrderState.PROCESSING: _("Checkout is done, the money is on its way"),
        OrderState.PAID: _("Order paid"),
        OrderState.HELD: _("Held: paid, but not as agreed"),
        OrderState.FAILED: _("Order failed"),
        OrderState.EXPIRED: _("Checkout expired without a payment"),
        OrderState.CANCELED: _("The buyer let it go"),
    }
    to.title = titles.get(state, _("Order is %(state)s", state=state))
    if state == OrderState.HELD:
        to.detail = " ".join(words.reason(code) for code in (reason or "").split(",") if code)
    elif reason:
        to.detail = _("Reason: %(code)s", code=reason)


def _payment(to: Happening, entry: HistoryEntry, order: Order, mails: Sequence[Mail]) -> None:
    state = str(entry.data.get("to"))
    to.amount, to.state = entry.money, state
    titles: dict[str, str] = {
        PaymentState.SUCCEEDED: _("Payment succeeded"),
        PaymentState.FAILED: _("Payment attempt failed"),
        PaymentState.PENDING: _("Payment attempt under way"),
    }
    to.title = titles.get(state, _("Payment is %(state)s", state=state))
    if entry.data.get("code"):
        to.detail = _("Stripe's code: %(code)s", code=entry.data["code"])


def _event(to: Happening, entry: HistoryEntry, order: Order, mails: Sequence[Mail]) -> None:
    to.title, to.detail = _("Event applied"), str(entry.data.get("type", ""))
    to.href = url_for("ops.event", event_id=entry.subject) if entry.subject else None


def _receipt(to: Happening, entry: HistoryEntry, order: Order, mails: Sequence[Mail]) -> None:
    to.title, to.kind = _("Receipt %(number)s issued", number=entry.subject), "good"


def _mail(to: Happening, entry: HistoryEntry, order: Order, mails: Sequence[Mail]) -> None:
    to.title = _("Mail queued: %(what)s", what=words.mail(entry.subject or ""))
    mail = next((each for each in mails if each.template == entry.subject), None)
    if mail is not None:
        to.detail = _("To %(address)s", address=mail.recipient)


def _note(to: Happening, entry: HistoryEntry, order: Order, mails: Sequence[Mail]) -> None:
    to.kind, to.detail = "warn", entry.subject or ""
    note = entry.data.get("note", "")
    to.title = {"second_session": _("A second Checkout Session names this order; it was not settled")}.get(
        note, note
    )


def _other(to: Happening, entry: HistoryEntry, order: Order, mails: Sequence[Mail]) -> None:
    to.title, to.detail, to.amount = entry.kind.capitalize(), entry.subject or "", entry.money


TELL = {
    "requested": _requested,
    "screened": _screened,
    "session": _session,
    "state": _state,
    "payment": _payment,
    "event": _event,
    "receipt": _receipt,
    "mail": _mail,
    "note": _note,
}
