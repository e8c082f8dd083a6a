"""Settings outside of what is usual, in a run that came out badly: a suspicion, where nothing surer names them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from whyrank.core.options.overrides import put, written
from whyrank.diagnosis.examination import LEAST_EFFECT, Examination, is_higher, is_lower, spoken
from whyrank.diagnosis.probes.ranking.ranking import to_lexical
from whyrank.diagnosis.probes.training.effects import leads, objectives, tasks
from whyrank.diagnosis.probes.training.learning_rate import SPOILT
from whyrank.diagnosis.probes.training.steps import trained
from whyrank.diagnosis.unusual import Found, unusual
from whyrank.diagnosis.usual import BERT, PRETRAINING, TRAINING, Usual
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import ELSEWHERE, TrainingRecord
from whyrank.measure.significance.resampling import Interval

# Settings that one finding names, at most; and of the distance of the farthest, what another one has at least.
MOST, BESIDE = 3, 0.5
# Of what is trained, and what it reads.
SECTIONS = (TRAINING, "encoder", "prepare", "evaluate")
ROUNDS = Usual(0.5, 50, 4.0, BERT)
PRETRAINING_ROUNDS = Usual(0.5, 500, 30, "Zbontar et al. 2021, arXiv:2103.03230: 1000 rounds from scratch")
# Of all steps, until the last layer or an objective begins.
BEGUN = Usual(0, 0.6, 0, "Howard and Ruder 2018, arXiv:1801.06146", is_share=True)

SYMPTOMS = (*SPOILT, "overfitted", "underfitted", "best-not-kept", "few-evaluations", "loss-without-learning",
            "gradient-grows", "gradient-vanishes", "dimensional-collapse", "collapsed-embeddings", "forgetting",
            "pretraining-hurts")  # fmt: skip


class Bad(NamedTuple):
    """How a run came out badly: in words, with its number, and what it lost in points."""

    words: str
    evidence: tuple[Evidence, ...]
    lost: float


@probe("unusual-setting", on="trained", explains=SYMPTOMS, by_outcome=True, suspects=True)
def unusual_setting(case: Examination) -> Iterator[Finding | Outcome]:
    """Numbers of params.yaml that took part in a run which came out badly, and lie outside of their usual range."""
    values = case.records.params
    if not values or not (trained(case) or case.records.pretraining):
        yield not_applicable("finetune_rank", "the parameters of a training")
        return
    for init, record in trained(case).items():
        system = case.systems.trained_from(init)
        if ELSEWHERE in record.metrics:
            yield not_applicable(system, "the parameters of its training")
            continue
        found = [*unusual(values, *SECTIONS), *_of_steps(case, init, record, values[TRAINING])]
        yield from _told(values, system, found, bad(case, system, record))
    if case.records.pretraining is not None:
        found = [*unusual(values, PRETRAINING), *_of_pretraining(case, case.records.pretraining)]
        yield from _told(values, PRETRAINING, found, _bad_pretraining(case))


def _bound(found: Found) -> float | None:
    """The end of the usual range that a value lies beyond; None where something else than the value is compared."""
    if not isinstance(found.usual, Usual) or found.measured:
        return None
    return found.usual.low if found.value < found.usual.low else found.usual.high


def _told(values: Mapping[str, Any], system: str, found: list[Found], how: Bad | None) -> Iterator[Finding | Outcome]:
    farthest = sorted(found, key=lambda one: -one.far)
    if how is None or not farthest:
        measured = Evidence("settings outside of their usual range", len(found), "settings")
        yield passed(system, measured, 1, "the run came out well" if found else "")
        return
    named = [one for one in farthest[:MOST] if one.far >= BESIDE * farthest[0].far]
    yield Finding(
        system=system,
        sentence=f"{how.words}, and {_listed(named)}.",
        evidence=(
            *(
                Evidence(one.key, one.value, threshold=_bound(one))
                for one in named
                if isinstance(one.value, int | float)
            ),
            *how.evidence,
        ),
        cause="Nothing shows that this setting is to blame; but few trainings work with such a value, and with a usual "
        "one it can be ruled out.",
        fix=_fix(values, named),
        reference="; ".join(dict.fromkeys(one.usual.source for one in named)),
        weight=1 + how.lost,
    )


def _fix(values: Mapping[str, Any], named: list[Found]) -> Fix:
    """Usual values, and those of what only these make unusual: a scale of the dot product flattens the cosine."""
    sections = {one.key.split(".")[0] for one in named}
    params = {one.key: one.usual.value for one in named}
    before = {one.key for one in unusual(values, *sections)}
    after = [one for one in unusual(put(values, params), *sections) if one.key not in before]
    return Fix(params | {one.key: one.usual.value for one in after})


def _listed(named: list[Found]) -> str:
    return " and ".join(
        f"`{one.key}` is {written(one.value)}{f' ({one.measured})' if one.measured else ''}, outside of the usual "
        f"{one.usual.spoken}"
        for one in named
    )


def bad(case: Examination, system: str, record: TrainingRecord) -> Bad | None:
    """What a tuned system is for, beside what it began from, the baselines, and its own evaluations; None if well."""
    untuned = case.systems.untuned.get(system, "")
    gain, what = _gain(case, system, untuned)
    if gain is not None and not is_higher(gain):
        how = "worse than" if is_lower(gain) else "not significantly better than"
        words = f"{system} is {how} {untuned}, {spoken(gain, what)}"
        return Bad(words, _points(f"gain in {what}", gain), max(0.0, -100 * gain.mean))
    baseline, against = to_lexical(case, system)
    if is_lower(against):
        words = f"{system} is worse than {baseline}, {case.spoken(system, baseline, against)}"
        return Bad(words, _points(f"difference to {baseline}", against), -100 * against.mean)
    fell = _fell(case, record)
    if fell >= LEAST_EFFECT:
        words = f"The kept weights are {100 * fell:.1f} points of dev {case.metric} below the best evaluation"
        return Bad(words, (Evidence("dev, best minus kept", 100 * fell, "points"),), 100 * fell)
    return None


def _gain(case: Examination, system: str, untuned: str) -> tuple[Interval | None, str]:
    """Of the objective that the run is about; ranking, where that is on, also where no step took it."""
    on = {name for name, own in case.records.params[TRAINING]["objectives"].items() if own["weight"] > 0}
    first = next((task for task in tasks() if task.name in on), None)
    return (None, "") if first is None else first.gain(case, system, untuned)


def _points(name: str, difference: Interval) -> tuple[Evidence, ...]:
    return (Evidence(name, 100 * difference.mean, "points"),)


def _fell(case: Examination, record: TrainingRecord) -> float:
    looks, name = record.evaluations, f"{case.metric}_all"
    if name not in looks or not any(map(leads, objectives(record))):
        return 0.0
    kept = looks.loc[looks["step"] == record.metrics["best_step"], name]
    return float(looks[name].max() - kept.iloc[0]) if len(kept) else 0.0


def _bad_pretraining(case: Examination) -> Bad | None:
    """The pretrained system is below the one without, tuned or not."""
    for a, b in case.systems.pretraining:
        difference = case.difference(a, b)
        if is_lower(difference):
            words = f"{a} is worse than {b}, {case.spoken(a, b, difference)}"
            return Bad(words, _points(f"difference in {case.metric}", difference), -100 * difference.mean)
    return None


def _of_steps(case: Examination, init: str, record: TrainingRecord, training: Mapping[str, Any]) -> Iterator[Found]:
    """What is usual as a share of the steps, or in rounds through the rows."""
    planned = len(record.history) / float(record.history["progress"].iloc[-1]) if "progress" in record.history else 0.0
    if not planned:
        return
    courses = (task.course(case, init, record) for task in tasks() if task.name in record.objectives)
    course = next((found for found in courses if found), None)
    if course is not None:
        rounds = course.epochs * planned / len(record.history)
        is_cut = 0 < training["max_steps"] <= round(planned)
        key, value = ("max_steps", 0) if is_cut else ("epochs", ROUNDS.value)
        yield from _beyond(key, training[key], ROUNDS._replace(value=value), rounds, f"{rounds:.2g} rounds")
    if training["train"] != "head":
        first = training["freeze_steps"] if training["freeze_steps"] >= 1 else training["freeze_steps"] * planned
        layers = training["last_layers"] if training["train"] == "last" else 1
        late = {"freeze_steps": first, "unfreeze_every": training["unfreeze_every"] * (layers - 1)}
        for key, steps in late.items():
            yield from _beyond(
                key, training[key], BEGUN, steps / planned, f"{100 * steps / planned:.0f} % of the steps"
            )
    for name, own in training["objectives"].items():
        share, key = own["start_step"] / planned, f"objectives.{name}.start_step"
        if own["weight"] > 0:
            yield from _beyond(key, own["start_step"], BEGUN, share, f"{100 * share:.0f} % of the steps")


def _of_pretraining(case: Examination, record: TrainingRecord) -> Iterator[Found]:
    if "rows" not in record.history:
        return
    # A step records the mean of the batches that it summed.
    batches = case.records.params[PRETRAINING].get("gradient_accumulation_steps", 1)
    of_step = batches * float(record.history["rows"].mean()) / max(1, len(case.data.answers))
    steps = len(record.history)
    if far := PRETRAINING_ROUNDS.far(steps * of_step):
        usual = PRETRAINING_ROUNDS._replace(value=max(1, round(PRETRAINING_ROUNDS.value / of_step)))
        yield Found(f"{PRETRAINING}.steps", steps, usual, far, f"{steps * of_step:.2g} rounds through the answers")


def _beyond(key: str, value: float, usual: Usual, measured: float, words: str) -> Iterator[Found]:
    if far := usual.far(measured):
        yield Found(f"{TRAINING}.{key}", value, usual, far, words)
