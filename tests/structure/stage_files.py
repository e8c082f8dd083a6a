"""The stages of dvc.yaml with their scripts, and the parameters that a script reads."""

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from whyrank.core.options import params

ROOT = Path(__file__).parents[2]
DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
# What a `foreach` or `matrix` stage says is in `do`, or beside the matrix.
STAGES: dict[str, dict[str, Any]] = {name: stage.get("do", stage) for name, stage in DVC["stages"].items()}
# One value of every name that dvc.yaml puts into a path.
NAMES = {"${item.init}": PARAMS["inits"], "${key}": list(PARAMS["systems"])}


def script(stage: str) -> Path:
    """The file that the stage's command runs."""
    return ROOT / next(word for word in STAGES[stage]["cmd"].split() if word.endswith(".py"))


def outs(stage: str) -> set[str]:
    """The folders and files that a stage writes, one for each value of a matrix."""
    entries = [*STAGES[stage]["outs"], *STAGES[stage].get("metrics", [])]
    paths = {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}
    for name, values in NAMES.items():
        paths = {path.replace(name, value) for path in paths for value in values}
    return paths


def parameters_read(file: Path) -> set[str]:
    """Keys as dvc.yaml declares them: a section, or its single keys where the dataclass has only some of them."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    inside = {id(node.args[0]) for node in calls(tree)} | {id(node.value) for node in subscripts(tree)}
    bare = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "values"]
    if any(isinstance(node.ctx, ast.Load) and id(node) not in inside for node in bare):
        return set(PARAMS)  # handed on as a whole
    keys = {ast.literal_eval(node.slice) for node in subscripts(tree)}
    for node in calls(tree):
        assert isinstance(node.func, ast.Attribute)
        short = {"seed": {"seed"}, "system": {"systems.${key}"}}.get(node.func.attr)
        keys |= short or section_keys(*node.args[1:])
    return keys


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """`params.section(values, "name", params.Kind)`, `params.seed(values)` and `params.system(values, name)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("params.section", "params.seed", "params.system"):
            yield node


def subscripts(tree: ast.AST) -> Iterator[ast.Subscript]:
    """`values["name"]`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "values":
            yield node


def section_keys(name_node: ast.expr, kind_node: ast.expr) -> set[str]:
    name = ast.literal_eval(name_node)
    assert isinstance(kind_node, ast.Attribute)
    return set(keys_of(name, getattr(params, kind_node.attr), PARAMS[name]))


def keys_of(key: str, kind: Any, values: Any) -> Iterator[str]:
    """`key` where the dataclass has all that params.yaml has there, else the same of each of its fields."""
    fields = {field.name: field.type for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else {}
    parts = [part for name, of in fields.items() for part in keys_of(f"{key}.{name}", of, values[name])]
    whole = not fields or (fields.keys() == values.keys() and parts == [f"{key}.{name}" for name in fields])
    return iter([key] if whole else parts)
