"""Subscription schedules: /v1/subscription_schedules, as far as a change of plan at renewal needs them."""

from __future__ import annotations

from app.simulator.engines import periods, phases, subscription_changes, subscription_pauses, subscriptions
from app.simulator.errors import invalid
from app.simulator.fields import merged, plain
from app.simulator.listing import lists, retrieves
from app.simulator.registry import Doc, Resource, route
from app.simulator.resources.prices import usable
from app.simulator.resources.subscription_items import counted, rates
from app.simulator.transaction import Transaction
from app.simulator.versions import Form, translation

subscription_schedule = Resource("subscription_schedule", "sub_sched_", index=("customer", "subscription"))
retrieves("subscription_schedule", "/v1/subscription_schedules/{schedule}")
lists(
    "subscription_schedule",
    "/v1/subscription_schedules",
    scheduled=lambda doc, wanted: (doc["status"] == "not_started") == wanted,
)
_OF_A_PHASE = (
    "proration_behavior",
    "billing_cycle_anchor",
    "description",
    "collection_method",
    "default_payment_method",
)
_MONTH: Doc = {"interval": "month"}
_LATER = ("add_invoice_items", "trial", "trial_end", "discounts")


@route("POST", "/v1/subscription_schedules")
def create(tx: Transaction, params: Doc) -> Doc:
    """A schedule for a subscription there is, or for one that its first phase makes."""
    if "from_subscription" in params:
        return _from(tx, params)
    if "customer" not in params:
        raise invalid("Missing required param: customer.", "customer", "parameter_missing")
    owner = tx.find("customer", params["customer"], "customer")
    if not params.get("phases"):
        raise invalid("Missing required param: phases.", "phases", "parameter_missing")
    start = params.get("start_date", "now")
    start = tx.now if start == "now" else int(start)
    stages = _phases(tx, params, start)
    doc = _stored(tx, params, owner, stages, None)
    if start <= tx.now:
        phases.begin(tx, doc)
    else:
        phases.plan_ahead(tx, doc)
    tx.emit("subscription_schedule.created", doc)
    return doc


def _from(tx: Transaction, params: Doc) -> Doc:
    if params.keys() & {"phases", "customer", "start_date"}:
        raise invalid(
            "When `from_subscription` is set, `phases`, `customer` and `start_date` cannot be set: they are taken from "
            "the subscription.", "from_subscription",
        )  # fmt: skip
    sub = tx.find("subscription", params["from_subscription"], "from_subscription")
    if sub["status"] in subscriptions.OVER:
        raise invalid("You cannot schedule a subscription that is canceled.", "from_subscription")
    if sub["schedule"]:
        raise invalid(
            f"You cannot migrate a subscription that is already attached to a schedule: {sub['schedule']}.",
            "from_subscription",
        )
    owner = tx.find("customer", sub["customer"])
    doc = _stored(tx, params, owner, [phases.of_subscription(sub)], sub)
    phases.attach(tx, doc, sub)
    tx.emit("subscription_schedule.created", doc)
    return doc


def _stored(tx: Transaction, params: Doc, owner: Doc, stages: list[Doc], sub: Doc | None) -> Doc:
    flexible = {"flexible": {"proration_discounts": "included"}, "type": "flexible", "updated_at": tx.now}
    wishes = {k: v for k, v in (params.get("default_settings") or {}).items() if k in _OF_A_PHASE}
    return tx.create(
        "subscription_schedule",
        {
            "billing_mode": sub["billing_mode"] if sub else flexible, "customer": owner["id"],
            "default_settings": phases.settings(sub) | wishes, "end_behavior": params.get("end_behavior", "release"),
            "metadata": plain(params.get("metadata") or None), "pause_schedules": [], "phases": stages,
            "status": "not_started", "test_clock": owner.get("test_clock"),
        },
    )  # fmt: skip


