"""The JSON schema that editors read: a copy in the repository, every number in it bounded, every bound enforced."""

import copy
import json
from pathlib import Path

import pytest

from whyrank import __main__
from whyrank.core.errors import UserError
from whyrank.core.options import checking, params

ROOT = Path(__file__).parents[3]
FILE = "params.schema.json"
NUMBERS = ("integer", "number")


def nodes(node, at=""):
    """Dotted places of all that the schema describes, list entries as `[]` and free names as `*`."""
    yield at, node
    for name, inner in node.get("properties", {}).items():
        yield from nodes(inner, f"{at}.{name}".removeprefix("."))
    for branch in node.get("oneOf", []):
        yield from nodes(branch, at)
    if "items" in node:
        yield from nodes(node["items"], f"{at}[]")
    free = [node["additionalProperties"]] if node.get("additionalProperties") else []
    for inner in [*free, *node.get("patternProperties", {}).values()]:
        yield from nodes(inner, f"{at}.*")


NODES = list(nodes(checking.schema_of(params.Params)))


def test_the_file_in_the_repository_is_what_the_command_prints_and_params_yaml_names_it(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["whyrank", "schema"])
    __main__.main()
    assert (ROOT / FILE).read_text(encoding="utf-8") == capsys.readouterr().out, f"whyrank schema > {FILE}"
    first = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == f"# yaml-language-server: $schema={FILE}"


def test_every_number_has_two_bounds_and_every_list_and_map_an_end():
    bounded = [(at, node) for at, node in NODES if node.get("type") in NUMBERS]
    assert len(bounded) > 130
    for at, node in bounded:
        assert {"minimum", "exclusiveMinimum"} & node.keys() and {"maximum", "exclusiveMaximum"} & node.keys(), at
    assert [at for at, node in NODES if node.get("type") == "array" and "maxItems" not in node] == []


def test_every_key_is_described_and_no_section_takes_unknown_keys():
    for at, node in NODES:
        for name, inner in node.get("properties", {}).items():
            assert inner.get("description"), f"{at}.{name}"
        assert "properties" not in node or node["additionalProperties"] is False, at


def beyond(node):
    """A number on either side of what a node takes."""
    step = 1 if node["type"] == "integer" else 1e-6
    low = node["exclusiveMinimum"] if "exclusiveMinimum" in node else node["minimum"] - step
    high = node["exclusiveMaximum"] if "exclusiveMaximum" in node else node["maximum"] * (1 + 1e-6) + step
    return [int(low), int(high) + 1] if node["type"] == "integer" else [low, high]


def test_the_bounds_of_the_schema_are_those_that_are_enforced(shipped_params):
    checked = 0
    for at, node in NODES:
        if node.get("type") not in NUMBERS or "[]" in at or "*" in at:
            continue
        for value in beyond(node):
            values = copy.deepcopy(shipped_params)
            *path, last = at.split(".")
            place = values
            for part in path:
                place = place[part]
            place[last] = value
            with pytest.raises(UserError) as error:
                params.check(values)
            (line,) = error.value.args
            assert line.startswith(f"params.yaml: `{at}` is "), (value, line)
            assert checking.takes(node) in line
            checked += 1
    assert checked > 250


def test_the_schema_takes_the_shipped_examples():
    """What a key names as an example is what it accepts."""
    for at, node in NODES:
        for example in node.get("examples", []):
            if node.get("type") in NUMBERS:
                assert node.get("minimum", -1e99) <= example <= node.get("maximum", 1e99), at
    assert json.loads(params.schema())["$schema"].startswith("https://json-schema.org/")
