"""Lines of invoices: /v1/invoices/{invoice}/lines, and changing those of drafts."""

from __future__ import annotations

from app.simulator.engines import invoice_items, invoicing
from app.simulator.errors import invalid, missing
from app.simulator.fields import merged
from app.simulator.listing import sliced
from app.simulator.registry import Doc, route
from app.simulator.resources.invoice_items import bounded, details, editable, priced
from app.simulator.transaction import Transaction, shown

_COST = {"amount", "quantity", "price_data", "pricing"}


@route("GET", "/v1/invoices/{invoice}/lines")
def listing(tx: Transaction, params: Doc, invoice: str) -> Doc:
    """The lines in their order."""
    doc = tx.find("invoice", invoice)
    return sliced(doc["_lines"], params, f"/v1/invoices/{invoice}/lines")


@route("POST", "/v1/invoices/{invoice}/add_lines")
def add(tx: Transaction, params: Doc, invoice: str) -> Doc:
    """Put lines on a draft: new ones, or pending items."""
    doc = _draft(tx, invoice)
    customer = tx.find("customer", doc["customer"])
    given: list[Doc] = []
    for i, line in enumerate(params["lines"]):
        where = f"lines[{i}]"
        if line.get("invoice_item"):
            item = tx.find("invoiceitem", line["invoice_item"], f"{where}[invoice_item]")
            tx.update(item, invoice=doc["id"])
        else:
            fresh = priced(tx, line, doc["currency"], where) | details(
                tx, line, doc["currency"], customer["id"]
            )
            fresh.pop("currency")
            item = invoice_items.pend(tx, customer, doc["currency"], fresh, invoice=doc["id"])
        given += invoice_items.as_lines(tx, [item])
    _metadata(tx, doc, params)
    invoicing.add(tx, doc, given)
    return doc


@route("POST", "/v1/invoices/{invoice}/update_lines")
def update_many(tx: Transaction, params: Doc, invoice: str) -> Doc:
    """Change lines of a draft."""
    doc = _draft(tx, invoice)
    _metadata(tx, doc, params)
    for i, line in enumerate(params["lines"]):
        _change(tx, doc, line["id"], line, f"lines[{i}]")
    return doc


@route("POST", "/v1/invoices/{invoice}/lines/{line_item_id}")
def update(tx: Transaction, params: Doc, invoice: str, line_item_id: str) -> Doc:
    """Change one line of a draft; answers the line."""
    doc = _draft(tx, invoice)
    _change(tx, doc, line_item_id, params, "")
    return next(shown(x) for x in doc["_lines"] if x["id"] == line_item_id)


def _change(tx: Transaction, doc: Doc, identifier: str, params: Doc, where: str) -> None:
    line = next((x for x in doc["_lines"] if x["id"] == identifier), None)
    if line is None:
        raise missing("invoice line item", identifier, f"{where}[id]" if where else "line_item_id", 404)
    new = details(tx, params | {"metadata": merged(line, params)}, doc["currency"], doc["customer"])
    changes = {k: v for k, v in new.items() if k not in ("period", "tax_rates")}
    if "period" in new:
        changes["period"] = {"start": new["period"][0], "end": new["period"][1]}
    if "tax_rates" in new:
        changes["_rates"] = new["tax_rates"]
    if params.keys() & _COST:
        changes |= _cost(tx, doc, line, params, where)
    item = tx.get("invoiceitem", invoicing.item_of(line))
    if item is not None:
        tx.update(item, {k: v for k, v in changes.items() if k in item and k[0] != "_"})
    lines = [x | changes if x["id"] == identifier else x for x in doc["_lines"]]
    tx.emit("invoice.updated", doc, invoicing.recount(tx, doc, lines))


def _cost(tx: Transaction, doc: Doc, line: Doc, params: Doc, where: str) -> Doc:
    if params.keys() & {"amount", "price_data", "pricing"}:
        found = priced(tx, params, doc["currency"], where)
    else:
        unit = line["amount"] // (line["quantity"] or 1)
        price = tx.get("price", ((line["pricing"] or {}).get("price_details") or {}).get("price"))
        found = {"price": price, "quantity": params["quantity"], "amount": bounded(unit * params["quantity"])}
    return {
        "amount": found["amount"], "subtotal": found["amount"], "quantity": found["quantity"],
        "quantity_decimal": str(found["quantity"]), "pricing": invoicing.pricing(found["price"]),
        "_product": (found["price"] or {}).get("product"),
    }  # fmt: skip


@route("POST", "/v1/invoices/{invoice}/remove_lines")
def remove(tx: Transaction, params: Doc, invoice: str) -> Doc:
    """Take lines off a draft; their items are deleted or wait again."""
    doc = _draft(tx, invoice)
    _metadata(tx, doc, params)
    gone = {}
    for i, each in enumerate(params["lines"]):
        line = next((x for x in doc["_lines"] if x["id"] == each["id"]), None)
        if line is None:
            raise missing("invoice line item", each["id"], f"lines[{i}][id]", 400)
        item = tx.get("invoiceitem", invoicing.item_of(line))
        if item is None:
            raise invalid("Lines of subscriptions cannot be removed from an invoice.", f"lines[{i}][id]")
        gone[line["id"]] = item
        if each["behavior"] == "unassign":
            tx.update(item, invoice=None)
        else:
            tx.emit("invoiceitem.deleted", item)
            tx.delete(item)
    kept = [x for x in doc["_lines"] if x["id"] not in gone]
    tx.emit("invoice.updated", doc, invoicing.recount(tx, doc, kept))
    return doc


def _draft(tx: Transaction, invoice: str) -> Doc:
    doc = tx.find("invoice", invoice, "invoice", status=404)
    editable(doc)
    return doc


def _metadata(tx: Transaction, doc: Doc, params: Doc) -> None:
    if "invoice_metadata" in params:
        tx.update(doc, metadata=merged(doc, {"metadata": params["invoice_metadata"]}))
