"""Cards as sources of a customer: /v1/customers/{customer}/sources. New shops use payment methods instead."""

from __future__ import annotations

from app.simulator.engines import sources
from app.simulator.errors import missing
from app.simulator.fields import merged, plain
from app.simulator.listing import list_of, page
from app.simulator.registry import Doc, Resource, route
from app.simulator.resources.customers import customer as customers
from app.simulator.transaction import Transaction

Resource(
    "card",
    "card_",
    label="source",
    index=("customer",),
    absent=frozenset(
        {"account", "allow_redisplay", "available_payout_methods", "currency", "default_for_currency", "deleted",
         "description", "iin", "issuer", "networks", "status"}
    ),
)  # fmt: skip


@customers.include("sources")
def _sources(tx: Transaction, doc: Doc) -> Doc:
    found = list(tx.scan("card", {"customer": doc["id"]}))
    return list_of(found[:10], f"/v1/customers/{doc['id']}/sources", len(found) > 10)


def _owned(tx: Transaction, customer: str, source: str) -> tuple[Doc, Doc]:
    owner, doc = tx.find("customer", customer), tx.get("card", source)
    if doc is None or doc.get("deleted") or doc["customer"] != customer:
        raise missing("source", source)
    return owner, doc


@route("POST", "/v1/customers/{customer}/sources")
def create(tx: Transaction, params: Doc, customer: str) -> Doc:
    """Keep the card of a token."""
    owner = tx.find("customer", customer)
    return sources.add(tx, owner, params["source"], plain(params.get("metadata")))


@route("GET", "/v1/customers/{customer}/sources")
def listed(tx: Transaction, params: Doc, customer: str) -> Doc:
    """The cards of a customer."""
    tx.find("customer", customer)
    return page(tx, "card", params, f"/v1/customers/{customer}/sources", where={"customer": customer})


@route("GET", "/v1/customers/{customer}/sources/{id}")
def retrieve(tx: Transaction, params: Doc, customer: str, id: str) -> Doc:
    """One card of a customer."""
    return _owned(tx, customer, id)[1]


@route("POST", "/v1/customers/{customer}/sources/{id}")
def update(tx: Transaction, params: Doc, customer: str, id: str) -> Doc:
    """Change name, address, expiry and metadata."""
    _, doc = _owned(tx, customer, id)
    texts = {k: v for k, v in params.items() if k == "name" or k.startswith("address_")}
    dates = {k: int(params[k]) for k in ("exp_month", "exp_year") if str(params.get(k, "")).isdigit()}
    previous = tx.update(doc, texts | dates | {"metadata": merged(doc, params)})
    tx.emit("customer.source.updated", doc, previous)
    return doc


@route("DELETE", "/v1/customers/{customer}/sources/{id}")
def delete(tx: Transaction, params: Doc, customer: str, id: str) -> Doc:
    """Take a card off."""
    return sources.remove(tx, *_owned(tx, customer, id))
