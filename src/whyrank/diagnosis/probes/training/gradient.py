"""Gradients that grow, vanish, miss weights or are clipped away, and steps that do not follow them."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training.learning_rate import SPOILT
from whyrank.diagnosis.probes.training.steps import USUAL, each_training, judged_at
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord

PART = "gradient_"
# What objectives have for themselves.
OWN = "objectives"
NOT_PARTS = ("gradient_norm", "gradient_left")
LEAST_STEPS = 16
# Median of the last quarter of the steps over that of the first, and rank correlation with the step. Healthy runs: 0.5
# to 1.3, at most 0.6.
GROWN, ORDER = 3.0, 0.7
# Of the first quarter, while at least half of the loss is left.
VANISHED = 1e-3
NOTHING = 1e-10
# Root mean square of a gradient beside AdamW's epsilon of 1e-8: below this its steps are no longer of the asked size.
UNSEEN = 1e-8
# Share of the steps that must be clipped, to a hundredth or less. Encoders have norms of 2 to 20 at a bound of 1.
CLIPPED_STEPS, CLIPPED_TO = 0.9, 0.01
# Mean over the first steps of the cosine of step and negative gradient. Healthy runs: 0.2 to 0.6.
UPHILL, FIRST_STEPS = -0.05, 3
CHANGED = 0.9

LITTLE = ("nothing-moves", "underfitted", "tuning-brought-nothing", "worse-than-lexical", "weight-decay-undoes")


@probe("gradient-grows", on="trained", explains=("underfitted", *SPOILT), by_outcome=True)
@each_training
def gradient_grows(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """Gradients of earlier steps are still there, or the norm rises step by step."""
    history = record.history
    left = float(history["gradient_left"].max()) if "gradient_left" in history else 0.0
    norm_S = history["gradient_norm"].to_numpy() if "gradient_norm" in history else np.zeros(0)
    # Of an optimiser that holds other weights they stay, too: `nothing-moves`.
    if left > 0 and history["weights_changed"].max() > 0:
        yield _grows(norm_S, left, f"Before a step computes its own, gradients of the steps before it are there, of "
        f"norm "
                     f"{left:.3g}: they are not set to zero.", "error")  # fmt: skip
        return
    if len(norm_S) < LEAST_STEPS:
        yield too_little("", f"{len(norm_S)} steps")
        return
    quarter = len(norm_S) // 4
    grown = float(np.median(norm_S[-quarter:]) / max(np.median(norm_S[:quarter]), 1e-12))
    order = float(spearmanr(np.arange(len(norm_S)), norm_S).statistic) if np.ptp(norm_S) else 0.0
    if grown < GROWN or order < ORDER:
        yield passed("", Evidence("gradient norm, last quarter over first", grown), GROWN)
        return
    yield _grows(norm_S, left, f"The gradient norm grows step by step, to {grown:.1f} times what it was in the first "
                 "quarter of the steps.", "warning")  # fmt: skip


def _grows(norm_S: np.ndarray, left: float, sentence: str, severity: str) -> Finding:
    quarter = max(1, len(norm_S) // 4)
    first, last = (float(np.median(part)) for part in (norm_S[:quarter], norm_S[-quarter:]))
    return Finding(
        severity="error" if severity == "error" else "warning",
        sentence=sentence,
        evidence=(
            Evidence("gradient norm, median of the first quarter", first),
            Evidence("gradient norm, median of the last quarter", last, threshold=None if left else GROWN * first),
            Evidence("norm of gradients left by earlier steps", left, threshold=0.0 if left else None),
        ),
        cause="Gradients add up over the steps: they are not zeroed, and every step repeats those before it."
        if left
        else "Training goes where the loss is steeper and steeper: the steps are too long, or point the wrong way.",
        fix=Fix({}, "zero the gradients before every step")
        if left
        else Fix({"finetune_rank.warmup_ratio": 0.1}, "then lower the learning rate"),
        reference="PyTorch: optimizer.zero_grad; Goodfellow et al. 2016, section 8.2.4",
        weight=CAUSE if left else 5.0,
    )


@probe("gradient-vanishes", on="trained", explains=LITTLE)
@each_training
def gradient_vanishes(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """No gradient at all, or one that is gone long before the loss is."""
    history = record.history
    if "gradient_norm" not in history:
        yield not_applicable("", "the gradient norm of the steps")
        return
    norm_S, loss_S = history["gradient_norm"].to_numpy(), history["loss"].to_numpy()
    quarter = max(1, len(norm_S) // 4)
    first, last = float(np.median(norm_S[:quarter])), float(np.median(norm_S[-quarter:]))
    none = float(norm_S.max()) < NOTHING
    gone = len(norm_S) >= LEAST_STEPS and last < VANISHED * first and loss_S[-quarter:].mean() > 0.5 * loss_S[0] > 0
    if not none and not gone:
        yield passed("", Evidence("gradient norm, last quarter over first", last / max(first, 1e-12)), VANISHED)
        return
    yield Finding(
        severity="error" if none else "warning",
        sentence="No step had a gradient."
        if none
        else f"The gradient vanished: its norm went from {first:.2g} to {last:.2g}, and "
        f"{loss_S[-quarter:].mean():.2f} of "
        f"a loss of {loss_S[0]:.2f} are left.",
        evidence=(
            Evidence("gradient norm, median of the first quarter", first),
            Evidence("gradient norm, median of the last quarter", last).against(VANISHED * first),
            Evidence("loss of the first step", float(loss_S[0])),
            Evidence("mean loss of the last quarter", float(loss_S[-quarter:].mean())),
        ),
        cause="The loss does not depend on what is trained (detached vectors, a weight of 0), or the softmax is "
        "saturated at a wrong answer.",
        fix=Fix({"finetune_rank.similarity.scale": 20.0}, "or look for a detach or no_grad between weights and loss"),
        reference="ST#3054; NVIDIA-NeMo/Automodel#3850",
        weight=CAUSE if none else 10.0,
    )


def parts(history: pd.DataFrame) -> dict[str, pd.Series]:
    """Root mean square of the gradient of each part, by the name of the part."""
    names = [str(name) for name in history if str(name).startswith(PART) and str(name) not in NOT_PARTS]
    return {name.removeprefix(PART): history[name] for name in names}


@probe("clipped-throughout", on="trained", explains=("underfitted", "tuning-brought-nothing", "weight-decay-undoes"))
@each_training
def clipped_throughout(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """Clipping leaves so little of every gradient that AdamW's epsilon is larger, or leaves no step as it is."""
    history, own = record.history, parts(record.history)
    if "clip_factor" not in history or not own:
        yield not_applicable("", "the factor of clipping in each step")
        return
    clipped = float((history["clip_factor"] <= CLIPPED_TO).mean())
    # The scale of the scores, a weight of its own, has a larger gradient than all others.
    others = [gradient.to_numpy() for part, gradient in own.items() if part != OWN or len(own) == 1]
    largest = float(np.median(np.max(others, axis=0)))
    if clipped < CLIPPED_STEPS:
        yield passed("", percent(f"steps clipped to {100 * CLIPPED_TO:.0f} % or less", clipped), 100 * CLIPPED_STEPS)
        return
    factor, norm = float(history["clip_factor"].median()), float(history["gradient_norm"].median())
    yield Finding(
        severity="warning" if largest < UNSEEN else "info",
        sentence=f"Clipping leaves {100 * factor:.2g} % of the gradient in {100 * clipped:.0f} % of the steps: their "
        f"norm is "
        f"{norm:.2g}, and {norm * factor:.2g} is let through."
        + (" The steps are far shorter than the learning rate asks for." if largest < UNSEEN else ""),
        evidence=(
            percent(f"steps clipped to {100 * CLIPPED_TO:.0f} % or less", clipped).against(100 * CLIPPED_STEPS),
            Evidence("gradient norm before clipping, median", norm),
            Evidence("largest norm that is let through", norm * factor),
            Evidence("root mean square of the gradient after clipping", largest),
        ),
        cause="max_grad_norm is far below the gradients of this loss: AdamW divides by their size, and its epsilon of "
        "1e-8 is larger than what is left.",
        fix=Fix({"finetune_rank.max_grad_norm": 1.0}),
        reference="Pascanu et al. 2013, arXiv:1211.5063; Kingma and Ba 2015",
        weight=10.0 if largest < UNSEEN else 1.0,
    )


