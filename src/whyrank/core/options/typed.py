"""Plain values, as a YAML file gives them, -> checked values of the types of a dataclass."""

import dataclasses
import typing
from typing import Any, Literal

from whyrank.core.errors import UserError

FILE = "params.yaml"


def typed(hint: Any, value: Any, key: str) -> Any:
    """`value` as `hint`: a dataclass, list, map by name, one of some words, or a plain type; `key` is its place.

    A dataclass's field with a default may be left out, a whole number stands for a fraction, and nothing else is
    converted. Raises UserError, which names the key, for a value of another type, an unknown and a missing key.
    """
    if dataclasses.is_dataclass(hint):
        return _dataclass(hint, value, key)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if value not in arguments:
            raise UserError(f"{FILE}: `{key}` is {value!r}, expected one of {', '.join(arguments)}")
        return value
    if origin is typing.Union:
        # A map or a list, or one of some words in its place.
        several, words = arguments
        return typed(words if isinstance(value, str) else several, value, key)
    if origin is list:
        if not isinstance(value, list):
            raise UserError(f"{FILE}: `{key}` is {value!r}, expected a list")
        return [typed(arguments[0], item, f"{key}[{i}]") for i, item in enumerate(value)]
    if origin is dict:
        return _map(arguments[1], value, key)
    return _plain(hint, value, key)


def _dataclass(kind: Any, value: Any, key: str) -> Any:
    if not isinstance(value, dict):
        raise UserError(f"{FILE}: `{key}` is {value!r}, expected a section with keys")
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name in value:
        if name not in fields:
            raise UserError(f"{FILE}: unknown key `{key}.{name}`; known keys are {', '.join(fields)}")
    missing = [name for name, field in fields.items() if name not in value and not _has_default(field)]
    if missing:
        raise UserError(f"{FILE}: key `{key}.{missing[0]}` is missing")
    return kind(**{name: typed(hints[name], value[name], f"{key}.{name}") for name in fields if name in value})


def _has_default(field: "dataclasses.Field[Any]") -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _map(hint: Any, value: Any, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{FILE}: `{key}` is {value!r}, expected names with values")
    for name in value:
        if not isinstance(name, str):
            raise UserError(f"{FILE}: `{key}` has the key {name!r} ({type(name).__name__}), expected a name")
    return {name: typed(hint, item, f"{key}.{name}") for name, item in value.items()}


def _plain(hint: Any, value: Any, key: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise UserError(f"{FILE}: `{key}` is {value!r} ({type(value).__name__}), expected {hint.__name__}")
    return value
