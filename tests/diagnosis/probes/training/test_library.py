"""What the agreement with sentence-transformers is said to mean."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from whyrank.findings.records import Records

from ..faults import of, planted
from .test_reload import told

CODE = "library-disagrees"


def agreeing(**columns: Any) -> pd.DataFrame:
    """Eight texts that agree in every way, but for these columns."""
    same = dict.fromkeys(["again", "alone", "reloaded", "ours", "ours_same_text"], 1.0)
    table = pd.DataFrame({"side": ["query", "answer"] * 4, "row": range(8), **same, "moved": 0.9, "because": ""})
    return table.assign(**columns)


def examined(healthy: Records, **columns: Any) -> Records:
    """The tuned system was made elsewhere."""
    run = replace(healthy.runs["base-tuned"], library=agreeing(**columns))
    return replace(healthy, runs=healthy.runs | {"base-tuned": run})


@planted(CODE, of(CODE, "base-tuned"))
def prompt(lab: Any, healthy: Records) -> Records:
    return examined(healthy, ours=0.8, ours_same_text=0.8, because="prompt")


@planted("bag-of-words", of("bag-of-words", "base-tuned"))
def static(lab: Any, healthy: Records) -> Records:
    return examined(healthy, moved=1.0)


@pytest.mark.parametrize(("moved", "status"), [(0.99, "passed"), (float("nan"), "not applicable")])
def test_a_text_that_changes_with_its_order_passes_and_single_words_prove_nothing(moved, status, healthy):
    assert told("bag-of-words", examined(healthy, moved=moved))["base-tuned"].status == status


def test_a_model_that_agrees_passes_and_ours_does_not_apply(healthy):
    found = told(CODE, examined(healthy))
    assert found["base-tuned"].status == "passed" and found["base"].status == "not applicable"


@pytest.mark.parametrize(
    ("columns", "severity", "words", "fix"),
    [
        ({"again": 0.97}, "error", "encoded twice", "eval()"),
        ({"reloaded": 0.5}, "error", "read once more", "weight of the model is in its files"),
        ({"alone": 0.9}, "error", "alone and in a batch", "padding_side"),
        ({"ours": 0.6, "ours_same_text": 0.6, "because": "prompt"}, "error", "puts a prompt", "encoder.prompts=auto"),
        ({"ours": 0.999, "ours_same_text": 0.999, "because": "half precision"}, "warning", "half", "float32"),
        ({"ours": 0.9, "ours_same_text": 0.9, "because": "max_seq_length"}, "error", "cuts texts", "prepare.tokens"),
        ({"ours": 0.0, "ours_same_text": 0.0, "because": "modules above the pooling"}, "error", "modules", "modules"),
        ({"ours": 0.9, "ours_same_text": 0.9}, "error", "neither prompts", "tokenizer"),
        ({"ours": 0.9}, "info", "reads more or less than prepare keeps", "cut texts alike"),
    ],
)
def test_each_difference_has_its_cause_and_remedy(columns, severity, words, fix, healthy):
    found = told(CODE, examined(healthy, **columns))["base-tuned"]
    assert found.severity == severity and words in found.sentence
    assert fix in f"{found.fix.command} {found.fix.action}"