@probe("steps-against-gradient", on="trained", explains=("gradient-grows", "loss-without-learning", *LITTLE, *SPOILT))
@each_training
def steps_against_gradient(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """The first steps go up the gradient, or gradients are there and no weight moves."""
    history = record.history
    if "descent_cosine" not in history:
        yield not_applicable("", "the direction of the steps")
        return
    first = history.head(FIRST_STEPS)
    cosine = float(first["descent_cosine"].mean())
    # What rounding leaves of a step has no direction.
    if cosine >= UPHILL or first["weights_changed"].min() < CHANGED:
        yield passed("", Evidence("cosine of the first steps and the negative gradient", cosine), UPHILL)
        return
    yield Finding(
        severity="error",
        sentence=f"The first steps go up the gradient: their cosine with its negative is {cosine:.2f}.",
        evidence=(
            Evidence("cosine of the first steps and the negative gradient", cosine, "-1 to 1").against(UPHILL),
            *(Evidence("accuracy@1 on training queries at the end", end) for end in [judged_at(record, -1)] if end),
        ),
        cause="The optimiser maximises the loss, its learning rate is negative, or its momentum belongs to other "
        "weights.",
        fix=Fix(
            {f"finetune_rank.{name}": rate for name, rate in USUAL.items()}, "or look at how the optimiser is made"
        ),
        reference="torch.optim.AdamW(maximize=True)",
        weight=CAUSE,
    )
