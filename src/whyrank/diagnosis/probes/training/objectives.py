"""Objectives that do nothing: no weight moves, a loss has no effect, or its negatives are too few or too easy."""

from collections.abc import Iterator

import pandas as pd

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training.effects import tasks
from whyrank.diagnosis.probes.training.steps import USUAL, each_training, moved, peak_rates
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord

# Weights in float32 round at 6e-8 of their size; a training that leaves every part closer to its start than this did
# not happen.
STILL = 1e-6
# A rate below this moves no weight in thousands of AdamW steps.
NO_RATE = 1e-9

# Below a hundredth of the gradient a loss changes no step that one could see.
DEAD = 0.01
SHARE = "_gradient_share"

# The seed project's NLI training, worse than its encoder, had 16; the shipped run learns with 32.
# Candidates; healthy runs with 16 of three sets ranked as well as with 32.
FEW, VERY_FEW = 16, 8


@probe(
    "nothing-moves",
    on="trained",
    explains=("underfitted", "worse-than-lexical", "tuning-brought-nothing"),
    layer="training",
)
@each_training
def nothing_moves(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """All weights are as they were before training, though steps were made."""
    way = moved(record)
    if way is None:
        yield not_applicable("", "recorded movements of the weights")
        return
    if way >= STILL:
        yield passed("", percent("largest movement of a part, of its length", way), 100 * STILL)
        return
    rate = max(peak_rates(record).values(), default=0.0)
    yield Finding(
        severity="error",
        sentence=f"Training changed nothing: {len(record.history)} steps moved no part of the system by more than "
        f"{100 * way:.0e} % of its length.",
        evidence=(
            percent("largest movement of a part, of its length", way),
            Evidence("steps", len(record.history), "steps"),
            Evidence("largest learning rate", rate),
        ),
        cause="The learning rates are zero, or too small for the precision of the weights."
        if rate < NO_RATE
        else _unmoved(record),
        fix=Fix(
            {f"finetune_rank.{name}": value for name, value in USUAL.items()}
            if rate < NO_RATE
            else {
                "finetune_rank.freeze_steps": 0,
                "finetune_rank.unfreeze_every": 0,
                **{f"finetune_rank.objectives.{name}.freeze_encoder": False for name in sorted(record.objectives)},
            }
        ),
        reference="ST#680",
        weight=CAUSE,
    )


def _unmoved(record: TrainingRecord) -> str:
    norm = float(record.history.get("gradient_norm", pd.Series([0.0])).max())
    if "weights_changed" in record.history and norm > 0:
        return f"Gradients are there (norm {norm:.2g}), and the optimiser changes nothing: it holds other weights."
    return "No gradient reaches the weights: the objective keeps the encoder frozen, or nothing unfroze it."


@probe("dead-loss-term", on="trained", explains=("similarity-worse-than-zero-shot",), layer="training")
@each_training
def dead_loss_term(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """A loss that was computed in every step and changed none."""
    columns = [str(name) for name in record.history if str(name).endswith(SHARE)]
    least: list[float] = []
    if not columns:
        yield not_applicable("", "several losses in one training")
    for name, share in ((name.removesuffix(SHARE), float(record.history[name].mean())) for name in columns):
        if share >= DEAD:
            least.append(share)
            continue
        yield Finding(
            sentence=f"The loss `{name}` contributes {100 * share:.2f} % of the gradient norm; it has practically "
            "no effect.",
            evidence=(percent(f"mean contribution of `{name}` to the gradient norm", share),),
            cause="Its weight is too small beside those of the others, or its pairs satisfy it already.",
            fix=revived(name),
            reference="angle_emb 0.6.1 (angle_w 0.02, cosine_w 0)",
            weight=100 * (DEAD - share),
        )
    if columns and len(least) == len(columns):
        yield passed("", percent("least contribution of a loss to the gradient norm", min(least)), 100 * DEAD)


def revived(name: str) -> Fix:
    """Weight 1 for a loss of an objective; equal gradients for a whole objective."""
    objective, _, loss = name.partition("_")
    if loss:
        return Fix({f"finetune_rank.objectives.{objective}.{loss}.weight": 1.0})
    return Fix({"finetune_rank.tasks.weighting": "equal_gradient"})


@probe(
    "few-negatives",
    on="trained",
    explains=("similarity-worse-than-zero-shot", "tuning-brought-nothing"),
    layer="batches",
)
@each_training
def few_negatives(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """Batches so small that in-batch negatives are few and easy."""
    all_found = [(task, task.candidates(case, record)) for task in tasks()]
    if not any(found for _, found in all_found):
        yield not_applicable("", "negatives from the batch, fewer than there are answers")
    for task, found in all_found:
        if found is None:
            continue
        key, compared = found
        if compared > FEW:
            yield passed("", Evidence(f"candidates of `{task.name}` per batch", compared, "texts"), FEW)
            continue
        yield Finding(
            severity="warning" if compared <= VERY_FEW else "info",
            sentence=f"`{task.name}` has {compared - 1:.0f} in-batch negatives per text, too few to include hard ones.",
            evidence=(Evidence("candidates per batch", compared, "texts"),),
            cause="Each text is compared only with the other texts of its batch.",
            fix=Fix({key: 64}),
            reference="ST#2916; arXiv:2010.08191",
            weight=FEW - compared + 1,
        )
