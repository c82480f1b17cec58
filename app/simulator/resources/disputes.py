"""Disputes: /v1/disputes. Cards, banks and the control surface open them; here they are answered."""

from __future__ import annotations

from app.simulator.engines import disputes as engine
from app.simulator.fields import merged
from app.simulator.listing import lists, retrieves
from app.simulator.registry import Doc, Resource, route
from app.simulator.transaction import Transaction

dispute = Resource(
    "dispute",
    "du_",
    index=("charge", "payment_intent", "status"),
    absent=frozenset({"intended_submission_method", "network_reason_code"}),
)
retrieves("dispute", "/v1/disputes/{dispute}")
lists("dispute", "/v1/disputes")


@route("POST", "/v1/disputes/{dispute}")
def update(tx: Transaction, params: Doc, dispute: str) -> Doc:
    """Stage evidence (`submit` false) or submit it, which is the default; metadata any time."""
    doc = tx.find("dispute", dispute)
    notes: Doc = {"metadata": merged(doc, params)}
    if "intended_submission_method" in params:
        notes["intended_submission_method"] = params["intended_submission_method"]
    engine.answer(tx, doc, params.get("evidence"), params.get("submit"), notes)
    return doc


@route("POST", "/v1/disputes/{dispute}/close")
def close(tx: Transaction, params: Doc, dispute: str) -> Doc:
    """Give in: the dispute is lost, an inquiry closed."""
    doc = tx.find("dispute", dispute)
    engine.lose(tx, doc)
    return doc
