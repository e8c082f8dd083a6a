"""A system is one entry of params.yaml: nothing in the code knows one by its name."""

import ast
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from whyrank.core.options.systems import PRETRAINED, ROLES, Kind, tuned_folder
from whyrank.scoring.systems import KINDS

from .imports import nodes
from .stage_files import PARAMS, ROOT, outs

# The same word for another thing.
OTHERWISE = {
    "base": {"src/whyrank/core/options/params.py", "src/whyrank/core/options/systems.py"},  # an example in the schema
    "barlow": {  # the same; the stage and its objective
        "src/whyrank/core/options/params.py",
        "src/whyrank/core/options/barlow.py",
        "src/whyrank/training/barlow/objective.py",
        "src/whyrank/diagnosis/probes/pretraining/regime.py",
        "src/whyrank/commands/label_curve.py",
        "src/whyrank/diagnosis/report/files.py",
    },
    "tfidf": {  # the kind of a system, the choice of sentences, a column of similarities of words
        "src/whyrank/core/options/systems.py",
        "src/whyrank/scoring/systems.py",
        "src/whyrank/core/options/prepare.py",
        "src/whyrank/data/ranking/selection.py",
        "src/whyrank/preflight/figures/label_agreement.py",
        "src/whyrank/preflight/figures/rankers.py",  # rankers that serve before any system is there
        "src/whyrank/scoring/rivals/fusion.py",
        "src/whyrank/commands/rival_export.py",
        "src/whyrank/scoring/asking.py",
        "src/whyrank/preflight/probes/chance.py",
        "src/whyrank/diagnosis/probes/ranking/lists.py",
    },
    "bm25": {
        "src/whyrank/core/options/systems.py",
        "src/whyrank/scoring/systems.py",
        "src/whyrank/preflight/figures/rankers.py",
        "src/whyrank/preflight/probes/chance.py",
        "src/whyrank/scoring/rivals/fusion.py",
        "src/whyrank/commands/rival_export.py",
        "src/whyrank/scoring/asking.py",
        "src/whyrank/commands/ask.py",
        "src/whyrank/diagnosis/probes/ranking/lists.py",
    },
    # The kind of a system, which the shipped ones are called by.
    **{
        name: {
            "src/whyrank/core/options/systems.py",
            "src/whyrank/scoring/systems.py",
            "src/whyrank/diagnosis/report/numbers.py",
            "src/whyrank/diagnosis/probes/ranking/rivals.py",
            "src/whyrank/diagnosis/probes/ranking/lists.py",
            "src/whyrank/commands/rival_export.py",
            "src/whyrank/scoring/asking.py",
        }
        for name in ("nearest-query", "classifier", "fusion")
    },
}


@cache
def literals(file: Path) -> set[str]:
    """Every string of a file, the parts of formatted ones too, but no docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {id(node.body[0].value) for node in nodes(file) if isinstance(node, documented) and node.body
                  and isinstance(node.body[0], ast.Expr)}  # fmt: skip
    strings = (node for node in nodes(file) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {node.value for node in strings if id(node) not in docstrings}


def named(file: Path, names: set[str]) -> set[str]:
    """The systems that a file knows: as a whole string, or where it puts a name together by its ending."""
    own = str(file.relative_to(ROOT))
    allowed = {name for name, files in OTHERWISE.items() if own in files}
    said = literals(file)
    endings = {name for name in names if "-" in name and any(name in text.split() for text in said)}
    return (said & names | endings) - allowed


@pytest.mark.parametrize("folder", ["src", "stages"])
def test_no_source_file_names_a_system(folder):
    names = set(PARAMS["systems"])
    found = {
        str(file.relative_to(ROOT)): known for file in (ROOT / folder).rglob("*.py") if (known := named(file, names))
    }
    assert found == {}


def test_the_ending_of_tuned_systems_stands_in_one_place():
    files = [file for folder in ("src", "stages") for file in (ROOT / folder).rglob("*.py")]
    # A finding is called so, too.
    ending = [file for file in files if any("-tuned" in text for text in literals(file) - {"encoder-already-tuned"})]
    assert [str(file.relative_to(ROOT)) for file in ending] == ["src/whyrank/core/options/systems.py"]


@pytest.mark.parametrize("name", OTHERWISE)
def test_files_that_mean_something_else_by_a_name_do_so(name):
    for file in OTHERWISE[name]:
        assert name in literals(ROOT / file), file


def test_every_kind_has_its_roles_and_a_function_that_scores_it():
    assert set(KINDS) == set(ROLES) == set(get_args(Kind))


def test_the_folders_of_training_stages_are_those_that_the_systems_are_made_of():
    assert PRETRAINED in outs("pretrain_barlow")
    assert {tuned_folder(init) for init in PARAMS["inits"]} <= outs("finetune_rank")
