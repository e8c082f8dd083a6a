"""Every evaluated system beside chance: its encoder, training or evaluation is at fault where it finds nothing."""

from collections.abc import Iterator

from whyrank.diagnosis.examination import Examination, paired, points
from whyrank.diagnosis.probes.ranking.beside_chance import NEAR, Beside, beside, chance
from whyrank.findings.finding import CAUSE, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.preflight.probes.chance import BELOW, untuned_at_chance, untuned_below_chance
from whyrank.preflight.probes.label_symptoms import OF_TRAINING

WORSE = ("worse-than-zero-shot", "worse-than-lexical", "tuning-brought-nothing", "pretraining-hurts")


@probe("encoder-at-chance", on="trained", layer="encoder", about="ranking", explains=OF_TRAINING)
def encoder_at_chance(case: Examination) -> Iterator[Finding | Outcome]:
    """An encoder that nothing trained ranks like chance where another system finds the answers."""
    before = list(untuned_at_chance(case.data))
    yield from before
    is_told = any(isinstance(one, Finding) for one in before)
    best, all_of = _best(case), beside(case)
    for one in (all_of[name] for name in case.systems.zero_shot if name in all_of):
        if not one.is_at_chance or best is None:
            yield one.told(case)
        elif not is_told:
            yield Finding(
                system=one.system,
                sentence=f"{one.system} was evaluated, and ranks like chance: {one.spoken(case)}. {best.system} has "
                f"{best.above.value:.3f}.",
                evidence=(*one.evidence(case), *best.evidence(case)),
                interval=points(one.above.interval),
                cause="Labels and texts fit, so the fault is the encoder or how it is read: weights that were not "
                "loaded or are damaged, another tokenizer, a wrong pooling, or a model that was never trained for "
                "similarity.",
                fix=Fix({}, f"check the weights, tokenizer, pooling and prompts of {one.system} as it is evaluated"),
                reference="ST#1270; unsloth#6881",
                weight=100 * (best.above.value - one.above.value),
            )


@probe("below-chance", on="trained", layer="evaluation", about="ranking", explains=(*OF_TRAINING, "trained-at-chance"))
def below_chance(case: Examination) -> Iterator[Finding | Outcome]:
    """Right answers stand in the worse half, and no training is what put them there."""
    yield from untuned_below_chance(case.data)
    for one in beside(case).values():
        if not one.is_below:
            yield passed(one.system, percent("answers below the right one", one.below.mean), 100 * BELOW)
        elif _cannot_know(case, one.system):
            yield not_applicable(one.system, "training queries of the answers that test queries need")
        elif _is_not_by_training(case, one.system):
            yield Finding(
                severity="error",
                system=one.system,
                sentence=f"{one.system} ranks below chance: {one.spoken(case)}.",
                evidence=one.evidence(case),
                interval=(100 * one.below.low, 100 * one.below.high),
                cause="A ranking below chance knows the answers and is used in the wrong order: the sign of the "
                "scores, or labels that mark what is not relevant.",
                fix=Fix({}, "check that the highest score comes first, and that a higher score in the qrels means "
                            "more relevant"),
                reference="docs/findings.md",
                weight=CAUSE,
            )  # fmt: skip


def _cannot_know(case: Examination, system: str) -> bool:
    """Whether it ranks by training queries alone, and test queries need answers that have none: those it puts last."""
    how = case.records.runs[system].how or {}
    return float(how.get("unseen_query_share", 0.0)) > 0


def _is_not_by_training(case: Examination, system: str) -> bool:
    """Nothing trained it, its start is below chance as well, or its training had it in order on the dev queries."""
    start = beside(case).get(case.systems.start.get(system, ""))
    has_start = system in case.systems.start
    return not has_start or (start is not None and start.is_below) or _as_trained(case, system) is False


@probe("trained-at-chance", on="trained", layer="symptom", about="ranking", explains=WORSE)
def trained_at_chance(case: Examination) -> Iterator[Finding | Outcome]:
    """A trained system ranks like chance, or below it, and what it was trained from does not."""
    best, all_of = _best(case), beside(case)
    trained = [all_of[name] for name in case.systems.start if name in all_of]
    if not trained:
        yield not_applicable("data", "a trained system that was evaluated")
    for one in trained:
        start = all_of.get(case.systems.start[one.system]) or best
        if not one.is_lost:
            yield one.told(case)
        elif start is None or not start.above.is_found:
            yield not_applicable(one.system, "a start that finds the answers")
        else:
            yield _lost(case, one, start)


def _lost(case: Examination, one: Beside, start: Beside) -> Finding:
    seen, order = _as_trained(case, one.system), "below" if one.is_below else "like"
    destroyed = (
        "Training turned the order round: the sign of its loss, or of its labels."
        if one.is_below
        else "Training destroyed the ranking: steps that were too long, a loss that teaches something else, or vectors "
        "that collapsed."
    )
    elsewhere = (
        "The weights that training kept rank well on the dev queries, so evaluation loads another model, or reads it "
        "otherwise."
    )
    unknown = f"{destroyed} Or evaluation loads another model than the one that was trained."
    told = paired(one.above.interval, (*one.evidence(case), *start.evidence(case)), name="difference to chance")
    return Finding(
        severity="error",
        system=one.system,
        sentence=f"{one.system} ranks {order} chance{'' if one.is_below else ' after training'}: {one.spoken(case)}. "
        f"{start.system} has {start.above.value:.3f}.",
        cause=unknown if seen is None else destroyed if seen else elsewhere,
        fix=Fix({}, f"check what is loaded from {case.systems.options[one.system].made_of}, and score it on the dev "
                    "queries before and after saving")
        if seen is False
        else Fix({}, f"look at the loss and the dev metric in the history of {one.system}, and train with a tenth of "
                     "the learning rate"),
        reference="ST#2815, #1270; unsloth#6881",
        **told | {"weight": 100 * (start.above.value - one.above.value)},
    )  # fmt: skip


def _as_trained(case: Examination, system: str) -> bool | None:
    """Whether the weights that its training kept were at chance on the dev queries, too; None where it is not known."""
    record, column = case.records.training_of(system), f"{case.metric}_all"
    if record is None or column not in record.evaluations or "best_step" not in record.metrics:
        return None
    kept = record.evaluations[record.evaluations["step"] == record.metrics["best_step"]]
    row_Q = case.data.ranking.relevant_in("dev")["query"].unique()
    if kept.empty or not len(row_Q):
        return None
    at = float(chance(case.data, case.metric, row_Q, len(case.data.answers), "dev").mean())
    return bool(kept[column].iloc[-1] - at < NEAR * (1 - at))


def _best(case: Examination) -> Beside | None:
    """The best of the systems that find the answers."""
    found = [one for one in beside(case).values() if one.above.is_found and not one.is_below]
    return max(found, key=lambda one: one.above.value, default=None)
