"""How many and how long steps a fine-tuning should take, from those that it took."""

import numpy as np

from whyrank.core.prepared import Prepared
from whyrank.diagnosis.examination import LEAST_EFFECT, Examination
from whyrank.findings.finding import Fix
from whyrank.findings.records import TrainingRecord

# Of the heads and, where it was trained, of the encoder; parameters and columns of the history have the same names.
# `<task>_learning_rate` is of what a task has for itself, where it has a rate of its own.
RATES = ("learning_rate", "encoder_learning_rate")
OWN = "_learning_rate"
# Adam moves a weight by about the learning rate in a step (Kingma and Ba 2015, section 2.1), so the sum of the rates
# bounds how far weights went. Heads on the sample learned as much for the same sum, in 30 steps or in 3000: training
# accuracy 0.40 -> 0.42 at 0.0015, 0.85 at 0.015. Pretrained layers need a tenth of it.
ENOUGH = {"learning_rate": 0.015, "encoder_learning_rate": 0.0015}
# Rates at which they learned there; what is missing beyond them takes more steps.
USUAL = {"learning_rate": 1e-3, "encoder_learning_rate": 1e-4}
# Times the usual rate.
FAR = 30.0
# A rate of zero is a rate.
TINY = 1e-12
FEW_STEPS = 100

# A training that leaves this share of the accuracy on training queries, or less, took steps in the wrong direction.
LEFT = 0.8
# Standard errors that a rise of the loss must exceed.
NOISE = 2.0


def trained(case: Examination) -> dict[str, TrainingRecord]:
    """Fine-tunings with at least one step, by initial encoder."""
    return {init: record for init, record in case.records.finetune.items() if len(record.history)}


def ranked(case: Examination) -> dict[str, TrainingRecord]:
    """Those of them that had ranking among their objectives."""
    return {init: record for init, record in trained(case).items() if "rank" in record.objectives}


def is_of_ranking(case: Examination, system: str) -> bool:
    """Whether the training of a system had ranking among its objectives; where none is recorded, that is assumed."""
    record = case.records.training_of(system)
    return record is None or not record.objectives or "rank" in record.objectives


def epochs_run(case: Examination, record: TrainingRecord) -> float:
    """Rounds through the training pairs that training saw."""
    data = case.data
    pairs = len(Prepared(data.answers, data.queries, data.qrels).relevant_in("train"))
    return float(record.history["rows"].sum()) / pairs


def peak_rates(record: TrainingRecord) -> dict[str, float]:
    """By column of the history."""
    own = [name for name in map(str, record.history) if name.endswith(OWN) and name not in RATES]
    return {name: float(record.history[name].max()) for name in (*RATES, *own) if name in record.history}


def parameter(rate: str, section: str = "finetune_rank") -> str:
    """Of a learning rate, by its column."""
    return f"{section}.{rate}" if rate in RATES else f"{section}.objectives.{rate.removesuffix(OWN)}.learning_rate"


def measure_of(table: dict[str, float], rate: str) -> float:
    """Of `ENOUGH` or `USUAL`: what a task has for itself is a head."""
    return table.get(rate, table["learning_rate"])


def scaled_rates(record: TrainingRecord, factor: float, section: str = "finetune_rank") -> dict[str, object]:
    """Overrides that multiply the learning rate of whatever was trained."""
    return {parameter(name, section): rounded(factor * rate) for name, rate in peak_rates(record).items()}


def gentler(record: TrainingRecord) -> dict[str, object]:
    """Rates that bring weights as far as learning takes, at most a third of those that there were."""
    far = [record.history[name].sum() / measure_of(ENOUGH, name) for name in peak_rates(record)]
    return scaled_rates(record, 1 / max([3.0, *far]))


def train_on(case: Examination, record: TrainingRecord) -> Fix:
    """More rounds, for a training that ended while it learned."""
    return Fix({"finetune_rank.epochs": rounded(3 * epochs_run(case, record))})


def train_more(case: Examination, record: TrainingRecord) -> Fix:
    """For a training that hardly learned anything: shorter steps where it went astray, else longer and more of them."""
    steps, epochs = int(record.metrics["steps_run"]), epochs_run(case, record)
    accuracy = record.evaluations["train_accuracy@1"].to_numpy()
    if accuracy[-1] < LEFT * accuracy[0]:
        return Fix(scaled_rates(record, 0.1))
    longer = go_further(record, epochs)
    if longer is not None:
        return longer
    if _loss_rose(record.history["rank_loss"].to_numpy()):
        return Fix(scaled_rates(record, 0.1))
    if steps < FEW_STEPS:
        return Fix({"finetune_rank.epochs": rounded(epochs * 10 * FEW_STEPS / steps)} | scaled_rates(record, 1))
    return Fix({"finetune_rank.epochs": rounded(3 * epochs)} | scaled_rates(record, 10))


def further(record: TrainingRecord) -> dict[str, float]:
    """How many times as far as they went the weights have to go, by what was trained; 1 where they went far enough."""
    return {
        name: max(1.0, measure_of(ENOUGH, name) / max(record.history[name].sum(), TINY)) for name in peak_rates(record)
    }


def go_further(record: TrainingRecord, epochs: float) -> Fix | None:
    """Longer steps up to the usual rates, then more of them; None where the weights went far enough."""
    far = further(record)
    if max(far.values(), default=1.0) <= 1:
        return None
    peaks = {name: max(peak, TINY) for name, peak in peak_rates(record).items()}
    longer = {name: min(far[name], max(1.0, measure_of(USUAL, name) / peak)) for name, peak in peaks.items()}
    more = max(far[name] / longer[name] for name in peaks)
    rates = {parameter(name): rounded(longer[name] * peak) for name, peak in peaks.items()}
    return Fix({"finetune_rank.epochs": rounded(more * epochs)} | rates)


def usual_rates(record: TrainingRecord) -> dict[str, object]:
    """The rates at which pretrained layers and new heads learn, for those that are lower, or far higher."""
    far = too_long(record)
    wrong = [name for name, peak in peak_rates(record).items() if peak < measure_of(USUAL, name) or name in far]
    return {parameter(name): measure_of(USUAL, name) for name in wrong}


def too_long(record: TrainingRecord) -> set[str]:
    """Rates that no pretrained encoder, and no layer on it, stands."""
    return {name for name, peak in peak_rates(record).items() if peak > FAR * measure_of(USUAL, name)}


def _loss_rose(loss: np.ndarray) -> bool:
    """From the first half of the steps to the second, by more than two standard errors."""
    first, second = loss[: len(loss) // 2], loss[len(loss) // 2 :]
    error = np.sqrt(first.var() / max(1, len(first)) + second.var() / len(second))
    return len(first) > 0 and bool(second.mean() - first.mean() > NOISE * error)


def rounded(value: float) -> float:
    return float(f"{value:.2g}")


def train_less(case: Examination, record: TrainingRecord, best: int, lost: float) -> Fix:
    """Shorter steps, decayed to zero about where the best evaluation was; keep the best by the metric asked for.

    Where nothing was better than the start, the first evaluation came too late: much shorter steps, and about as
    many as it took.
    """
    evaluations = record.evaluations["step"].to_numpy()
    share = evaluations[max(best, 1)] / record.metrics["steps_run"]
    params = scaled_rates(record, 1 / 3 if best else 0.1)
    params["finetune_rank.epochs"] = rounded(3 * epochs_run(case, record) * share)
    if lost >= LEAST_EFFECT:
        params["finetune_rank.early_stopping.metric"] = f"{case.metric}_all"
    return Fix(params)
