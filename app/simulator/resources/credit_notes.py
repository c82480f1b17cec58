"""Credit notes: /v1/credit_notes."""

from __future__ import annotations

from app.simulator import contract
from app.simulator.engines import credit_notes as engine
from app.simulator.fields import merged, unset
from app.simulator.listing import lists, retrieves, sliced
from app.simulator.registry import Doc, Resource, route
from app.simulator.transaction import Transaction, shown

credit_note = Resource("credit_note", "cn_", label="credit note", index=("invoice", "customer"))
retrieves("credit_note", "/v1/credit_notes/{id}")
lists("credit_note", "/v1/credit_notes")


@route("POST", "/v1/credit_notes")
def create(tx: Transaction, params: Doc) -> Doc:
    """A note for a finalized invoice."""
    return engine.issue(tx, tx.find("invoice", params["invoice"], "invoice"), params)


@route("GET", "/v1/credit_notes/preview")
def preview(tx: Transaction, params: Doc) -> Doc:
    """What a note would be; nothing is written."""
    fields = _previewed(tx, params)
    return contract.blank("credit_note") | shown(fields)


@route("GET", "/v1/credit_notes/preview/lines")
def preview_lines(tx: Transaction, params: Doc) -> Doc:
    """The lines of a note that does not exist."""
    return sliced(_previewed(tx, params)["_lines"], params, "/v1/credit_notes/preview/lines")


def _previewed(tx: Transaction, params: Doc) -> Doc:
    return engine.reckoned(tx, tx.find("invoice", params["invoice"], "invoice"), params)


@route("GET", "/v1/credit_notes/{credit_note}/lines")
def lines(tx: Transaction, params: Doc, credit_note: str) -> Doc:
    """The lines in their order."""
    note = tx.find("credit_note", credit_note)
    return sliced(note["_lines"], params, f"/v1/credit_notes/{credit_note}/lines")


@route("POST", "/v1/credit_notes/{id}")
def update(tx: Transaction, params: Doc, id: str) -> Doc:
    """Change memo and metadata."""
    note = tx.find("credit_note", id)
    changes: Doc = {"metadata": merged(note, params)}
    if "memo" in params:
        changes["memo"] = unset(params["memo"])
    tx.emit("credit_note.updated", note, tx.update(note, changes))
    return note


@route("POST", "/v1/credit_notes/{id}/void")
def void(tx: Transaction, params: Doc, id: str) -> Doc:
    """Take a note back."""
    return engine.void(tx, tx.find("credit_note", id))
