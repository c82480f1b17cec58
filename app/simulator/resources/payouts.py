"""Payouts by hand: /v1/payouts. There is no schedule of automatic ones."""

from __future__ import annotations

from app.simulator.engines import payouts
from app.simulator.errors import invalid
from app.simulator.fields import merged, plain
from app.simulator.listing import lists, retrieves
from app.simulator.registry import Doc, Resource, route
from app.simulator.resources.prices import currency_of
from app.simulator.transaction import Transaction

Resource("payout", "po_", index=("status",))
retrieves("payout", "/v1/payouts/{payout}")
lists("payout", "/v1/payouts")


@route("POST", "/v1/payouts")
def create(tx: Transaction, params: Doc) -> Doc:
    """Send money to the bank."""
    if params["amount"] < 1:
        raise invalid("This value must be greater than or equal to 1.", "amount", "parameter_invalid_integer")
    if params.get("destination", payouts.BANK) != payouts.BANK:
        raise invalid(
            f"No such external account: '{params['destination']}'", "destination", "resource_missing"
        )
    fields = {k: params[k] for k in ("description", "method", "statement_descriptor") if k in params}
    return payouts.send(
        tx,
        params["amount"],
        currency_of(params["currency"]),
        fields | {"metadata": plain(params.get("metadata"))},
    )


@route("POST", "/v1/payouts/{payout}")
def update(tx: Transaction, params: Doc, payout: str) -> Doc:
    """Change metadata."""
    doc = tx.find("payout", payout)
    tx.emit("payout.updated", doc, tx.update(doc, metadata=merged(doc, params)))
    return doc


@route("POST", "/v1/payouts/{payout}/cancel")
def cancel(tx: Transaction, params: Doc, payout: str) -> Doc:
    """Call it back while it is pending."""
    doc = tx.find("payout", payout)
    payouts.cancel(tx, doc)
    return doc
