"""Pages of a list as Stripe cuts them: newest first, by cursor, with filters by field and by time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from app.simulator.errors import invalid, missing
from app.simulator.registry import RESOURCES, Doc, route
from app.simulator.transaction import Transaction, shown

_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "gt": int.__gt__, "gte": int.__ge__, "lt": int.__lt__, "lte": int.__le__,
}  # fmt: skip
_CONTROL = frozenset(["limit", "starting_after", "ending_before", "expand"])


def lists(name: str, template: str, **special: Callable[[Doc, Any], bool]) -> None:
    """Register `GET template`: every other parameter filters by the field of its name, or by `special`."""

    def handler(tx: Transaction, params: Doc, **path: str) -> Doc:
        return page(tx, name, params, template, special)

    route("GET", template)(handler)


def retrieves(name: str, template: str, *, tombstones: bool = False) -> None:
    """Register `GET template` for one object; with `tombstones` a deleted one is answered as such."""
    param = template.rsplit("{", 1)[1].rstrip("}")

    def handler(tx: Transaction, params: Doc, **path: str) -> Doc:
        identifier = path[param]
        doc = tx.get(name, identifier)
        if doc is None or (doc.get("deleted") is True and not tombstones):
            raise missing(RESOURCES[name].label, identifier, param)
        return doc

    route("GET", template)(handler)


def page(
    tx: Transaction,
    name: str,
    params: Doc,
    url: str,
    special: dict[str, Callable[[Doc, Any], bool]] | None = None,
    *,
    where: Doc | None = None,
    keep: Callable[[Doc], bool] | None = None,
) -> Doc:
    """One page of objects `name` that match the parameters, `where` and `keep`."""
    special = special or {}
    fields = {k: v for k, v in params.items() if k not in _CONTROL and k not in special}
    between = {
        k: fields.pop(k)
        for k in [k for k, v in fields.items() if isinstance(v, dict) and v.keys() <= _COMPARE.keys()]
    }
    chosen = {k: v for k, v in params.items() if k in special}

    def wanted(doc: Doc) -> bool:
        return (
            (keep is None or keep(doc))
            and all(special[k](doc, v) for k, v in chosen.items())
            and all(_within(doc.get(k), bounds) for k, bounds in between.items())
        )

    before, after = _cursors(tx, name, params)
    found = tx.scan(name, fields | (where or {}), before=before, after=after, keep=wanted)
    data, more = cut(found, limit_of(params))
    return list_of(data if after is None else data[::-1], url, more)


def list_of(data: list[Doc], url: str, more: bool = False) -> Doc:
    """A list object."""
    return {"object": "list", "data": [shown(d) for d in data], "has_more": more, "url": url}


def cut(found: Iterator[Doc], limit: int) -> tuple[list[Doc], bool]:
    """The first `limit` of them, and whether there are more."""
    data = list(islice(found, limit + 1))
    return data[:limit], len(data) > limit


def limit_of(params: Doc) -> int:
    """The size of a page, 10 unless told."""
    limit = int(params.get("limit", 10))
    if not 1 <= limit <= 100:
        bound = "greater than or equal to 1" if limit < 1 else "less than or equal to 100"
        raise invalid(f"This value must be {bound}.", "limit", f"parameter_invalid_{'integer'}")
    return limit


def sliced(data: list[Doc], params: Doc, url: str) -> Doc:
    """A page of objects that live inside another one, as line items do, in their own order."""
    ids = [d["id"] for d in data]
    after, before = params.get("starting_after"), params.get("ending_before")
    limit = limit_of(params)
    if after is not None:
        start = _place(ids, after, "starting_after") + 1
        return list_of(data[start : start + limit], url, len(data) > start + limit)
    if before is not None:
        end = _place(ids, before, "ending_before")
        return list_of(data[max(0, end - limit) : end], url, end > limit)
    return list_of(data[:limit], url, len(data) > limit)


def _place(ids: list[str], cursor: str, param: str) -> int:
    if cursor not in ids:
        raise missing("item", cursor, param, 400)
    return ids.index(cursor)


def _cursors(tx: Transaction, name: str, params: Doc) -> tuple[int | None, int | None]:
    both = [p for p in ("starting_after", "ending_before") if p in params]
    if len(both) == 2:
        raise invalid("You can only specify one of these parameters: starting_after, ending_before.")
    places: dict[str, int] = {}
    for param in both:
        seq = tx.seq_of(name, params[param])
        if seq is None:
            raise missing(RESOURCES[name].label, params[param], param, 400)
        places[param] = seq
    return places.get("starting_after"), places.get("ending_before")


def _within(value: Any, bounds: dict[str, int]) -> bool:
    return value is not None and all(_COMPARE[k](int(value), bound) for k, bound in bounds.items())
