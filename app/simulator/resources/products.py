"""Products: /v1/products."""

from __future__ import annotations

from app.simulator.errors import invalid
from app.simulator.fields import merged, plain, unset
from app.simulator.listing import lists, retrieves
from app.simulator.registry import Doc, Resource, route
from app.simulator.transaction import Transaction

product = Resource("product", "prod_", index=("active",), absent=frozenset({"tax_details"}))
retrieves("product", "/v1/products/{id}")
lists(
    "product",
    "/v1/products",
    ids=lambda doc, wanted: doc["id"] in wanted,
    url=lambda doc, wanted: doc["url"] == wanted,
    shippable=lambda doc, wanted: doc["shippable"] is wanted,
)
_FIELDS = (
    "name", "active", "description", "images", "marketing_features", "package_dimensions", "shippable",
    "statement_descriptor", "tax_code", "unit_label", "url",
)  # fmt: skip


@route("POST", "/v1/products")
def create(tx: Transaction, params: Doc) -> Doc:
    """A product, with its first price when `default_price_data` describes one."""
    fields = {k: unset(params[k]) for k in _FIELDS if k in params}
    doc = tx.create(
        "product",
        {"active": True, "images": [], "marketing_features": [], "metadata": plain(params.get("metadata")),
         "type": params.get("type", "service"), "updated": tx.now} | fields,
        id=params.get("id"),
    )  # fmt: skip
    tx.emit("product.created", doc)
    if "default_price_data" in params:
        from app.simulator.resources.prices import new_price

        price = new_price(tx, params["default_price_data"] | {"product": doc["id"]})
        tx.emit("price.created", price)
        previous = tx.update(doc, default_price=price["id"], updated=tx.now)
        tx.emit("product.updated", doc, previous)
    return doc


@route("POST", "/v1/products/{id}")
def update(tx: Transaction, params: Doc, id: str) -> Doc:
    """Change a product."""
    doc = tx.find("product", id)
    changes = {k: unset(params[k]) for k in (*_FIELDS, "default_price") if k in params}
    for key in ("images", "marketing_features"):
        if key in changes and changes[key] is None:
            changes[key] = []
    previous = tx.update(doc, changes | {"metadata": merged(doc, params), "updated": tx.now})
    tx.emit("product.updated", doc, previous)
    return doc


@route("DELETE", "/v1/products/{id}")
def delete(tx: Transaction, params: Doc, id: str) -> Doc:
    """Delete a product that has no prices."""
    doc = tx.find("product", id)
    if tx.first("price", {"product": id}):
        raise invalid("This product cannot be deleted because it has one or more user-created prices.")
    tx.emit("product.deleted", doc)
    return tx.delete(doc)
