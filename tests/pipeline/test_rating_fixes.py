"""The fix of a finding about ratings, as the report prints it, silences the finding and brings the metric back.

Faults are provoked for real, on the bundled ratings and the embedded encoder: five folds of a second or so each.
"""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from .. import told
from .test_fixes import run_stages, settings_in

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
STAGES = (
    "prepare.py",
    "pretrain_barlow.py",
    "finetune_rank.py base",
    *(f"evaluate.py {system}" for system in ("tfidf", "base", "base-tuned")),
    "diagnose.py",
)
RATINGS = "finetune_rank.objectives.ratings"
# A layer on the frozen encoder, which reads all of its blocks; nothing is pretrained.
HEALTHY = {
    "inits": "[base]",
    "~systems.barlow": None,
    "~systems.barlow-tuned": None,
    "~systems.bm25": None,
    "~systems.nearest-query": None,
    "~systems.classifier": None,
    "~systems.fusion": None,
    "encoder.precision": "fp32",
    "preflight.stop_on": "never",
    "pretrain_barlow.steps": 0,
    "finetune_rank.objectives.rank.weight": 0.0,
    "prepare.ratings.read": True,
    f"{RATINGS}.weight": 1.0,
    f"{RATINGS}.layer_means": True,
    "finetune_rank.train": "head",
    "finetune_rank.learning_rate": 1e-2,
    "finetune_rank.epochs": 10,
    "finetune_rank.early_stopping.metric": '""',
    "finetune_rank.early_stopping.evaluations": 4,
    "finetune_rank.early_stopping.patience": 4,
    "diagnose.resamples": 1000,
}
ALONE = {f"{RATINGS}.layer_means": False}
TRAINED = {"finetune_rank.train": "last", "finetune_rank.last_layers": 1, "finetune_rank.learning_rate": 1e-3}
FAULTS: dict[str, dict[str, Any]] = {
    "tiny steps": {"finetune_rank.learning_rate": 1e-5},
    "a few short steps": {"finetune_rank.learning_rate": 5e-4, "finetune_rank.epochs": 1},
    "the last block alone": ALONE,
    "steps that no encoder stands": ALONE
    | TRAINED
    | {"finetune_rank.encoder_learning_rate": 0.1, "finetune_rank.warmup_ratio": 0.0},
}


class Case(NamedTuple):
    """gain   in points of mean column Spearman of base-tuned; about half of what was measured"""

    fault: str
    code: str
    gain: float


CASES = [
    Case("tiny steps", "underfitted", 12),
    Case("tiny steps", "worse-than-lexical", 12),
    Case("a few short steps", "underfitted", 3),
    Case("the last block alone", "last-layer-drops-surface", 10),
    Case("steps that no encoder stands", "fold-failed", 10),
    Case("steps that no encoder stands", "worse-than-lexical", 10),
]


class Outcome(NamedTuple):
    findings: dict[str, dict[str, Any]]
    spearman: float


@pytest.fixture(scope="module")
def clone(fresh, tmp_path_factory):
    clone = fresh.copy(tmp_path_factory.mktemp("rating-fixes") / "clone")
    shutil.copy2(ROOT / "params.yaml", clone.folder / "params.yaml")
    clone.commit("The encoder that params.yaml names")
    return clone


def outcome(clone, overrides: list[str]) -> Outcome:
    """What all stages find about base-tuned, and how well it rates."""
    run_stages(clone, overrides, *STAGES)
    found = told.by_system(clone.folder / "metrics/diagnose/findings.json")
    return Outcome(
        {code: finding for (code, system), finding in found.items() if system == "base-tuned"},
        100 * clone.metrics("evaluate/base-tuned")["ratings_spearman_fold_mean"],
    )


def settings(overrides: dict[str, Any]) -> list[str]:
    return [key if key.startswith("~") else f"{key}={value}" for key, value in overrides.items()]


@pytest.fixture(scope="module")
def provoked(clone):
    """Each fault once, by its name."""
    found: dict[str, Outcome] = {}

    def of(fault: str) -> Outcome:
        if fault not in found:
            found[fault] = outcome(clone, settings(HEALTHY | FAULTS[fault]))
        return found[fault]

    return of


def test_the_healthy_training_raises_none_of_the_findings(clone):
    after = outcome(clone, settings(HEALTHY))
    assert set(after.findings) & {case.code for case in CASES} == set()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}: {case.fault}")
def test_the_fix_silences_its_finding_and_brings_the_metric_back(case, clone, provoked):
    before = provoked(case.fault)
    assert case.code in before.findings, f"raised were {sorted(before.findings)}"
    fix = settings_in(before.findings[case.code]["fix"]["command"])
    after = outcome(clone, [*settings(HEALTHY | FAULTS[case.fault]), *fix])
    assert case.code not in after.findings
    assert after.spearman > before.spearman + case.gain
