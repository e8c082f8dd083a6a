"""Faults between several objectives on one encoder: one has nearly all of the gradient, or two contradict."""

from collections.abc import Iterator
from math import ceil

import numpy as np

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training.effects import Effect, cost, effect, leads, objectives
from whyrank.diagnosis.probes.training.objectives import DEAD
from whyrank.diagnosis.probes.training.steps import each_training
from whyrank.diagnosis.report.numbers import signed
from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord
from whyrank.measure.significance.resampling import Interval

# Of the share that it would have if all pulled alike. On the tiny encoder of the tests, of two objectives, ranking lost
# what it had with 0.13 of the gradient (0.26 of its share) and less, and learned with 0.37 and more.
OUTDONE = 0.3

# Share of the steps in which an objective is outdone before its gradient grows.
EARLY = 0.25

COSINE = "_gradient_cosine"
# Mean cosine; of unrelated objectives it was -0.02 to 0.17, of contradicting ones -0.40.
CONFLICT = -0.05
LEAST_STEPS = 16


@probe("task-dominates", on="trained", layer="training", by_outcome=True)
@each_training
def task_dominates(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """An objective with little of the gradient lost what it had."""
    harmed = {name: found for name, found in outdone(case, record).items() if found.fell}
    for name, found in harmed.items():
        yield _outdone(case, init, record, name, found, f"what helps it harms `{name}`")
    if not harmed:
        yield _balanced(record)


@probe("task-starved", on="trained", layer="training", by_outcome=True)
@each_training
def task_starved(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """An objective with little of the gradient, or of the batches, learned nothing."""
    starved = {name: found for name, found in outdone(case, record).items() if found.hardly_moved and not found.fell}
    for name, found in starved.items():
        yield _outdone(case, init, record, name, found, f"`{name}` has hardly any effect on them")
    if not starved:
        yield _balanced(record)


def _balanced(record: TrainingRecord) -> Outcome:
    own = shares(record)
    if not own:
        return not_applicable("", "several objectives in one training")
    least = min(own, key=own.__getitem__)
    measured = percent(f"contribution of `{least}`", own[least])
    return passed("", measured, 100 * OUTDONE / len(own), "or it learned all the same")


def _outdone(case: Examination, init: str, record: TrainingRecord, name: str, found: Effect, harm: str) -> Finding:
    own, of = shares(record), "batches" if is_drawn(record) else "gradient norm"
    is_early = not is_drawn(record) and own[name] < record.history[f"{name}_gradient_share"].mean()
    when = " in the first quarter of the steps" if is_early else ""
    return Finding(
        sentence=f"`{name}` contributes {100 * own[name]:.1f} % of the {of}{when}, and {found.metric} went from "
        f"{found.start:.2f} to {found.end:.2f}.",
        evidence=(
            *(
                percent(f"contribution of `{one}` to the {of}{when if one == name else ''}", share).where_below(
                    100 * OUTDONE / len(own)
                )
                for one, share in own.items()
            ),
            *found.evidence,
        ),
        cause=f"`{max(own, key=own.__getitem__)}` decides the steps, and {harm}: the weight of a loss says nothing "
        "about the size of its gradient, nor the number of rows about the number of batches.",
        fix=Fix({"finetune_rank.tasks.sampling": "equal"})
        if is_drawn(record)
        else Fix({"finetune_rank.tasks.weighting": "equal_gradient"}),
        reference="ST#2824, #927, #2440; Chen et al. 2018, arXiv:1711.02257",
        weight=cost(case, init, found),
    )


def outdone(case: Examination, record: TrainingRecord) -> dict[str, Effect]:
    """Objectives far below their equal share, whose effect is known; another probe speaks of those below `DEAD`."""
    own, least = shares(record), 0.0 if is_drawn(record) else DEAD
    far = [name for name, share in own.items() if least <= share < OUTDONE / len(own)]
    return {name: found for name in far if (found := effect(case, record, name))}


def shares(record: TrainingRecord) -> dict[str, float]:
    """Of each objective in the gradient, or where one is drawn for each batch in the batches; none of a single one.

    The smaller of all steps and of the first quarter: what is outdone gets worse, and its gradient larger for it.
    """
    names = objectives(record)
    column = "batches" if is_drawn(record) else "gradient_share"
    found = {name: record.history.get(f"{name}_{column}") for name in names}
    known = {name: value.dropna() for name, value in found.items() if value is not None} if len(names) > 1 else {}
    if is_drawn(record):
        return {name: float(one.mean()) for name, one in known.items()}
    return {name: float(min(one.mean(), one.head(ceil(EARLY * len(one))).mean())) for name, one in known.items()}


def is_drawn(record: TrainingRecord) -> bool:
    return any(f"{name}_batches" in record.history for name in objectives(record))


@probe("gradient-conflict", on="trained", layer="training", by_outcome=True)
@each_training
def gradient_conflict(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """The gradients of two objectives point away from each other, step after step."""
    found_conflicts = list(conflicts(case, record))
    if not found_conflicts:
        cosines = [float(record.history[name].mean()) for name in record.history if str(name).endswith(COSINE)]
        yield (
            passed("", Evidence("lowest mean cosine of two objectives' gradients", min(cosines)), CONFLICT)
            if cosines and len(record.history) >= LEAST_STEPS
            else too_little("", f"{len(record.history)} steps; {LEAST_STEPS} would tell")
            if cosines
            else not_applicable("", "several objectives in one training")
        )
    for one, other, cosine in found_conflicts:
        effects = {name: found for name in (one, other) if (found := effect(case, record, name))}
        # One that is drowned has another probe, and another remedy.
        drowned = outdone(case, record)
        harmed = [found for name, found in effects.items() if is_harmed(found) and name not in drowned]
        left_out = other if leads(one) else one
        yield Finding(
            severity="warning" if harmed else "info",
            sentence=f"`{one}` and `{other}` contradict each other: their gradients have a mean cosine of "
            f"{signed(cosine.mean, 2)} [{signed(cosine.low, 2)}, {signed(cosine.high, 2)}].",
            evidence=(
                Evidence("mean cosine of the gradients", cosine.mean, "-1 to 1, 0 where unrelated").against(CONFLICT),
                Evidence("steps", len(record.history), "steps"),
                *(Evidence(f"{found.metric} at the start", found.start) for found in effects.values()),
                *(Evidence(f"{found.metric} at the end", found.end) for found in effects.values()),
            ),
            cause="Both train the same weights in opposite directions: their labels contradict each other, or the "
            "tasks need different vectors.",
            fix=Fix(
                {f"finetune_rank.objectives.{left_out}.weight": 0.0},
                f"check the labels of `{left_out}` first; if they are right, leave it out or train it separately",
            ),
            reference="Yu et al. 2020, arXiv:2001.06782",
            interval=(cosine.low, cosine.high),
            weight=max((cost(case, init, found) for found in harmed), default=1.0),
        )


def conflicts(case: Examination, record: TrainingRecord) -> Iterator[tuple[str, str, Interval]]:
    """Pairs of objectives whose mean gradient cosine lies below zero by more than noise."""
    for column in [str(name) for name in record.history if str(name).endswith(COSINE)]:
        cosine_S = record.history[column].dropna().to_numpy()
        if len(cosine_S) < LEAST_STEPS:
            continue
        # Steps that follow each other are alike: whole runs of them are drawn, as long as there are many.
        run_S = np.arange(len(cosine_S)) // round(np.sqrt(len(cosine_S)))
        found = case.interval(cosine_S, run_S)
        if found.high < 0 and found.mean <= CONFLICT:
            one, other = column.removesuffix(COSINE).split("_")
            yield one, other, found


def is_harmed(found: Effect) -> bool:
    return found.fell or found.hardly_moved


def holds_back(case: Examination, record: TrainingRecord, name: str) -> bool:
    """Another objective is why this one learned nothing, or lost what it had."""
    found = effect(case, record, name)
    if found is None or not is_harmed(found):
        return False
    return name in outdone(case, record) or any(name in (one, other) for one, other, _ in conflicts(case, record))
