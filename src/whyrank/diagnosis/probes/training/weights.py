"""Steps that weight decay or rounding undoes, and learning rates that follow no schedule."""

from collections.abc import Iterator

import numpy as np

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training.learning_rate import SPOILT
from whyrank.diagnosis.probes.training.steps import are_slow, each_training, peak_rates
from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import AS_BEFORE, TrainingRecord

# Mean cosine of the steps and the negative weights. Healthy runs: -0.03 to 0.05.
SHRINKS = 0.5
# Length of the weights, of that before training. Healthy runs: 0.99 to 1.2. Steps that point to zero and leave more
# than `WHOLE` have undone nothing: they are too short.
SHORTER, WHOLE = 0.7, 0.97
# Share of the weights with a gradient that a step changes. In float32 0.99 and more, also at a hundredth of the rate.
CHANGED = 0.9
# Of the peak rate: steps with less are left out.
AT_WORK = 0.05
LEAST_STEPS = 10
# Share of the weights that a training in half precision left as they were.
LEFT = 0.5
IN_HALF = "a model from elsewhere with weights in half precision, and its base"
# Times that the rate turns from rising to falling or back by a tenth of its peak. A schedule rises and falls: once.
TURNS, TURN = 3, 0.1
# Share of the steps with less than a hundredth of the peak. Cosine decay has 6 %, linear 1 %.
AT_REST, REST = 0.5, 0.01


@probe("weight-decay-undoes", on="trained", explains=("underfitted", *SPOILT))
@each_training
def weight_decay_undoes(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """The steps point to zero: decay is stronger than the loss."""
    history = record.history
    if "shrink_cosine" not in history:
        yield not_applicable("", "the direction of the steps")
        return
    cosine, length = float(history["shrink_cosine"].mean()), float(history["weight_norm"].iloc[-1])
    kept = WHOLE if cosine >= SHRINKS else SHORTER
    if length > kept:
        yield passed("", percent("length of the weights at the end, of that at the start", length), 100 * kept)
        return
    yield Finding(
        sentence=f"Weight decay outweighs the loss: the steps point to zero (mean cosine {cosine:.2f}), and the "
        f"weights "
        f"ended at {100 * length:.0f} % of their length.",
        evidence=(
            Evidence("mean cosine of the steps and the negative weights", cosine, "-1 to 1"),
            percent("length of the weights at the end, of that at the start", length).against(100 * kept),
        ),
        cause="A step of AdamW takes off learning rate times weight decay of every weight; here that is more than the "
        "gradient moves it by, and the pretrained weights fade.",
        fix=Fix({"finetune_rank.weight_decay": 0.01}),
        reference="Loshchilov and Hutter 2019, arXiv:1711.05101",
        weight=100 * max(0.05, 1 - length),
    )


@probe("updates-lost-in-rounding", on="trained", explains=("nothing-moves", "underfitted", "tuning-brought-nothing"))
@each_training
def updates_lost_in_rounding(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """Steps that leave many weights as they were, though these have a gradient."""
    history = record.history
    if "weights_changed" not in history:
        yield not_applicable("", "the share of the weights that a step changes")
        return
    at_work = history[history.get("rate_factor", history["step"] * 0 + 1) >= AT_WORK]
    changed = float(at_work["weights_changed"].median()) if len(at_work) else 1.0
    moved = [name for name in history if str(name).startswith("update_")]
    # Nothing at all is another finding, and so are rates at which nothing learns in any precision.
    if changed >= CHANGED or history[moved].to_numpy().max() == 0 or are_slow(record):
        yield passed("", percent("weights that a step changes", changed), 100 * CHANGED)
        return
    yield Finding(
        sentence=f"A step leaves {100 * (1 - changed):.0f} % of the weights that have a gradient as they were: its "
        f"change is "
        "smaller than what their precision can hold.",
        evidence=(
            percent("weights that a step changes, median", changed).against(100 * CHANGED),
            *(Evidence(name.replace("_", " ") + " at its peak", rate) for name, rate in peak_rates(record).items()),
        ),
        cause="The weights are kept in half precision (bfloat16 holds 2 to 3 digits), or the learning rate is far "
        "too low "
        "for them.",
        fix=Fix(
            {"encoder.precision": "fp32"}, "load and keep the weights in float32; autocast may still compute in bf16"
        ),
        reference="ST#3773; THU-BPM/RLCSD#2; Micikevicius et al. 2018, arXiv:1710.03740",
        weight=10.0,
    )


@probe("weights-in-half-precision", on="trained", explains=("tuning-brought-nothing", "underfitted"))
def weights_in_half_precision(case: Examination) -> Iterator[Finding | Outcome]:
    """A model from elsewhere whose files are in half precision, and most of whose weights are its base's."""
    if not case.records.finetune:
        yield not_applicable("finetune_rank", IN_HALF)
    # Whether or not its steps were logged.
    for init, record in case.records.finetune.items():
        system, share = case.systems.trained_from(init), record.metrics.get(AS_BEFORE)
        if share is None:
            yield not_applicable(system, IN_HALF)
        elif share < LEFT:
            yield passed(system, _as_before(share), 100 * LEFT)
        else:
            yield _lost_in_files(system, share)


def _as_before(share: float) -> Evidence:
    return percent("weights of the layers that are as before, to the last bit", share)


def _lost_in_files(system: str, share: float) -> Finding:
    return Finding(
        system=system,
        sentence=f"The weights came in half precision, and {100 * share:.0f} % of those of the layers are the "
        "base's to the last bit: smaller updates left no trace.",
        evidence=(_as_before(share).against(100 * LEFT),),
        cause="bfloat16 holds steps of 1/256 of a weight, float16 of 1/2048. Where the model was trained in this "
        "precision, each update below half a step was lost; a training has thousands of these.",
        fix=Fix({}, "train with the weights in float32 (autocast may compute in bfloat16), and save them so"),
        reference="ST#3773; THU-BPM/RLCSD#2; Micikevicius et al. 2018, arXiv:1710.03740",
        weight=12.0,
    )


@probe("learning-rate-jumps", on="trained", explains=("underfitted", "tuning-brought-nothing", "overfitted", *SPOILT))
@each_training
def learning_rate_jumps(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """A learning rate that goes up and down, or rests at zero for most steps."""
    rates = [name for name in peak_rates(record) if record.history[name].max() > 0]
    if len(record.history) < LEAST_STEPS or not rates:
        yield too_little("", f"{len(record.history)} steps")
        return
    rate_S = record.history[rates[-1]].to_numpy() / record.history[rates[-1]].max()
    turns, rest = _turns(rate_S), float((rate_S < REST).mean())
    if turns < TURNS and rest < AT_REST:
        yield passed("", Evidence("turns of the learning rate", turns), TURNS)
        return
    yield Finding(
        sentence=f"The learning rate is below 1 % of its peak in {100 * rest:.0f} % of the steps."
        if rest >= AT_REST
        else f"The learning rate goes up and down: it turns {turns} times by more than a tenth of its peak.",
        evidence=(
            Evidence("turns of the learning rate", turns, "times").against(TURNS),
            percent("steps with less than 1 % of the peak", rest),
        ),
        cause="The scheduler is not stepped once an update, or was made for another number of steps.",
        fix=Fix(
            {"finetune_rank.lr_scheduler": "linear", "finetune_rank.warmup_ratio": 0.1},
            "step the scheduler once after each update",
        ),
        reference="transformers: get_linear_schedule_with_warmup; semantic-router#3940",
        weight=10.0,
    )


def _turns(rate_S: np.ndarray) -> int:
    """Changes of direction, each after a way of at least `TURN`."""
    turns, direction, last = 0, 0, rate_S[0]
    for rate in rate_S[1:]:
        if abs(rate - last) < TURN:
            continue
        turns += direction != 0 and np.sign(rate - last) != direction
        direction, last = int(np.sign(rate - last)), rate
    return int(turns)
