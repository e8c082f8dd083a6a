"""Faults of optimisation that really happen: the tiny encoder is trained with each, its finding appears, and a training
with the fix of the finding is free of it and better. No record here is made up.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from whyrank.core.options import params
from whyrank.core.prepared import Prepared
from whyrank.findings.finding import Finding
from whyrank.findings.records import Records
from whyrank.model import system
from whyrank.model.encoder.declared import Declared
from whyrank.preflight.figures import poolings
from whyrank.preflight.probes import encoder as encoder_probes

from . import trained

SIMILARITY = {
    f"objectives.similarity.{name}": value
    for name, value in {"weight": 1.0, "cosine.weight": 1.0, "batch_size": 32}.items()
}
ALONE = SIMILARITY | {"objectives.rank.weight": 0.0}
# Its BatchNorm centres the vectors, so that pairs that begin apart have a negative cosine as often as not.
CENTRED = {"train": "head", "head.kind": "mlp", "head.hidden": 32, "head.output": 32, "learning_rate": 1e-2}
ABSOLUTE = {"objectives.similarity.cosine.weight": 0.0, "objectives.similarity.angle.weight": 1.0}
ANGLES = {"objectives.similarity.angle.temperature": 0.05, "objectives.similarity.angle_signed.temperature": 0.05}
TYPES = {"objectives.classification.weight": 100.0, "objectives.classification.of": "query_type"}
ACCURACY, CORRELATION = "train_accuracy@1", "spearman_mean"


class Case(NamedTuple):
    """gain   of the last look at `metric` by the fix, about half of what was measured"""

    code: str
    data: str
    fault: dict[str, Any]
    metric: str
    gain: float


CASES = [
    Case("warmup-longer-than-training", "questions", {"warmup_ratio": 10.0}, ACCURACY, 0.2),
    Case(
        "no-warmup-spike",
        "questions",
        {"warmup_ratio": 0.0, "encoder_learning_rate": 0.03, "epochs": 8},
        ACCURACY,
        0.2,
    ),
    # The fix goes to the usual rate of pretrained layers, at which these, untrained, take longer than they have here.
    Case("learning-rate-too-high", "questions", {"encoder_learning_rate": 0.1}, ACCURACY, 0.15),
    Case(
        "learning-rate-too-high",
        "questions",
        {"encoder_learning_rate": 0.1, "warmup_ratio": 0.0},
        ACCURACY,
        0.15,
    ),
    Case("task-dominates", "questions", TYPES | {"objectives.classification.weight": 1000.0}, ACCURACY, 0.25),
    Case("task-starved", "questions", TYPES | {"encoder_learning_rate": 1e-3}, ACCURACY, 0.15),
    Case(
        "gradient-conflict",
        "reversed pairs",
        SIMILARITY | {"tasks.weighting": "equal_gradient"},
        ACCURACY,
        0.25,
    ),
    Case("antipodal-angle", "synonyms", ALONE | ABSOLUTE | ANGLES | CENTRED | {"epochs": 10}, CORRELATION, 0.35),
]


@pytest.fixture(scope="module")
def data(make_encoder) -> dict[str, Prepared]:
    encoder = make_encoder()
    questions = trained.questions(encoder)
    return {
        "questions": questions,
        "pairs": trained.with_pairs(questions, encoder, trained.by_answer),
        "reversed pairs": trained.with_pairs(questions, encoder, trained.by_answer, labels=(0.0, 1.0)),
        "synonyms": trained.with_pairs(questions, encoder, trained.of_synonyms),
    }


@pytest.fixture
def experiment(make_encoder, options, data) -> Callable[..., Records]:
    def run(name: str, changes: dict[str, Any], seed: int = 0) -> Records:
        chosen = trained.HEALTHY | changes
        warmup = chosen.get("warmup_ratio", 0.0)
        parsed = options("finetune_rank", params.FinetuneRank, chosen | ({"warmup_ratio": 1.0} if warmup > 1.0 else {}))
        if warmup > 1.0:
            # The options refuse a warm-up longer than the training; a trainer with a fixed number of steps has one.
            object.__setattr__(parsed, "warmup_ratio", warmup)
        return trained.experiment(make_encoder(), data[name], parsed, seed)

    return run


def of_optimisation(found: dict[tuple[str, str], Finding]) -> set[str]:
    """Codes of what this file is about and of what they take the place of, but for what is said for information."""
    told = {code for (code, _), finding in found.items() if finding.severity != "info"}
    return told & {*(case.code for case in CASES), "underfitted", "overfitted", "dead-loss-term"}


HEALTHY = [
    ("questions", {}),
    ("questions", {"warmup_ratio": 0.0}),
    ("pairs", SIMILARITY),
    ("pairs", ALONE),
    ("synonyms", ALONE | ANGLES | CENTRED | {"epochs": 10}),
]


@pytest.mark.parametrize(("name", "changes"), HEALTHY)
def test_a_healthy_training_raises_none_of_them(name, changes, experiment, findings):
    assert of_optimisation(findings(experiment(name, changes))) == set()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_a_fault_that_happened_is_named_and_its_fix_undoes_it(case, experiment, findings):
    spoilt = experiment(case.data, case.fault)
    spoken = findings(spoilt)
    assert of_optimisation(spoken) == {case.code}
    fix = spoken[case.code, "base-tuned"].fix.params
    fixed = experiment(case.data, case.fault | {key.removeprefix("finetune_rank."): fix[key] for key in fix})
    assert (case.code, "base-tuned") not in findings(fixed)
    before, after = (records.finetune["base"].evaluations[case.metric].iloc[-1] for records in (spoilt, fixed))
    assert after > before + case.gain


def test_a_pooling_that_the_encoder_was_not_made_for_is_named_and_the_declared_one_ranks_better(make_encoder, data):
    encoder = make_encoder(pooling="max")
    encoder.declared = Declared(pooling="mean")
    recorded = trained.recorded(data["questions"])
    recorded.tables.update(poolings.tables(encoder, data["questions"], trained.ENCODER))
    (found,) = encoder_probes.pooling_mismatch(recorded)
    assert found.fix.params == {"encoder.pooling": "auto"}
    fixed = make_encoder(pooling=encoder.declared.pooling)
    fixed.declared = Declared(pooling="mean")
    assert poolings.tables(fixed, data["questions"], trained.ENCODER) == {}
    before, after = (trained.evaluated(system.untrained(one), data["questions"]) for one in (encoder, fixed))
    assert after.queries["mrr"].mean() > before.queries["mrr"].mean() + 0.1
