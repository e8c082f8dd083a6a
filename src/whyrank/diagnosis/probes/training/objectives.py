"""Objectives that do nothing: no weight moves, a loss has no effect, or its negatives are too few or too easy."""

from collections.abc import Iterator

import pandas as pd

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training.effects import leads, tasks
from whyrank.diagnosis.probes.training.learning_rate import SPOILT
from whyrank.diagnosis.probes.training.steps import RATES, USUAL, are_slow, each_training, moved, parameter, peak_rates
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord

# Weights in float32 round at 6e-8 of their size, and the first step of a warm-up moves a part by 5e-4; a training that
# leaves every part a tenth as close to its start did not happen.
STILL = 5e-5

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
            percent("largest movement of a part, of its length", way).against(100 * STILL),
            Evidence("steps", len(record.history), "steps"),
            Evidence("largest learning rate", rate),
        ),
        cause=_slow(record) if are_slow(record) else _unmoved(record),
        fix=Fix(
            _faster(record)
            if are_slow(record)
            else {
                "finetune_rank.freeze_steps": 0,
                "finetune_rank.unfreeze_every": 0,
                **{f"finetune_rank.objectives.{name}.freeze_encoder": False for name in sorted(record.objectives)},
            }
        ),
        reference="ST#680",
        weight=CAUSE,
    )


def _own_rates(record: TrainingRecord) -> list[str]:
    """Columns of the rates that objectives keep for themselves; where there are some, they win over that of all."""
    return [name for name in peak_rates(record) if name not in RATES]


def _faster(record: TrainingRecord) -> dict[str, object]:
    usual: dict[str, object] = {f"finetune_rank.{name}": value for name, value in USUAL.items()}
    return {parameter(name): 0.0 for name in _own_rates(record)} or usual


def _slow(record: TrainingRecord) -> str:
    own = [f"`{parameter(name)}`" for name in _own_rates(record)]
    if own:
        return f"{' and '.join(own)} wins over finetune_rank.learning_rate, and is too small to move a weight."
    return "The learning rates are zero, or too small for the precision of the weights."


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
            evidence=(percent(f"mean contribution of `{name}` to the gradient norm", share).against(100 * DEAD),),
            cause="Its weight is too small beside those of the others, or its pairs satisfy it already.",
            fix=revived(name),
            reference="angle_emb 0.6.1 (angle_w 0.02, cosine_w 0)",
            weight=100 * (DEAD - share),
        )
    if columns and len(least) == len(columns):
        yield passed("", percent("least contribution of a loss to the gradient norm", min(least)), 100 * DEAD)


@probe(
    "dead-loss-term",
    on="trained",
    explains=("best-not-kept", "overfitted", "underfitted", "forgetting", *SPOILT),
    layer="training",
)
@each_training
def never_begun(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """An objective that was to begin after the last step."""
    steps = len(record.history)
    for name, own in case.records.params.get("finetune_rank", {}).get("objectives", {}).items():
        if not own["weight"] or name in record.objectives or own["start_step"] < steps:
            continue
        yield Finding(
            severity="error" if leads(name) else "warning",
            sentence=f"`{name}` was never trained: it was to begin after step {own['start_step']}, and training had "
            f"{steps} steps.",
            evidence=(
                Evidence("steps made", steps, "steps"),
                Evidence("start_step", own["start_step"], "steps").against(steps),
            ),
            cause="The objective begins after the end of this training, which followed the others alone.",
            fix=Fix({f"finetune_rank.objectives.{name}.start_step": 0}),
            reference="Bengio et al. 2009, Curriculum learning",
            weight=CAUSE if leads(name) else 10.0,
        )


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
        compared, fix = found
        if compared > FEW:
            yield passed("", Evidence(f"candidates of `{task.name}` per batch", compared, "texts"), FEW)
            continue
        yield Finding(
            severity="warning" if compared <= VERY_FEW else "info",
            sentence=f"`{task.name}` has {compared - 1:.0f} in-batch negatives per text, too few to include hard ones.",
            evidence=(Evidence("candidates per batch", compared, "texts").against(FEW),),
            cause="Each text is compared only with the other texts of its batch.",
            fix=fix,
            reference="ST#2916; arXiv:2010.08191",
            weight=FEW - compared + 1,
        )
