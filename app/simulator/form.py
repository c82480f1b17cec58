"""Form bodies and queries in Stripe's bracket notation, `a[b][0]=x`, decoded into dicts and lists."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from app.simulator.errors import StripeError, invalid

_PART = re.compile(r"\[([^\]]*)\]")
MAX_BYTES = 1_000_000
MAX_FIELDS = 5_000
MAX_DEPTH = 12


def decode(raw: bytes) -> dict[str, Any]:
    """The parameters of a form body or query string; a body that is not one raises a 400."""
    if len(raw) > MAX_BYTES:
        raise StripeError(413, "Request body is too large.")
    try:
        text = raw.decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except (UnicodeDecodeError, ValueError) as error:
        raise invalid("Invalid request body: it must be valid UTF-8 form data.") from error
    root: dict[str, Any] = {}
    for key, value in pairs:
        if "\x00" in value or "\x00" in key:
            raise invalid("Invalid request: null bytes are not allowed.")
        _place(root, _path(key), value)
    return {key: _listed(value) for key, value in root.items()}


def _path(key: str) -> list[str]:
    head, bracket, _ = key.partition("[")
    if not bracket:
        return [key]
    path = [head, *_PART.findall(key)]
    if len(path) > MAX_DEPTH:
        raise invalid(f"Invalid request: parameters are nested too deeply ({head}).", param=head)
    return path


def _place(node: dict[str, Any], path: list[str], value: str) -> None:
    for part in path[:-1]:
        inner = node.setdefault(part or str(len(node)), {})
        if not isinstance(inner, dict):
            raise invalid(
                f"Invalid request: '{path[0]}' is given both as a value and as a group.", param=path[0]
            )
        node = inner
    node[path[-1] or str(len(node))] = value


def _listed(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    inner = {key: _listed(value) for key, value in node.items()}
    if inner and all(key.isascii() and key.isdigit() and len(key) < 7 for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner
