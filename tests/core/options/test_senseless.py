"""Whatever makes no sense is refused before anything runs, by one line with the full key; what makes sense is not."""

import copy
import math
import re
import shlex
from io import StringIO
from typing import Any

import pytest
from ruamel.yaml import YAML

from whyrank.core.errors import UserError
from whyrank.core.options import checking, params

from ... import overrides
from .senseless import PAIRS, TOGETHER, VALUES

ROWS = [line.split(": ", 1) for line in VALUES.strip().splitlines()]
CASES = [(key, value) for key, values in ROWS for value in values.split(" | ")]


READER = YAML(typ="safe")


def read(text: str) -> Any:
    return READER.load(StringIO(text))


def changed(values: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A copy of what stands above the key alone, for thousands of changes."""

    def copied(node: Any, part: Any, *rest: Any) -> Any:
        node = copy.copy(node)
        node[part] = copied(node[part], *rest) if rest else value
        return node

    return copied(values, *(int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", key)))


def refused(values: Any) -> list[str]:
    with pytest.raises(UserError) as error:
        params.check(values)
    return [str(line) for line in error.value.args]


@pytest.fixture(scope="module")
def sound(shipped_params):
    values = changed(shipped_params, "prepare.pairs.sources", copy.deepcopy(PAIRS))
    params.check(values)
    return values


@pytest.fixture(scope="module")
def spoilt(sound):
    """The parameters with each senseless value, and what is said of them; nothing where they are accepted."""
    found = {}
    for key, text in CASES:
        values = changed(sound, key, read(text))
        try:
            params.check(values)
            found[key, text] = values, []
        except UserError as error:
            found[key, text] = values, error.args
    return found


def test_the_table_has_hundreds_of_values_and_leaves_no_key_out(sound):
    assert len(CASES) + sum(map(len, TOGETHER.values())) >= 1000
    of_one_source = r"prepare\.pairs\.sources\[\d\]\.(config|split)"  # any text is one
    left_out = {key for key, _ in leaves(sound)} - {key for key, _ in ROWS}
    assert {key for key in left_out if not re.fullmatch(of_one_source, key)} - {"prepare.pairs.sources"} == set()


def leaves(values, at=""):
    """Dotted keys of all that is no section, with their values; lists and maps of names are one leaf."""
    for name, value in values.items():
        key = f"{at}.{name}".removeprefix(".")
        if isinstance(value, dict) and key not in ("systems", "prepare.ratings.rescale"):
            yield from leaves(value, key)
        else:
            yield key, value


@pytest.mark.parametrize("key", dict.fromkeys(key for key, _ in ROWS))
def test_a_senseless_value_is_refused_by_one_line_that_names_key_and_remedy(spoilt, key):
    for value in [text for place, text in CASES if place == key]:
        _, (line,) = spoilt[key, value]
        assert line.startswith(f"params.yaml: `{key}"), (value, line)
        assert "\n" not in line and re.search(r"; |: ", line.split("` ", 1)[1]), line


@pytest.mark.parametrize(("key", "settings"), [(key, one) for key, several in TOGETHER.items() for one in several])
def test_what_does_not_go_together_is_refused_by_one_line_that_names_key_and_remedy(sound, key, settings):
    (line,) = refused(overrides.applied(sound, shlex.split(settings)))
    assert line.startswith(f"params.yaml: `{key}` ")
    assert re.search(r"; (use -S|take|name|leave)", line), line


def test_nothing_may_be_null_or_a_list_of_lists(sound):
    for key, _ in leaves(sound):
        for value in (None, [[]], {"a": {}}):
            lines = refused(changed(sound, key, value))
            assert all(line.startswith(f"params.yaml: `{key}") for line in lines), (key, value)


def test_a_remedy_is_a_setting_that_the_checks_accept(spoilt):
    """The first setting of every line that proposes one; it is read back as DVC reads it."""
    proposed = 0
    # What a system may be depends on the rest of it.
    for values, (line,) in [found for (key, _), found in spoilt.items() if not key.startswith("systems.")]:
        if found := re.search(r"use -S ('[^']*'|\S+)", line):
            proposed += 1
            ((proposal, proposed_value),) = overrides.parsed(shlex.split(found[1])).items()
            params.check(changed(values, proposal, proposed_value))
    assert proposed > 700


def test_all_faults_of_all_sections_are_said_at_once(sound):
    values = sound
    for key, value in {
        "seed": -1,
        "encoder.pooling": "median",
        "prepare.split.dev": 0.9,  # of two options that do not go together, in a section that is sound otherwise
        "pretrain_barlow.head.dropout": 2,
        "finetune_rank.learning_rate": -1.0,
        "finetune_rank.max_grad_norm": 0,
        "diagnose.level": math.nan,
    }.items():
        values = changed(values, key, value)
    assert [line.split("`")[1] for line in refused(values)] == [
        "seed",
        "encoder.pooling",
        "pretrain_barlow.head.dropout",
        "finetune_rank.learning_rate",
        "finetune_rank.max_grad_norm",
        "diagnose.level",
        "prepare.split.dev",
    ]


@pytest.mark.parametrize("values", [None, [], "text", 3, {}])
def test_a_file_that_holds_no_sections_is_refused(values):
    assert all(line.startswith("params.yaml: ") for line in refused(values))


OLD = [
    ("pretrain_barlow", "clip", "max_grad_norm"),
    ("finetune_rank", "clip", "max_grad_norm"),
    ("finetune_rank", "accumulate", "gradient_accumulation_steps"),
    ("pretrain_barlow", "frozen_steps", "freeze_steps"),
    ("finetune_rank", "thaw_every", "unfreeze_every"),
    ("finetune_rank", "thaw", "unfreeze"),
    ("finetune_rank", "last_blocks", "last_layers"),
    ("finetune_rank", "decay", "lr_scheduler"),
    ("encoder", "keep_blocks", "keep_layers"),
    ("finetune_rank.early_stopping", "looks", "evaluations"),
    ("finetune_rank.early_stopping", "every", "eval_steps"),
    ("finetune_rank.objectives.ratings", "block_means", "layer_means"),
    *(
        (f"finetune_rank.objectives.{task}", "encoder_gradient", "encoder_gradient_scale")
        for task in ("rank", "similarity", "classification", "ratings")
    ),
]


def test_the_old_names_are_all_known():
    assert {old for _, old, _ in OLD} == checking.RENAMED.keys()


@pytest.mark.parametrize(("place", "old", "new"), OLD)
def test_an_old_name_is_one_line_that_names_the_new_one(sound, place, old, new):
    values = copy.deepcopy(sound)
    at = values
    for part in place.split("."):
        at = at[part]
    at[old] = at.pop(new)
    assert refused(values) == [f"params.yaml: `{place}.{old}` is now called `{place}.{new}`; rename it"]
    at[new] = at[old]
    assert refused(values) == [f"params.yaml: `{place}.{old}` is now called `{place}.{new}`; rename it"]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("finetune_rank.head.droput", "is unknown; did you mean `finetune_rank.head.dropout`?"),
        ("finetune_rnak", "is unknown; did you mean `finetune_rank`?"),
        ("prepare.ratings.text.titel", "is unknown; did you mean `prepare.ratings.text.title`?"),
        ("diagnose.colour", "is unknown; known here are metric, resamples, level"),
    ],
)
def test_an_unknown_key_names_the_nearest_or_all_that_there_are(sound, key, said):
    assert refused(changed(sound, key, 1)) == [f"params.yaml: `{key}` {said}"]
