"""What stops a run before training: the command that it names is one that can be pasted."""

import copy

import pytest

from whyrank.core.errors import UserError
from whyrank.findings.finding import Finding, Fix
from whyrank.preflight import examine


def error(fix):
    return Finding("labels-shifted", "error", "data", "Labels are shifted.", fix=fix, layer="labels")


@pytest.fixture
def values(shipped_params, monkeypatch):
    made = copy.deepcopy(shipped_params)
    monkeypatch.setattr(examine, "read_yaml", lambda file: made)
    monkeypatch.setattr(examine.overrides, "of_run", lambda: [])
    return made


def test_rows_are_copied_and_applied_by_the_remedy(values):
    rows = "metrics/prepare/rows_labels-shifted.csv"
    with pytest.raises(UserError) as stopped:
        examine.stop([error(Fix({}, "look at the rows", rows))], "error")
    target = "data/corrections/labels-shifted-1.csv"
    command = f"mkdir -p data/corrections && cp {rows} {target} && dvc exp run -S prepare.corrections={target}"
    assert f"Remedy: {command};" in str(stopped.value)


def test_a_value_that_is_set_already_is_no_remedy(values):
    with pytest.raises(UserError, match="this run has it already"):
        examine.stop([error(Fix({"finetune_rank.epochs": values["finetune_rank"]["epochs"]}))], "error")
