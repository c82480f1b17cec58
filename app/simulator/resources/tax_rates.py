"""Tax rates: /v1/tax_rates."""

from __future__ import annotations

from app.simulator.fields import merged, number, plain, unset
from app.simulator.listing import lists, retrieves
from app.simulator.registry import Doc, Resource, route
from app.simulator.transaction import Transaction

tax_rate = Resource("tax_rate", "txr_", label="tax rate", index=("active",))
retrieves("tax_rate", "/v1/tax_rates/{tax_rate}")
lists("tax_rate", "/v1/tax_rates")
_FIELDS = ("active", "country", "description", "display_name", "jurisdiction", "state", "tax_type")


@route("POST", "/v1/tax_rates")
def create(tx: Transaction, params: Doc) -> Doc:
    """A rate that lines can carry, inside the price or on top of it."""
    doc = tx.create(
        "tax_rate",
        {"active": True} | {k: unset(params[k]) for k in _FIELDS if k in params}
        | {
            "inclusive": params["inclusive"], "percentage": number(params["percentage"]),
            "metadata": plain(params.get("metadata")), "rate_type": "percentage",
        },
    )  # fmt: skip
    tx.emit("tax_rate.created", doc)
    return doc


@route("POST", "/v1/tax_rates/{tax_rate}")
def update(tx: Transaction, params: Doc, tax_rate: str) -> Doc:
    """Change all but what the rate takes."""
    doc = tx.find("tax_rate", tax_rate)
    changes = {k: unset(params[k]) for k in _FIELDS if k in params} | {"metadata": merged(doc, params)}
    tx.emit("tax_rate.updated", doc, tx.update(doc, changes))
    return doc
