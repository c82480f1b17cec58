"""Checkout in subscription mode: the subscription and its first invoice come into being only when it is paid.

What a session comes to is its first invoice, really made and taken back, so that both always agree.
"""

from __future__ import annotations

from app.simulator.engines import checkout, payments, setups, subscriptions, totals
from app.simulator.engines.customers import attach, new_customer
from app.simulator.engines.invoice_lines import net_of
from app.simulator.errors import StripeError
from app.simulator.registry import Doc
from app.simulator.transaction import Transaction


def _reckon(tx: Transaction, session: Doc) -> Doc:
    with tx.apart():
        owner = tx.get("customer", session["customer"]) or new_customer(tx, {})
        sub = _begun(tx, session, owner, {"payment_behavior": "default_incomplete"}, {})
        invoice = tx.find("invoice", sub["latest_invoice"])
        return _sums(tx, session, invoice)


def _begun(tx: Transaction, session: Doc, owner: Doc, terms: Doc, fields: Doc) -> Doc:
    """The subscription a session is about; `terms` and `fields` are as subscriptions.begin takes them."""
    wished: Doc = dict(session["_terms"])
    days = wished.pop("trial_period_days", None)
    if days:
        wished["trial_end"] = tx.now + days * subscriptions.DAY
    once = [x for x in session["_items"] if not x["price"]["recurring"]]
    wished |= {
        "extra_lines": [_line(x) for x in once],
        "discounts": [_granted(x, bool(terms.get("payment_intent"))) for x in session["discounts"] or []],
    }
    specs = [_spec(tx, x) for x in session["_items"] if x["price"]["recurring"]]
    document = session["_subscription_fields"] | {"currency": session["currency"]} | fields
    return subscriptions.begin(tx, owner, specs, wished | terms, document)


def _spec(tx: Transaction, item: Doc) -> Doc:
    price = tx.find("price", item["price"]["id"])
    metered = price["recurring"]["usage_type"] == "metered"
    rates = [tx.find("tax_rate", x) for x in item["_rates"]]
    return {"price": price, "quantity": None if metered else item["quantity"], "tax_rates": rates}


def _line(item: Doc) -> Doc:
    amount = totals.unit_total(item["price"], item["quantity"])
    return {
        "amount": amount, "price": item["price"], "quantity": item["quantity"], "tax_rates": item["_rates"],
    }  # fmt: skip


def _granted(given: Doc, paid: bool) -> Doc:
    """A discount as the subscription takes it; what was paid for with it is not refused any more."""
    chosen = {k: v for k, v in given.items() if v and (k == "promotion_code" or not given["promotion_code"])}
    return chosen | {"checked": paid}


# ------------------------------------------------------------------------------------------- totals


def _sums(tx: Transaction, session: Doc, invoice: Doc) -> Doc:
    ordered = sorted(session["_items"], key=lambda x: not x["price"]["recurring"])
    lines = {x["id"]: line for x, line in zip(ordered, invoice["_lines"][-len(ordered) :], strict=True)}
    items = [x | _amounts(tx, lines[x["id"]]) for x in session["_items"]]
    off = sum(x["amount"] for x in invoice["total_discount_amounts"])
    rates = _taxes(tx, invoice["total_taxes"])
    breakdown = {
        "discounts": [
            {"amount": given["amount"], "discount": checkout.discount_of(tx, session, wanted)}
            for given, wanted in zip(
                invoice["total_discount_amounts"], session["discounts"] or [], strict=False
            )
        ],
        "taxes": rates,
    }
    return {
        "_items": items, "_breakdown": breakdown, "_due": invoice["amount_due"], "amount_total": invoice["total"],
        "amount_subtotal": invoice["subtotal"],
        "total_details": {
            "amount_discount": off, "amount_shipping": 0, "amount_tax": sum(x["amount"] for x in rates),
        },
    }  # fmt: skip


def _amounts(tx: Transaction, line: Doc) -> Doc:
    off = line["amount"] - net_of(line)
    on_top = sum(t["amount"] for t in line["taxes"] if t["tax_behavior"] == "exclusive")
    return {
        "amount_subtotal": line["amount"], "amount_discount": off, "amount_total": line["amount"] - off + on_top,
        "amount_tax": sum(t["amount"] for t in line["taxes"]), "taxes": _taxes(tx, line["taxes"]),
    }  # fmt: skip


def _taxes(tx: Transaction, taxes: list[Doc]) -> list[Doc]:
    return [
        {
            "amount": t["amount"], "rate": dict(tx.find("tax_rate", t["tax_rate_details"]["tax_rate"])),
            "taxability_reason": None, "taxable_amount": t["taxable_amount"],
        }
        for t in taxes
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------- paying


def _pay(tx: Transaction, session: Doc, method: Doc | None) -> StripeError | None:
    owner = checkout.customer_of(tx, session) or new_customer(tx, {})
    tx.update(session, _reckon(tx, session))
    if method is None and not checkout.needs_method(session):
        _subscribe(tx, session, None)
        return None
    method = checkout.want_method(method)
    intent = _intent(tx, session, owner)
    engine = payments if intent["object"] == "payment_intent" else setups
    error: StripeError | None = engine.attempt(tx, intent, method)
    if error is None:
        checkout.after_attempt(tx, session, intent)
    return error


def _intent(tx: Transaction, session: Doc, owner: Doc) -> Doc:
    """The intent to pay what is due, or to keep the method when nothing is due yet; a declined one is taken again."""
    held, due = checkout.intent_of(tx, session), session["_due"]
    fields = {
        "customer": owner["id"], "_session": session["id"], "payment_method_types": session["payment_method_types"],
    }  # fmt: skip
    if held is not None and (held["object"] == "payment_intent") == bool(due):
        tx.update(held, fields | ({"amount": due} if due else {}))
        return held
    if due:
        more = {"description": "Subscription creation", "setup_future_usage": "off_session"}
        intent = payments.open_intent(tx, due, session["currency"], fields | more)
    else:
        intent = setups.open_intent(tx, fields)
    tx.update(session, _intent=intent["id"])
    return intent


def _subscribe(tx: Transaction, session: Doc, intent: Doc | None) -> None:
    """It is paid, or nothing is to be paid now: the subscription begins, with the intent for its first invoice."""
    owner = tx.find("customer", session["customer"])
    method = tx.get("payment_method", intent["payment_method"]) if intent else None
    terms, fields, status = {}, {}, "no_payment_required"
    if method is not None:
        if not method["customer"]:
            attach(tx, method, owner)
        fields["default_payment_method"] = method["id"]
    if intent is not None and intent["object"] == "payment_intent":
        terms["payment_intent"] = intent["id"]
        status = "paid" if intent["status"] == "succeeded" else "unpaid"
    if session["automatic_tax"]["enabled"] and (owner["address"] or {}).get("country"):
        fields["automatic_tax"] = {"disabled_reason": None, "enabled": True, "liability": {"type": "self"}}
    sub = _begun(tx, session, owner, terms, fields)
    tx.update(session, _delayed=status == "unpaid")
    checkout.complete(tx, session, status, {"subscription": sub["id"], "invoice": sub["latest_invoice"]})


checkout.MODES["subscription"] = checkout.Mode(_pay, _subscribe, _reckon)
