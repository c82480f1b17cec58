"""`expand[]`: ids replaced by the objects they stand for, and fields that are answered only on request."""

from __future__ import annotations

from typing import Any

from app.simulator import contract
from app.simulator.errors import invalid
from app.simulator.registry import RESOURCES, Doc
from app.simulator.transaction import Transaction, shown

DEPTH = 4
Tree = dict[str, Any]


def expanded(tx: Transaction, answer: Doc, paths: list[str]) -> Doc:
    """The answer with every path filled in; raises 400 for one that cannot be."""
    for path in paths:
        levels = path.split(".")
        if len(levels) - (levels[0] == "data") > DEPTH:
            raise invalid(f"You cannot expand more than {DEPTH} levels of a property. Property: {path}")
        _walk(tx, answer, levels, path, None, None)
    return answer


def _walk(
    tx: Transaction, node: Doc, levels: list[str], path: str, cls: Any, owner: tuple[Doc, str] | None
) -> None:
    """Fill `levels` in `node`. `owner` is the nearest whole object and the way from it down to here."""
    head, rest = levels[0], levels[1:]
    if node.get("object") == "list":
        _walk_list(tx, node, levels, path)
        return
    if isinstance(node.get("object"), str):
        cls, owner = contract.class_of(node["object"]), (node, "")
    if cls is None or owner is None:
        raise _unexpandable(path)
    way = f"{owner[1]}.{head}".strip(".")
    compute = RESOURCES[owner[0]["object"]].includes.get(way) if owner[0]["object"] in RESOURCES else None
    targets = contract.step(cls, head)
    if compute is not None and node.get(head) is None:
        node[head] = compute(tx, owner[0])
    elif targets is None or not (targets or rest):
        raise _unexpandable(path)
    node[head] = _filled(tx, node.get(head), targets or ())
    for inner in node[head] if isinstance(node[head], list) else [node[head]]:
        if rest and isinstance(inner, dict):
            _walk(tx, inner, rest, path, targets[0] if targets else None, (owner[0], way))


def _walk_list(tx: Transaction, node: Doc, levels: list[str], path: str) -> None:
    if levels[0] != "data" or len(levels) < 2:
        raise invalid(
            f"This property cannot be expanded ({path}). You may want to try expanding 'data.{path}' instead."
            if levels[0] != "data"
            else f"This property cannot be expanded ({path})."
        )
    for entry in node["data"]:
        _walk(tx, entry, levels[1:], path, None, None)


def _filled(tx: Transaction, value: Any, targets: tuple[Any, ...]) -> Any:
    if isinstance(value, list):
        return [_filled(tx, entry, targets) for entry in value]
    if not isinstance(value, str):
        return value
    for target in targets:
        name = getattr(target, "OBJECT_NAME", None)
        doc = tx.get(name, value) if name in RESOURCES else None
        if doc is not None:
            return shown(doc)
    return value


def _unexpandable(path: str) -> Exception:
    return invalid(f"This property cannot be expanded ({path}).")