def _phases(tx: Transaction, params: Doc, start: int) -> list[Doc]:
    """The phases of a request, one after the other."""
    times = {k: min(n, 100) for k, n in ((params.get("_legacy") or {}).get("iterations") or {}).items()}
    found: list[Doc] = []
    for i, given in enumerate(params["phases"]):
        for key in _LATER:
            if given.get(key):
                raise invalid(f"This simulator does not know `{key}` in phases.", f"phases[{i}][{key}]")
        begins = given.get("start_date", start)
        start = tx.now if begins == "now" else int(begins)
        items = [_item(tx, x, f"phases[{i}][items][{j}]") for j, x in enumerate(given["items"])]
        if not items:
            raise invalid("Each phase needs at least one item.", f"phases[{i}][items]")
        if not 0 <= start < periods.LAST or periods.too_long(given.get("duration") or _MONTH):
            raise invalid("Invalid timestamp or duration of a phase.", f"phases[{i}][start_date]")
        end = phases.ends_of(tx, given | {"items": items}, start, times.get(i))
        if not start < end < periods.LAST or (found and start != found[-1]["end_date"]):
            raise invalid(
                "Each phase must begin where the one before it ends, and end later.", f"phases[{i}][end_date]"
            )
        currency = tx.find("price", items[0]["price"])["currency"]
        more = {k: given[k] for k in _OF_A_PHASE if given.get(k)}
        found.append(phases.phase(start, end, items, currency, metadata=plain(given.get("metadata")), **more))
        start = end
    return found


def _item(tx: Transaction, given: Doc, param: str) -> Doc:
    price = usable(tx, given.get("price") or given.get("plan") or "", f"{param}[price]")
    out = {k: given[k] for k in ("quantity", "metadata") if k in given}
    counted(given.get("quantity", 1), param)
    return out | {
        "price": price["id"],
        "tax_rates": rates(tx, given.get("tax_rates") or [], f"{param}[tax_rates]"),
    }


@route("POST", "/v1/subscription_schedules/{schedule}")
def update(tx: Transaction, params: Doc, schedule: str) -> Doc:
    """Other phases; what changes in the current one changes in the subscription at once."""
    doc = tx.find("subscription_schedule", schedule)
    if doc["status"] not in phases.OPEN:
        raise invalid(
            f"You cannot update a subscription schedule that is currently in the `{doc['status']}` status. Only schedules "
            "in `not_started` or `active` status can be updated."
        )
    changes: Doc = {"metadata": merged(doc, params)}
    if "end_behavior" in params:
        changes["end_behavior"] = params["end_behavior"]
    if params.get("phases"):
        changes["phases"] = _phases(tx, params, doc["phases"][0]["start_date"])
        changes["current_phase"] = phases.current(changes, tx.now) if doc["status"] == "active" else None
        if doc["status"] == "active" and changes["current_phase"] is None:
            raise invalid(
                "The current phase must be among the phases: one of them has to cover now.", "phases"
            )
    previous = tx.update(doc, changes)
    phases.plan_ahead(tx, doc)
    if previous:
        tx.emit("subscription_schedule.updated", doc, previous)
    if "phases" in previous and doc["status"] == "active":
        _apply(tx, doc, params)
    return doc


def _apply(tx: Transaction, doc: Doc, params: Doc) -> None:
    sub = tx.find("subscription", doc["subscription"])
    stage = next(p for p in doc["phases"] if p["start_date"] == doc["current_phase"]["start_date"])
    terms = {"proration_behavior": params.get("proration_behavior", stage["proration_behavior"])}
    subscription_changes.change(tx, sub, phases.specs_for(tx, sub, stage), terms, {})


@route("POST", "/v1/subscription_schedules/{schedule}/cancel")
def cancel(tx: Transaction, params: Doc, schedule: str) -> Doc:
    """End a schedule and its subscription."""
    doc = tx.find("subscription_schedule", schedule)
    sub = phases.cancel(tx, doc)
    if sub is not None and sub["status"] not in subscriptions.OVER:
        subscription_pauses.cancel(
            tx, sub, {}, prorate=params.get("prorate", True), invoice_now=params.get("invoice_now", True)
        )
    return doc


@route("POST", "/v1/subscription_schedules/{schedule}/release")
def release(tx: Transaction, params: Doc, schedule: str) -> Doc:
    """End a schedule; its subscription goes on."""
    doc = tx.find("subscription_schedule", schedule)
    phases.release(tx, doc)
    return doc


@translation("POST", "/v1/subscription_schedules", "/v1/subscription_schedules/{schedule}")
def _iterations(form: Form) -> Form:
    """Phases were once counted in intervals of their price."""
    stages = form.get("phases")
    if isinstance(stages, list) and all(isinstance(p, dict) for p in stages):
        counted = {i: p["iterations"] for i, p in enumerate(stages) if str(p.get("iterations", "")).isdigit()}
        form["phases"] = [{k: v for k, v in p.items() if k != "iterations"} for p in stages]
        if counted:
            form["_legacy"] = {"iterations": {i: int(n) for i, n in counted.items()}}
    return form
