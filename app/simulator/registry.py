"""What a resource file declares: its object, its routes, what can be included in it, and its timed work.

A resource is one file in `resources/`; importing it registers everything. Nothing else lists resources.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.simulator.transaction import Transaction

Doc = dict[str, Any]
Handler = Callable[..., Any]


@dataclass(frozen=True)
class Route:
    """One operation: `params` names its parameters when the SDK does not know the path."""

    method: str
    template: str
    handler: Handler
    params: dict[str, type] | None = None
    names: tuple[str, ...] = ()


@dataclass
class Resource:
    """One kind of object. `index` are fields that lists and queries look up; `absent` the SDK's optional fields
    that this object does not show; `label` is how `No such …` names it."""

    name: str
    prefix: str
    label: str = ""
    index: tuple[str, ...] = ()
    absent: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    includes: dict[str, Callable[[Transaction, Doc], Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.label = self.label or self.name
        RESOURCES[self.name] = self

    def include(
        self, path: str
    ) -> Callable[[Callable[[Transaction, Doc], Any]], Callable[[Transaction, Doc], Any]]:
        """Declare a field that is answered only when expanded, as `charge.refunds`."""

        def register(compute: Callable[[Transaction, Doc], Any]) -> Callable[[Transaction, Doc], Any]:
            self.includes[path] = compute
            return compute

        return register


RESOURCES: dict[str, Resource] = {}
ROUTES: list[Route] = []
TIMED: dict[str, Callable[[Transaction, str], None]] = {}
_TREE: dict[str, Any] = {}


def route(method: str, template: str, params: dict[str, type] | None = None) -> Callable[[Handler], Handler]:
    """Register the handler of `method template`: it gets (tx, params, *path values) and returns an object."""

    def register(handler: Handler) -> Handler:
        entry = Route(method, template, handler, params, tuple(re.findall(r"\{(\w+)\}", template)))
        ROUTES.append(entry)
        node = _TREE
        for part in template.strip("/").split("/"):
            node = node.setdefault("*" if part.startswith("{") else part, {})
        node[f"#{method}"] = entry
        return handler

    return register


def match(method: str, path: str) -> tuple[Route, list[str]] | None:
    """The route of a request and the values in its path; a literal segment wins over a placeholder."""
    found = _descend(_TREE, path.strip("/").split("/"), [])
    if found is None:
        return None
    node, values = found
    entry = node.get(f"#{method}")
    return (entry, values) if entry else None


def _descend(
    node: dict[str, Any], parts: list[str], values: list[str]
) -> tuple[dict[str, Any], list[str]] | None:
    if not parts:
        return (node, values) if any(k.startswith("#") for k in node) else None
    head, rest = parts[0], parts[1:]
    if head in node and head != "*":
        found = _descend(node[head], rest, values)
        if found:
            return found
    if "*" in node and head:
        return _descend(node["*"], rest, [*values, head])
    return None


def timed(kind: str) -> Callable[[Callable[[Transaction, str], None]], Callable[[Transaction, str], None]]:
    """Register what happens when work of `kind`, put off with `tx.schedule`, falls due."""

    def register(run: Callable[[Transaction, str], None]) -> Callable[[Transaction, str], None]:
        TIMED[kind] = run
        return run

    return register
