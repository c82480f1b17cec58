"""What banks and people at Stripe's Dashboard do, on order under `/_sim/`: events without our request or metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Response, request

from app.simulator.control import answered, control, given, part
from app.simulator.engines import disputes, payouts, radar, refunds, subscriptions
from app.simulator.errors import invalid
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction, shown

# What can be done: "object/verb" -> (tx, document, fields) -> the document to answer.
Act = Callable[[Transaction, Doc, Doc], Doc]
ACTS: dict[tuple[str, str], Act] = {}


def staged(name: str, verb: str) -> Callable[[Act], Act]:
    """Register `POST /_sim/stage/{name}/{id}/{verb}`, done in one transition that no API request caused."""

    def register(act: Act) -> Act:
        ACTS[name, verb] = act
        return act

    return register


@contextmanager
def _transition() -> Iterator[Transaction]:
    waiting: list[int] = []
    with part("store").write() as tx:
        tx.base_url = request.host_url.rstrip("/")
        yield tx
        waiting = tx.deliveries
    part("courier").wait(waiting, 10)


@control.post("/stage/<name>/<identifier>/<verb>")
def stage(name: str, identifier: str, verb: str) -> Response:
    """Have it done; answers the object. `GET /_sim/stage` lists what there is."""
    act = ACTS.get((name, verb))
    if act is None:
        known = ", ".join(f"{n}/…/{v}" for n, v in sorted(ACTS))
        raise invalid(f"nothing is known as {name}/…/{verb}; there are {known}")
    with _transition() as tx:
        doc = act(tx, tx.find(name, identifier), given())
        answer = shown(doc)
    return answered(answer)


def _whole(fields: Doc, name: str) -> int | None:
    value: Any = fields.get(name)
    if value in (None, ""):
        return None
    if not str(value).isdigit():
        raise invalid(f"{name} is a whole number of minor units")
    return int(value)


@staged("charge", "dispute")
def _dispute(tx: Transaction, charge: Doc, fields: Doc) -> Doc:
    inquiry = fields.get("inquiry") in (True, "true", "1")
    reason = str(fields.get("reason") or ("general" if inquiry else "fraudulent"))
    return disputes.open_dispute(tx, charge, reason, amount=_whole(fields, "amount"), inquiry=inquiry)


@staged("dispute", "win")
def _win(tx: Transaction, dispute: Doc, fields: Doc) -> Doc:
    disputes.win(tx, dispute)
    return dispute


@staged("dispute", "lose")
def _lose(tx: Transaction, dispute: Doc, fields: Doc) -> Doc:
    disputes.lose(tx, dispute)
    return dispute


@staged("dispute", "escalate")
def _escalate(tx: Transaction, dispute: Doc, fields: Doc) -> Doc:
    disputes.escalate(tx, dispute)
    return dispute


@staged("charge", "refund")
def _refund(tx: Transaction, charge: Doc, fields: Doc) -> Doc:
    return refunds.request(tx, charge, _whole(fields, "amount"), fields.get("reason") or None, {})


@staged("refund", "fail")
def _fail(tx: Transaction, refund: Doc, fields: Doc) -> Doc:
    if refund["status"] not in ("succeeded", "pending") or not refund["balance_transaction"]:
        raise invalid(f"this refund cannot fail any more: its status is {refund['status']}")
    return refunds.fail(tx, refund, "failed", str(fields.get("reason") or "expired_or_canceled_card"))


@staged("charge", "warn")
def _warn(tx: Transaction, charge: Doc, fields: Doc) -> Doc:
    return radar.warn(tx, charge, str(fields.get("fraud_type") or "misc"))


@staged("charge", "review")
def _review(tx: Transaction, charge: Doc, fields: Doc) -> Doc:
    return radar.review(tx, charge, "manual")


@staged("review", "approve")
def _approve(tx: Transaction, review: Doc, fields: Doc) -> Doc:
    if not review["open"]:
        raise invalid("this review is closed")
    radar.close(tx, review, "approved")
    return review


@staged("price", "archive")
def _archive_price(tx: Transaction, price: Doc, fields: Doc) -> Doc:
    tx.emit("price.updated", price, tx.update(price, active=False))
    return price


@staged("product", "archive")
def _archive_product(tx: Transaction, product: Doc, fields: Doc) -> Doc:
    tx.emit("product.updated", product, tx.update(product, active=False, updated=tx.now))
    return product


@staged("payment_method", "detach")
def _detach(tx: Transaction, method: Doc, fields: Doc) -> Doc:
    tx.emit("payment_method.detached", method, tx.update(method, customer=None))
    return method


@staged("payout", "fail")
def _fail_payout(tx: Transaction, payout: Doc, fields: Doc) -> Doc:
    payouts.fail(tx, payout, str(fields.get("reason") or "account_closed"))
    return payout


@staged("subscription", "cancel")
def _cancel(tx: Transaction, subscription: Doc, fields: Doc) -> Doc:
    if subscription["status"] in ("canceled", "incomplete_expired"):
        raise invalid(f"this subscription has ended: it is {subscription['status']}")
    subscriptions.end(tx, subscription, "cancellation_requested")
    return subscription
