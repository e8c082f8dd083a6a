"""The fixes of lost similarity bring it back: real trainings of heads on the bundled sample and its graded pairs."""

from typing import Any

import pytest

from .. import told

# `healthy` as a fixture of this module: the clone in which the healthy experiment ran.
from .test_fixes import HEADS_ONLY, STAGES, healthy, run_stages, settings, settings_in  # noqa: F401

pytestmark = pytest.mark.slow

NLI = (
    "{name: nli, use: train, kind: classes, path: nli.csv, labels: {entailment: 1.0, neutral: 0.5, contradiction: 0.0}}"
)
STS = "{name: sts, use: test, kind: scores, path: sts.csv, range: [0, 5]}"
# Which steps a fix takes is asked here, not how well it generalises: dev pairs are half of the test pairs.
DEV = "{name: sts_dev, use: dev, kind: scores, path: sts.csv, range: [0, 5], max_samples: 30}"
LONG_STEPS_ON_PAIRS = {
    "finetune_rank.objectives.rank.weight": 0.0,
    "finetune_rank.objectives.similarity.weight": 1.0,
    "finetune_rank.learning_rate": 1e-2,
    "finetune_rank.epochs": 30,
    "finetune_rank.early_stopping.metric": '""',
}
# Points are about half of what was measured.
CASES = {
    "similarity-worse-than-zero-shot": (f"[{NLI}, {STS}, {DEV}]", LONG_STEPS_ON_PAIRS, 10),
    "forgetting": (
        f"[{STS}]",
        {"finetune_rank.head.kind": "mlp", "finetune_rank.head.hidden": 4, "finetune_rank.barlow_head": "drop"},
        20,
    ),
}


def outcome(clone: Any, overrides: list[str]) -> tuple[dict[str, Any], float, float]:
    """Findings about base-tuned by code; Spearman of base and base-tuned on the sample's graded pairs, in points."""
    run_stages(clone, overrides, *STAGES)
    found = told.by_system(clone.folder / "metrics/diagnose/findings.json")
    values = (100 * clone.metrics(f"evaluate/{system}")["sts_spearman"] for system in ("base", "base-tuned"))
    return {code: one for (code, system), one in found.items() if system == "base-tuned"}, *values


@pytest.mark.parametrize("code", CASES)
def test_the_fix_silences_its_finding_and_brings_similarity_back(code, healthy):  # noqa: F811
    sources, fault, gain = CASES[code]
    clone = healthy.copy(healthy.folder.parent / code)
    pairs = {"prepare.pairs.sources": sources, "pretrain_barlow.steps": 0}
    spoilt = settings(HEADS_ONLY | pairs | fault)
    found, before, lost = outcome(clone, spoilt)
    assert code in found, f"raised were {sorted(found)}"
    fixed, _, kept = outcome(clone, [*spoilt, *settings_in(found[code]["fix"]["command"])])
    assert code not in fixed
    assert kept > lost + gain and kept > before - 5
