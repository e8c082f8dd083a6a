"""Objectives that do nothing: no weight moves, a loss has no effect, or its negatives are too few or too easy."""

from collections.abc import Iterator

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training.steps import USUAL, peak_rates, trained
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
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

ANGLE, OPPOSED = "similarity_angle_loss", "similarity_opposed_positives"
# Share of the positive pairs, over the last tenth of the steps. On the tiny encoder of the tests it was 0.00 under the
# signed angle, and 0.05 to 0.24 under the absolute one from a head that centres its vectors.
ANTIPODAL, TAIL = 0.05, 0.1

# The seed project's NLI training, worse than its encoder, had 16; the shipped run learns with 32.
FEW = 16


@probe("nothing-moves", on="trained", explains=("underfitted", "worse-than-lexical"))
def nothing_moves(case: Examination) -> Iterator[Finding]:
    """All weights are as they were before training, though steps were made."""
    for init, record in trained(case).items():
        parts = [name for name in record.history if str(name).startswith("moved_")]
        if not parts:
            continue
        moved = float(record.history[parts].iloc[-1].max())
        if moved >= STILL:
            continue
        rate = max(peak_rates(record).values(), default=0.0)
        yield Finding(
            severity="error",
            system=case.systems.trained_from(init),
            sentence=f"Training changed nothing: {len(record.history)} steps moved no part of the system by more than "
            f"{100 * moved:.0e} % of its length.",
            evidence=(
                percent("largest movement of a part, of its length", moved),
                Evidence("steps", len(record.history), "steps"),
                Evidence("largest learning rate", rate),
            ),
            cause="The learning rates are zero, or too small for the precision of the weights."
            if rate < NO_RATE
            else "No gradient reaches the weights: the objective keeps the encoder frozen, or nothing unfroze it.",
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


@probe("dead-loss-term", on="trained", explains=("similarity-worse-than-zero-shot",))
def dead_loss_term(case: Examination) -> Iterator[Finding]:
    """A loss that was computed in every step and changed none."""
    for init, record in trained(case).items():
        for name, share in gradient_shares(record).items():
            if share >= DEAD:
                continue
            yield Finding(
                system=case.systems.trained_from(init),
                sentence=f"The loss `{name}` contributes {100 * share:.2f} % of the gradient norm; it has practically "
                "no effect.",
                evidence=(percent(f"mean contribution of `{name}` to the gradient norm", share),),
                cause="Its weight is too small beside those of the others, or its pairs satisfy it already.",
                fix=revived(name),
                reference="angle_emb 0.6.1 (angle_w 0.02, cosine_w 0)",
                weight=100 * (DEAD - share),
            )


def gradient_shares(record: TrainingRecord) -> dict[str, float]:
    """Mean share of each recorded loss, by the name of the loss."""
    columns = [str(name) for name in record.history if str(name).endswith(SHARE)]
    return {name.removesuffix(SHARE): float(record.history[name].mean()) for name in columns}


def revived(name: str) -> Fix:
    """Weight 1 for a loss of the similarity objective; equal gradients for a whole objective."""
    objective, _, loss = name.partition("_")
    if loss:
        return Fix({f"finetune_rank.objectives.{objective}.{loss}.weight": 1.0})
    return Fix({"finetune_rank.tasks.weighting": "equal_gradient"})


@probe("antipodal-angle", on="trained", explains=("similarity-worse-than-zero-shot",))
def antipodal_angle(case: Examination) -> Iterator[Finding]:
    """Under AnglE's absolute angle difference, the vectors of positive pairs came to point in opposite directions."""
    for init, record in trained(case).items():
        history = record.history
        if ANGLE not in history or OPPOSED not in history:
            continue
        opposed_S = history[OPPOSED].dropna()
        share = float(opposed_S.tail(max(1, round(TAIL * len(opposed_S)))).mean())
        if not share >= ANTIPODAL:
            continue
        yield Finding(
            system=case.systems.trained_from(init),
            sentence=f"The vectors of {100 * share:.0f} % of the positive pairs end up in opposite directions.",
            evidence=(
                percent("positive pairs with a cosine below -0.5, at the end", share),
                percent("positive pairs with a cosine below -0.5, first batch", float(opposed_S.iloc[0])),
                Evidence("loss `angle` at the end", float(history[ANGLE].dropna().iloc[-1])),
            ),
            cause="`angle` is the absolute value of the angle difference: opposite vectors score as equal ones do, and "
            "a pair that begins apart may be pushed into opposite directions.",
            fix=Fix(
                {
                    "finetune_rank.objectives.similarity.angle.weight": 0.0,
                    "finetune_rank.objectives.similarity.angle_signed.weight": 1.0,
                }
            ),
            reference="Li and Li 2023, arXiv:2309.12871; github.com/SeanLee97/AnglE/issues/55",
            weight=100 * share,
        )


@probe("few-negatives", on="trained", explains=("similarity-worse-than-zero-shot",))
def few_negatives(case: Examination) -> Iterator[Finding]:
    """Batches so small that in-batch negatives are few and easy."""
    for init, record in trained(case).items():
        for name, key, compared in compared_with(case, record):
            if compared > FEW:
                continue
            yield Finding(
                system=case.systems.trained_from(init),
                sentence=f"`{name}` has {compared - 1:.0f} in-batch negatives per text, too few to include hard ones.",
                evidence=(Evidence("candidates per batch", compared, "texts"),),
                cause="Each text is compared only with the other texts of its batch.",
                fix=Fix({key: 64}),
                reference="ST#2916; arXiv:2010.08191",
                weight=FEW - compared + 1,
            )


def compared_with(case: Examination, record: TrainingRecord) -> Iterator[tuple[str, str, float]]:
    """Each objective that compares within the batch: its name, the key of its batch size, and candidates a batch."""
    if "candidates" in record.history:
        candidates = float(record.history["candidates"].mean())
        # All answers of a small corpus are as many as there are.
        if candidates < len(case.data.answers):
            yield "rank", "finetune_rank.batch_size", candidates
    if "similarity_in_batch_loss" in record.history:
        rows = float(record.history["similarity_rows"].mean())
        yield "similarity", "finetune_rank.objectives.similarity.batch_size", rows
