"""Small readings of parameters that every resource shares: unset values, metadata, numbers that JSON can hold."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from app.simulator.registry import Doc


def unset(value: Any) -> Any:
    """A parameter as a document holds it: the empty string unsets, numbers are as JSON shows them."""
    if isinstance(value, dict):
        return {k: unset(v) for k, v in value.items()}
    if isinstance(value, list):
        return [unset(v) for v in value]
    if value == "":
        return None
    return number(value) if isinstance(value, Decimal) else value


def number(value: Decimal) -> int | float:
    """A rate as JSON shows it: 19 or 25.5. Rates only; amounts are never fractions here."""
    return int(value) if value == value.to_integral_value() else float(value)


def plain(metadata: Any) -> Doc:
    """Metadata of a new object."""
    return {k: v for k, v in (metadata or {}).items() if v != ""}


def merged(doc: Doc, params: Doc) -> Doc:
    """Metadata after an update: given keys replace, empty values remove, an empty whole clears."""
    given = params.get("metadata")
    if given is None:
        return dict(doc["metadata"] or {})
    if given == "":
        return {}
    return {k: v for k, v in ((doc["metadata"] or {}) | given).items() if v != ""}
