"""Stripe's own shapes, read from the installed SDK: the only file here that imports stripe.

Operations come from its generated services, parameters from its TypedDicts, answers from its resource
classes. All of it is read when first asked for, so that starting costs nothing.
"""

from __future__ import annotations

import importlib
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any, NotRequired, Required

import stripe
from stripe._list_object import ListObject
from stripe._object_classes import OBJECT_CLASSES
from stripe._request_options import RequestOptions
from stripe._search_result_object import SearchResultObject
from stripe._stripe_object import StripeObject, UntypedStripeObject
from typing_extensions import get_type_hints, is_typeddict

API_VERSION: str = stripe.api_version or ""
ROOT = Path(stripe.__file__).parent
LONGEST = {
    "client_reference_id": 200, "email": 512, "customer_email": 800, "name": 5000, "description": 40000,
    "statement_descriptor": 22, "statement_descriptor_suffix": 22, "lookup_key": 200, "success_url": 5000,
    "cancel_url": 5000, "return_url": 5000, "currency": 3,
}  # fmt: skip
_CALL = re.compile(
    r"""    def (?P<name>\w+)\((?P<head>.*?)\n    \)\s*->\s*(?P<returns>.*?):\n(?:(?!\n    def |\n    async def ).)*?"""
    r"""self\._request(?:_stream)?\(\s*"(?P<verb>\w+)",\s*"(?P<path>[^"]+)\"""",
    re.S,
)


