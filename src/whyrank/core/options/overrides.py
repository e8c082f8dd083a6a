"""Overrides as `dvc exp run -S` takes them: values in Hydra's grammar, and what turns one params.yaml into another.

The params.yaml that they are given to may be changed already, in part or as a whole: the result is the same.
"""

import copy
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from whyrank.core.errors import UserError
from whyrank.core.options.yaml_files import PARAMS, committed_params, parsed, read_yaml

# What Hydra reads as a word just as it stands, and not as a number or a constant; and names joined to a path.
_WORD = r"(?!(?:null|none|true|false|inf|nan)(?![\w-]))[A-Za-z_][\w-]*"
_NAME = re.compile(_WORD, re.IGNORECASE | re.ASCII)
_PATH = re.compile(rf"{_WORD}(?:[./][\w.-]+)*", re.IGNORECASE | re.ASCII)
_SIGN = re.compile(r"[\\()\[\]{}:=, \t]")


def is_plain(name: str) -> bool:
    """Whether a name can stand in an override as it is, as a key of a map or in a list."""
    return _NAME.fullmatch(name) is not None


def written(value: Any) -> str:
    """A value in the grammar of Hydra: that of JSON, but words and paths stand without quotes, and no key takes any."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_escaped(key)}:{written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(item) for item in value) + "]"
    if isinstance(value, str):
        return value if _PATH.fullmatch(value) else _quoted(value)
    return json.dumps(value)


def _escaped(key: Any) -> str:
    return _SIGN.sub(lambda sign: f"\\{sign[0]}", str(key))


def _quoted(text: str) -> str:
    """In quotation marks. A backslash is itself, line breaks stand as they are; only before a mark it counts twice."""
    return '"' + re.sub(r'(\\*)("|\Z)', lambda end: 2 * end[1] + ('\\"' if end[2] else ""), text) + '"'


def given(settings: Iterable[str]) -> dict[str, Any]:
    """Key and value of each setting. Raises UserError for a value that is none, and a key that is taken away."""
    found = {}
    for one in settings:
        if one.startswith("~"):
            raise UserError(f"-S {one}: takes a key away, which only `dvc exp run` does; set {key_of(one)} to a value")
        found[key_of(one)] = read(one.partition("=")[2])
    return found


def read(text: str) -> Any:
    """A value as DVC reads it, by the parser of Hydra. What that one refuses is YAML.

    Raises UserError for what is neither.
    """
    # Imported only here: it takes a third of a second.
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    with suppress(HydraException):
        found = OverridesParser.create().parse_override(f"key={text}")
        # Of several values DVC makes as many experiments; our commands know no such thing.
        if not found.is_sweep_override():
            return found.value()
    return parsed(text.encode(), "-S")


def key_of(setting: str) -> str:
    """`a.b` of `a.b=1`, `++a.b=1` and `~a.b`."""
    return setting.partition("=")[0].lstrip("+~")


def command(settings: Iterable[str]) -> str:
    """The `dvc exp run` with these settings, ready to paste into a shell."""
    return " ".join(["dvc exp run", *(f"-S {shlex.quote(setting)}" for setting in settings)])


def between(have: Mapping[str, Any], want: Mapping[str, Any], under: str = "") -> Iterator[str]:
    """The settings that turn the values `have` into `want`; both are what a params.yaml holds below the key `under`."""
    for name in {**have, **want}:
        key = f"{under}.{name}" if under else name
        if name not in have:
            yield f"++{key}={written(want[name])}"
        elif name not in want:
            # To take away what is not there, or null, is an error.
            yield from (f"++{key}=0", f"~{key}")
        elif _are_maps(have[name], want[name]):
            yield from between(have[name], want[name], key)
        elif written(have[name]) != written(want[name]):
            if isinstance(want[name], dict):
                # Hydra would merge a map into the one that is there.
                yield f"++{key}=null"
            yield f"++{key}={written(want[name])}" if isinstance(want[name], dict) else f"{key}={written(want[name])}"


def _are_maps(*values: Any) -> bool:
    """Whether all are maps whose keys can stand in a dotted key."""
    return all(isinstance(value, dict) and all(is_plain(str(name)) for name in value) for value in values)


def put(values: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the values of a params.yaml with dotted keys set as Hydra sets them: a map is merged.

    An entry of a list, and a map, may lack a key that is set. Raises KeyError, with the key, for any other that is not
    there.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(values))
    for key, value in params.items():
        at: Any = changed
        *path, last = key.split(".")
        is_open = isinstance(value, dict) or any(part.isdigit() for part in path)
        try:
            for part in path:
                at = at[int(part)] if isinstance(at, list) else at[part]
            if not is_open and last not in at:
                raise KeyError(last)
            at[last] = {**at[last], **value} if isinstance(value, dict) and isinstance(at.get(last), dict) else value
        except (LookupError, TypeError, ValueError, AttributeError):
            raise KeyError(key) from None
    return changed


def of_run() -> list[str]:
    """The settings that turn the committed params.yaml into that of this run; none where Git has none."""
    committed = committed_params()
    return [] if committed is None else list(between(committed, read_yaml(PARAMS)))


def to_committed() -> list[str]:
    """The settings that turn the params.yaml of the workspace into the committed one; none where Git has none."""
    committed = committed_params()
    return [] if committed is None else list(between(read_yaml(PARAMS), committed))
