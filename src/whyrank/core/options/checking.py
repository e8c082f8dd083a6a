"""Plain values, as a YAML file gives them, -> checked options, or one line for each fault in them."""

import dataclasses
import difflib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from whyrank.core.errors import UserError
from whyrank.core.options.sections import FILE, PLAIN, WORD, Fault

# Keys that were called otherwise before, in whatever section.
RENAMED = {
    "looks": "evaluations",
    "every": "eval_steps",
    "clip": "max_grad_norm",
    "accumulate": "gradient_accumulation_steps",
    "frozen_steps": "freeze_steps",
    "thaw_every": "unfreeze_every",
    "thaw": "unfreeze",
    "last_blocks": "last_layers",
    "keep_blocks": "keep_layers",
    "block_means": "layer_means",
    "encoder_gradient": "encoder_gradient_scale",
    "decay": "lr_scheduler",
}
KINDS = {"integer": "a whole number", "number": "a number", "string": "text", "boolean": "true or false"}
T = TypeVar("T")
Place = Sequence[str | int]


adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)  # built once, whoever asks


class Untitled(GenerateJsonSchema):
    """A key says itself what it is called."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@cache
def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON schema of a kind of options, each reference in it replaced by what it refers to."""
    schema = adapter(kind).json_schema(schema_generator=Untitled)

    def whole(node: Any) -> Any:
        if isinstance(node, list):
            return [whole(entry) for entry in node]
        if not isinstance(node, dict):
            return node
        named = schema["$defs"][node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else {}
        return {name: whole(value) for name, value in {**named, **node}.items() if name not in ("$ref", "$defs")}

    found: dict[str, Any] = whole(schema)
    return found


def typed(kind: type[T], value: Any, place: str) -> T:
    """`value` as `kind`; `place` is its key. Raises UserError with a line for each fault, which names the full key."""
    try:
        found: T = adapter(kind).validate_python(value)
    except ValidationError as error:
        raise UserError(*wrong_values(kind, value, error, place)) from None
    if lines := list(conflicts(found, place)):
        raise UserError(*lines)
    return found


def wrong_values(kind: Any, values: Any, error: ValidationError, place: str = "") -> list[str]:
    """A line for each value, key or missing key that `kind` does not take."""
    schema, found, explained = schema_of(kind), [], set()
    errors = [(tuple(one["loc"]), one) for one in error.errors(include_url=False, include_context=False)]
    missing = {loc for loc, one in errors if one["type"] == "missing"}
    for loc, one in errors:
        *path, last = loc or ("",)
        key = dotted(place, loc)
        if one["type"] == "unexpected_keyword_argument":
            known = list(node_at(schema, path)["properties"])
            meant, said = likely(str(last), known)
            explained.add((*path, meant))
            found.append(f"{FILE}: {said.format(key=key, meant=dotted(place, (*path, meant)))}")
        elif one["type"] == "invalid_key":
            found.append(f"{FILE}: `{dotted(place, path) or FILE}` has the key {last}; it takes names")
        elif last == "[key]":
            found.append(f"{FILE}: `{dotted(place, path[:-1])}` has the key {path[-1]!r}; it takes names")
        elif one["type"] != "missing":
            found.append(f"{FILE}: `{key}` is {one['input']!r}; {remedy(key, node_at(schema, loc), one['input'])}")
    for loc in sorted(missing - explained, key=str):
        found.append(f"{FILE}: `{dotted(place, loc)}` is missing; {remedy('', node_at(schema, loc))}")
    return found


def likely(name: str, known: Sequence[str]) -> tuple[str, str]:
    """The key that was meant by an unknown one, and a sentence with `{key}` and `{meant}`; "" where none is near."""
    if RENAMED.get(name) in known:
        return RENAMED[name], "`{key}` is now called `{meant}`; rename it"
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return near[0], "`{key}` is unknown; did you mean `{meant}`?"
    return "", f"`{{key}}` is unknown; known here are {', '.join(known)}"


def remedy(key: str, node: dict[str, Any], value: Any = None) -> str:
    """What a field takes, and, under its key, a setting that it takes."""
    choices = node.get("enum") or ([node["const"]] if "const" in node else [])
    usual = difflib.get_close_matches(str(value), choices, n=1) or choices or node.get("examples", [])
    is_settable = key and "[" not in key and usual
    return f"it takes {takes(node)}" + (f"; use {setting(key, usual[0])}" if is_settable else "")


def takes(node: dict[str, Any]) -> str:
    """The values of a node of a JSON schema, in words."""
    if "oneOf" in node:
        return ", or ".join(takes(branch) for branch in node["oneOf"])
    if choices := node.get("enum") or ([node["const"]] if "const" in node else None):
        return f"one of {', '.join(choices)}" if len(choices) > 1 else str(choices[0])
    if node.get("type") == "array":
        return f"a list of {node.get('minItems', 0)} to {node['maxItems']} entries, each {takes(node['items'])}"
    if "properties" in node:
        return f"a section with the keys {', '.join(node['properties'])}"
    if node.get("type") == "object":
        return f"names, each with {takes(entries(node))}"
    name = KINDS[node["type"]]
    if node.get("minLength"):
        return f"{name} that is not empty"
    if "pattern" in node:
        return f"{name} of letters, digits, `_` and `-`"
    bounds = (("from", "minimum"), ("above", "exclusiveMinimum"), ("to", "maximum"), ("and below", "exclusiveMaximum"))
    return " ".join([name, *(f"{word} {node[bound]:,.12g}" for word, bound in bounds if bound in node)])


def node_at(schema: dict[str, Any], loc: Place) -> dict[str, Any]:
    """The part of a JSON schema that describes a place in the values."""
    for part in loc:
        if part in (WORD, PLAIN):
            schema = next(
                branch for branch in schema["oneOf"] if bool({"const", "enum"} & set(branch)) == (part == WORD)
            )
        elif isinstance(part, int):
            schema = schema["items"]
        else:
            schema = schema["properties"][part] if "properties" in schema else entries(schema)
    return schema


def entries(node: dict[str, Any]) -> dict[str, Any]:
    """What stands under each name of a map whose names are free, or follow a pattern."""
    found: dict[str, Any] = node.get("additionalProperties") or next(iter(node["patternProperties"].values()))
    return found


def conflicts(options: Any, place: str) -> Iterator[str]:
    """A line for each two options of a section, or of the sections in it, that do not go together."""
    parts: dict[str, Any] = {}
    if isinstance(options, list):
        parts = {f"{place}[{number}]": entry for number, entry in enumerate(options)}
    elif isinstance(options, dict):
        parts = {f"{place}.{name}": entry for name, entry in options.items()}
    elif dataclasses.is_dataclass(options):
        parts = {f"{place}.{name}".removeprefix("."): value for name, value in vars(options).items()}
    for key, part in parts.items():
        if not isinstance(part, str | int | float):
            yield from conflicts(part, key)
    for fault in getattr(options, "faults", tuple)():
        yield sentence(fault, place)


def sentence(fault: Fault, place: str) -> str:
    (key, *_), *whole = (f"{place}.{one}".removeprefix(".").split("=", 1) for one in (fault.key, *fault.remedies))
    uses = [setting(name, value) for name, value in whole if "[" not in name]
    return f"{FILE}: `{key}` {fault.said}" + (f"; use {' or '.join(uses)}" if uses else "")


def setting(key: str, value: Any) -> str:
    """The override that sets a key, as a shell takes it."""
    text = value if isinstance(value, str) and value else json.dumps(value)
    override = f"{key}={text}"
    return f"-S '{override}'" if set(override) & set(' []{}"*') else f"-S {override}"


def dotted(place: str, loc: Place) -> str:
    """`a.b[0].c`"""
    for part in loc:
        if part in (WORD, PLAIN):
            continue
        place += f"[{part}]" if isinstance(part, int) else f".{part}"
    return place.removeprefix(".")