class ParamProblem(Exception):
    """One parameter that Stripe refuses: its path, Stripe's sentence, and Stripe's code if it has one."""

    def __init__(self, param: str, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.param, self.message, self.code = param, message, code


@dataclass(frozen=True)
class Operation:
    """One call the SDK can make: its verb, path template and where its parameters are declared."""

    method: str
    template: str
    params: tuple[str, str] | None


# ------------------------------------------------------------------------------------------ operations


@cache
def operations() -> dict[tuple[str, str], Operation]:
    """Every operation of the SDK by verb and path template."""
    found: dict[tuple[str, str], Operation] = {}
    for file in ROOT.rglob("_*service.py"):
        text = file.read_text("utf-8")
        if '"/v1/' not in text:
            continue
        for match in _CALL.finditer(text):
            verb, path = match["verb"].upper(), match["path"]
            hint = re.search(
                r"params:[^\n]*?\"(\w+Params)\"|params:\s*Optional\[\s*\"(\w+Params)\"", match["head"]
            )
            name = (hint[1] or hint[2]) if hint else None
            found[verb, path] = Operation(verb, path, _imported(text, name) if name else None)
    return found


def _imported(text: str, name: str) -> tuple[str, str]:
    match = re.search(rf"from (stripe\.params\S*) import (?:\(\s*)?{name}\b", text)
    if match is None:
        raise LookupError(f"the SDK names {name} without importing it")
    return match[1], name


# ------------------------------------------------------------------------------------------ parameters

Reader = Callable[[Any, str], Any]


def read_params(method: str, template: str, form: dict[str, Any]) -> dict[str, Any]:
    """The form's values in their own types (int, bool, Decimal); raises ParamProblem at the first wrong one."""
    result = _params_reader(method, template)(form, "")
    return typing.cast(dict[str, Any], result)


@cache
def _params_reader(method: str, template: str) -> Reader:
    operation = operations().get((method, template))
    if operation is None:
        raise LookupError(f"the SDK has no {method} {template}")
    if operation.params is None:
        return _fields_reader({})
    module, name = operation.params
    return _dict_reader(getattr(importlib.import_module(module), name))


def reader_of(allowed: dict[str, type]) -> Reader:
    """A reader for a path that only Stripe's own scripts call, with its parameters named here."""
    return _fields_reader({key: (False, _reader(hint)) for key, hint in allowed.items()})


@cache
def _dict_reader(td: Any) -> Reader:
    names = {"StripeContext": object, "Mapping": typing.Mapping, **vars(sys.modules[td.__module__])}
    hints = get_type_hints(td, names, include_extras=True)
    options = RequestOptions in getattr(td, "__orig_bases__", ())
    fields: dict[str, tuple[bool, Reader]] = {}
    name: str
    hint: Any
    for name, hint in hints.items():
        if options and name in RequestOptions.__annotations__:
            continue
        required = name in td.__required_keys__
        while typing.get_origin(hint) in (NotRequired, Required):
            required = typing.get_origin(hint) is Required
            hint = typing.get_args(hint)[0]
        fields[name] = (required, _lazy(hint, name))
    return _fields_reader(fields)


def _lazy(hint: Any, name: str) -> Reader:
    made: list[Reader] = []

    def read(value: Any, path: str) -> Any:
        if not made:
            made.append(_reader(hint))
        limit = LONGEST.get(name)
        if limit and isinstance(value, str) and len(value) > limit:
            shown = f"{value[:3]}...{value[-3:]}"
            raise ParamProblem(path, f"Invalid string: {shown}; must be at most {limit} characters")
        if name == "metadata" and isinstance(value, dict):
            _check_metadata(value, path)
        return made[0](value, path)

    return read


def _check_metadata(value: dict[str, Any], path: str) -> None:
    if len(value) > 50:
        raise ParamProblem(path, "Metadata can have up to 50 keys.")
    for key, text in value.items():
        if len(key) > 40:
            raise ParamProblem(path, f"Metadata keys can be up to 40 characters in length: {key[:40]}…")
        if isinstance(text, str) and len(text) > 500:
            message = f"Metadata values can have up to 500 characters, but you passed in a value that is {len(text)}"
            raise ParamProblem(f"{path}[{key}]", f"{message} characters.")


def _fields_reader(fields: dict[str, tuple[bool, Reader]]) -> Reader:
    def read(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise ParamProblem(path, "Invalid object")
        for key in value:
            if key not in fields:
                where = f"{path}[{key}]" if path else key
                raise ParamProblem(where, f"Received unknown parameter: {where}", "parameter_unknown")
        result = {}
        for key, (required, reader) in fields.items():
            where = f"{path}[{key}]" if path else key
            if key in value:
                result[key] = reader(value[key], where)
            elif required:
                raise ParamProblem(where, f"Missing required param: {where}.", "parameter_missing")
        return result

    return read


def _arms(hint: Any) -> Iterator[Any]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        for arm in typing.get_args(hint):
            yield from _arms(arm)
    else:
        yield hint


def _reader(hint: Any) -> Reader:
    arms = list(_arms(hint))
    literals = [v for a in arms if typing.get_origin(a) is typing.Literal for v in typing.get_args(a)]
    others = [a for a in arms if typing.get_origin(a) is not typing.Literal and a is not type(None)]
    named = [v for v in literals if v != ""]
    # The SDK types Stripe's open enums as Literal | str; the API refuses what it does not list all the same.
    readers = [_arm_reader(a) for a in others if not (named and a is str)]

    def read(value: Any, path: str) -> Any:
        if value == "" and isinstance(value, str):
            if "" in literals:
                return ""
            raise _empty(path)
        if named and not isinstance(value, dict | list):
            if value in named:
                return value
            if not readers:
                raise _not_listed(path, named)
        return _first(readers, value, path) if readers else _refuse_group(value, path)

    return read


def _first(readers: list[Reader], value: Any, path: str) -> Any:
    deepest: ParamProblem | None = None
    for reader in readers:
        try:
            return reader(value, path)
        except ParamProblem as problem:
            if deepest is None or problem.param.count("[") > deepest.param.count("["):
                deepest = problem
    raise deepest or ParamProblem(path, "Invalid value")


def _empty(path: str) -> ParamProblem:
    return ParamProblem(
        path,
        f"You passed an empty string for '{path}'. We assume empty values are an attempt to unset a parameter; "
        f"however '{path}' cannot be unset. You should remove '{path}' from your request or supply a non-empty "
        "value.",
        "parameter_invalid_empty",
    )


def _not_listed(path: str, named: list[str]) -> ParamProblem:
    shown = (
        named[0]
        if len(named) == 1
        else ", ".join(named[:-1]) + ("," if len(named) > 2 else "") + f" or {named[-1]}"
    )
    return ParamProblem(path, f"Invalid {path}: must be one of {shown}")


def _refuse_group(value: Any, path: str) -> Any:
    raise ParamProblem(path, f"Invalid string: {value}")


def _arm_reader(hint: Any) -> Reader:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if is_typeddict(hint):
        return lambda value, path: _dict_reader(hint)(value, path)
    if origin is list:
        return _list_reader(_reader(args[0]))
    if origin is dict or hint is UntypedStripeObject or origin is UntypedStripeObject:
        return _map_reader(args[-1] if args else str)
    if hint in (typing.Any, object):
        return lambda value, path: value
    return _scalar_reader(hint)


def _list_reader(item: Reader) -> Reader:
    def read(value: Any, path: str) -> Any:
        if not isinstance(value, list):
            raise ParamProblem(path, "Invalid array")
        return [item(entry, f"{path}[{i}]") for i, entry in enumerate(value)]

    return read


def _map_reader(inner: Any) -> Reader:
    reader = _reader(inner)

    def read(value: Any, path: str) -> Any:
        pairs = (
            value.items()
            if isinstance(value, dict)
            else enumerate(value)
            if isinstance(value, list)
            else None
        )
        if pairs is None:
            raise ParamProblem(path, "Invalid object")
        return {str(k): "" if inner is str and v == "" else reader(v, f"{path}[{k}]") for k, v in pairs}

    return read


def _scalar_reader(hint: Any) -> Reader:
    def read(value: Any, path: str) -> Any:
        if isinstance(value, dict | list):
            raise ParamProblem(path, f"Invalid string: {value}"[:200])
        if hint is bool:
            if value not in ("true", "false"):
                raise ParamProblem(path, f"Invalid boolean: {value}")
            return value == "true"
        if hint is int:
            if not re.fullmatch(r"-?[0-9]{1,18}", value):
                raise ParamProblem(path, f"Invalid integer: {value}", "parameter_invalid_integer")
            return int(value)
        if hint in (float, Decimal):
            return _decimal(value, path)
        return value

    return read


def _decimal(value: str, path: str) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or len(value) > 40 or abs(number.adjusted()) > 20:
        raise ParamProblem(path, f"Invalid decimal: {value}")
    return number


# --------------------------------------------------------------------------------------------- answers


@cache
def class_of(name: str) -> type | None:
    """The SDK's class for an object name, None when it has none."""
    if name not in OBJECT_CLASSES:
        return None
    module, attribute = OBJECT_CLASSES[name]
    return typing.cast(type, getattr(importlib.import_module(module), attribute))


@cache
def _fields(cls: Any) -> dict[str, tuple[Any, ...]]:
    """Field name to its alternative types."""
    out: dict[str, tuple[Any, ...]] = {}
    for klass in reversed(cls.__mro__):
        if not issubclass(klass, StripeObject) or klass in (StripeObject, ListObject, SearchResultObject):
            continue
        for name, hint in vars(klass).get("__annotations__", {}).items():
            if not name.startswith("_") and "ClassVar" not in str(hint):
                out[name] = tuple(_answer_arms(hint, klass))
    return out


def _answer_arms(hint: Any, owner: Any) -> Iterator[Any]:
    if isinstance(hint, str | typing.ForwardRef):
        hint = _named(hint if isinstance(hint, str) else hint.__forward_arg__, owner)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        for arm in typing.get_args(hint):
            yield from _answer_arms(arm, owner)
    elif typing.get_origin(hint) in (list, ListObject, SearchResultObject, dict, UntypedStripeObject):
        inner = [typing.Union[tuple(_answer_arms(a, owner))] for a in typing.get_args(hint)]  # noqa: UP007
        yield types.GenericAlias(typing.cast(type, typing.get_origin(hint)), tuple(inner))
    else:
        yield hint


@cache
def _import_lines(module: str) -> dict[str, str]:
    text = Path(str(sys.modules[module].__file__)).read_text("utf-8")
    found: dict[str, str] = {}
    for source, names in re.findall(r"from (stripe\S*) import (\([^)]*\)|[^\n]+)", text):
        for entry in re.findall(r"(\w+)(?: as (\w+))?", names):
            found[entry[1] or entry[0]] = f"{source}:{entry[0]}"
    return found


def _named(reference: str, owner: Any) -> Any:
    scope = {**vars(typing), **vars(sys.modules[owner.__module__])}
    for word in set(re.findall(r"\b[A-Z]\w+", reference)) - scope.keys():
        source = _import_lines(owner.__module__).get(word)
        if source:
            module, name = source.split(":")
            scope[word] = getattr(importlib.import_module(module), name)
    return eval(reference, scope)  # noqa: S307 - text of the installed SDK, not of a request


@cache
def blank(name: str, absent: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Every field of an object that may be null, as null: what a resource starts from. Do not change it."""
    cls = class_of(name)
    if cls is None:
        raise LookupError(f"the SDK has no object {name!r}")
    rest = sorted(
        k for k, arms in _fields(cls).items() if type(None) in arms and k not in absent | {"deleted"}
    )
    return {"id": None, "object": name} | dict.fromkeys(rest)


@cache
def has(name: str, field: str) -> bool:
    """Whether objects of that name have this field."""
    return field in _fields(class_of(name))


@cache
def step(cls: Any, field: str) -> tuple[Any, ...] | None:
    """The classes that `field` of `cls` holds or stands for by id; () for plain values; None if no such field."""
    arms = _fields(cls).get(field)
    if arms is None:
        return None
    found: list[Any] = []
    for arm in arms:
        inner = typing.get_args(arm) if typing.get_origin(arm) in (list, ListObject) else (arm,)
        found += [a for hint in inner for a in _arms(hint) if _is_object(a)]
    return tuple(found)


def _is_object(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, StripeObject)


def answer_problems(body: dict[str, Any]) -> list[str]:
    """Where an answer or an event departs from the SDK's classes; [] when it conforms."""
    name = body.get("object", "")
    if name in ("list", "search_result"):
        lacking = [f"{name}: no {k}" for k in ("data", "has_more", "url") if k not in body]
        return lacking + [p for entry in body.get("data", []) for p in answer_problems(entry)]
    if name == "event":
        inner = body["data"]["object"]
        flat = {**body, "data": {**body["data"], "object": {}, "previous_attributes": {}}}
        return _object_problems(class_of("event"), flat, name) + answer_problems(inner)
    cls = class_of(name)
    return [f"object: {name!r} is in no SDK class"] if cls is None else _object_problems(cls, body, name)


def _object_problems(cls: Any, value: dict[str, Any], path: str) -> list[str]:
    fields = _fields(cls)
    if not fields and cls in (StripeObject, UntypedStripeObject):
        return []
    out = []
    for key, inner in value.items():
        if key in fields:
            out += _value_problems(fields[key], inner, f"{path}.{key}")
        else:
            out.append(f"{path}.{key}: {cls.__qualname__} has no such field")
    if value.get("deleted") is not True:
        out += [
            f"{path}.{k}: missing" for k, arms in fields.items() if k not in value and type(None) not in arms
        ]
    return out


def _value_problems(arms: tuple[Any, ...], value: Any, path: str) -> list[str]:
    if value is None:
        return [] if type(None) in arms else [f"{path}: null is not allowed"]
    listed = [v for a in arms if typing.get_origin(a) is typing.Literal for v in typing.get_args(a)]
    if listed and not isinstance(value, dict | list):
        return [] if value in listed else [f"{path}: {value!r} is not one of {listed[:12]}"]
    rest = [a for a in arms if typing.get_origin(a) is not typing.Literal and a is not type(None)]
    if isinstance(value, dict) and isinstance(value.get("object"), str):
        same = [a for a in rest if a is class_of(value["object"])]
        rest = same or rest
    tried = [_arm_problems(a, value, path) for a in rest]
    return min(tried, key=len) if tried else [f"{path}: unexpected {value!r}"]


def _arm_problems(arm: Any, value: Any, path: str) -> list[str]:
    origin, args = typing.get_origin(arm), typing.get_args(arm)
    wrong = [f"{path}: {type(value).__name__} where {getattr(arm, '__name__', arm)} is expected"]
    if arm in (typing.Any, object):
        return []
    if origin in (ListObject, SearchResultObject, list):
        entries = value if origin is list else value.get("data") if isinstance(value, dict) else None
        if not isinstance(entries, list):
            return wrong
        inner = tuple(_arms(args[0]))
        return [p for i, entry in enumerate(entries) for p in _value_problems(inner, entry, f"{path}[{i}]")]
    if origin in (dict, UntypedStripeObject) or arm is UntypedStripeObject:
        if not isinstance(value, dict):
            return wrong
        inner = tuple(_arms(args[-1])) if args else (object,)
        return [p for k, entry in value.items() for p in _value_problems(inner, entry, f"{path}.{k}")]
    if _is_object(arm):
        return _object_problems(arm, value, path) if isinstance(value, dict) else wrong
    if isinstance(value, bool) or arm is bool:
        return [] if isinstance(value, bool) and arm is bool else wrong
    accepted: Any = {int: int, float: (int, float), str: str, Decimal: str}.get(arm)
    return [] if accepted and isinstance(value, accepted) else wrong
