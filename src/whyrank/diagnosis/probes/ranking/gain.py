"""What tuning brought, and what there was to bring."""

from collections.abc import Iterator

from whyrank.diagnosis.examination import LEAST_EFFECT, Examination, is_higher, is_lower, paired, points, spoken
from whyrank.diagnosis.probes.ranking.training import is_of_ranking
from whyrank.diagnosis.probes.training.steps import each_training, judged_at
from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord
from whyrank.measure.significance.resampling import Interval
from whyrank.preflight.probes.learning import SOLVED

# Gain on the test queries, at most, of a tuning that brought nothing; and on training queries.
NOTHING, NOTHING_LEARNT = 0.02, 0.03
# Name of the metrics on dev queries that each evaluation records, by which weights may be kept.
DEV = "_all"


@probe("tuning-brought-nothing", on="trained", layer="symptom", about="ranking")
def tuning_brought_nothing(case: Examination) -> Iterator[Finding | Outcome]:
    """A tuned system ranks as its own encoder did."""
    for system, untuned in case.systems.untuned.items():
        record, difference = case.records.training_of(system), case.difference(system, untuned)
        if record is None or not len(record.history) or difference is None or not is_of_ranking(case, system):
            yield not_applicable(system, "a tuning for ranking, evaluated before and after")
            continue
        gain = 100 * difference.mean
        if is_higher(difference) or is_lower(difference):
            yield passed(system, Evidence("gain on test queries", gain, "points"), 100 * NOTHING)
            continue
        start, end = judged_at(record, 0), judged_at(record, -1)
        learnt = None if start is None or end is None else end - start
        # A wide interval holds a gain that would be worth having.
        if difference.high >= NOTHING and (learnt is None or learnt > NOTHING_LEARNT):
            yield too_little(
                system, f"{spoken(difference, case.metric)}", Evidence("gain", gain, "points"), 100 * NOTHING
            )
            continue
        yield _nothing(case, system, untuned, difference, start, learnt)


def _nothing(
    case: Examination, system: str, untuned: str, difference: Interval, start: float | None, learnt: float | None
) -> Finding:
    has_learnt, untouched = learnt is not None and learnt > NOTHING_LEARNT, _kept_none(case, system)
    more = [] if start is None or learnt is None else [
        percent("accuracy@1 on training queries before the first step", start),
        Evidence("gain on training queries", 100 * learnt, "points").where_below(100 * NOTHING_LEARNT),
    ]  # fmt: skip
    # Early stopping did its work, or a gain that is worth having is not excluded: no fault by itself.
    is_open = (has_learnt and untouched) or difference.high >= NOTHING
    return Finding(
        severity="info" if is_open else "warning",
        system=system,
        sentence=f"Tuning brought nothing: {system} against {untuned}, {spoken(difference, case.metric)}"
        + ("." if learnt is None else f", and {100 * learnt:+.1f} points of accuracy@1 on training queries."),
        cause="No evaluation on the dev set was better than the one before the first step, so its weights were kept: "
        "what "
        "training queries teach does not help dev queries."
        if untouched and has_learnt
        else "Training queries are ranked better and test queries are not: what was learnt does not carry over. "
        "Look at "
        "how the splits differ, and at the number of training queries."
        if has_learnt
        else "Not even training queries are ranked better. Look first at the labels of some training rows, then at "
        "whether "
        "gradients reach the encoder, and last at the learning rate.",
        fix=Fix(
            {}, "look at the findings about data and labels first; none of them: train longer, or more of the encoder"
        ),
        reference="FE#1422; ST#2358",
        **paired(difference, case.values(system, untuned), *more) | {"weight": 1.0},
    )


def _kept_none(case: Examination, system: str) -> bool:
    record, asked = case.records.training_of(system), f"{case.metric}{DEV}"
    if record is None or record.metrics.get("best_step") != 0:
        return False
    return asked not in record.evaluations or int(record.evaluations[asked].argmax()) == 0


@probe(
    "no-headroom",
    on="trained",
    explains=("tuning-brought-nothing", "underfitted", "worse-than-zero-shot"),
    layer="symptom",
    about="ranking",
)
@each_training
def no_headroom(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """The training queries were ranked right before the first step."""
    start, system = judged_at(record, 0), case.systems.trained_from(init)
    if start is None:
        yield not_applicable("", "a training for ranking")
        return
    before = _first_start(case, init)
    if start >= SOLVED and before is not None and before < SOLVED:
        yield not_applicable("", "an encoder that no training on the same queries came before")
        return
    if start < SOLVED:
        yield passed("", percent("accuracy@1 on training queries before the first step", start), 100 * SOLVED)
        return
    difference = case.difference(system, case.systems.untuned.get(system, init))
    yield Finding(
        severity="info" if is_higher(difference) else "warning",
        sentence=f"The encoder ranks {100 * start:.0f} % of the training queries right before the first step: there is "
        "nothing to learn from them.",
        evidence=(
            percent("accuracy@1 on training queries before the first step", start).against(100 * SOLVED),
            Evidence("loss of the first step", float(record.history["rank_loss"].dropna().iloc[0]), "nats"),
        ),
        cause="The training queries are easier than what the encoder can do already, or nearly copies of their "
        "answers: "
        "further steps only move it away.",
        fix=Fix(
            {"finetune_rank.hard_negatives.count": 4, "finetune_rank.candidates": "batch"},
            "or bring training queries like those that the test set gets wrong",
        ),
        reference="arXiv:2502.19712; FE#1422; ST#2358",
        weight=5.0,
    )


def _first_start(case: Examination, init: str) -> float | None:
    """accuracy@1 on training queries of the encoder that pretraining began with; None where it is not known."""
    before = case.systems.root(init)
    record = case.records.finetune.get(before)
    return None if record is None or before == init else judged_at(record, 0)


@probe(
    "source-hurts",
    on="trained",
    explains=("tuning-brought-nothing", "worse-than-zero-shot"),
    layer="data",
    about="ranking",
)
def source_hurts(case: Examination) -> Iterator[Finding | Outcome]:
    """Tuning made queries of one type worse while it helped others."""
    for system, untuned in case.systems.untuned.items():
        record = case.records.training_of(system)
        found = {} if record is None or not len(record.history) else by_type(case, system, untuned)
        if len(found) < 2 or not is_of_ranking(case, system):
            yield not_applicable(system, "test queries of several types before and after a tuning for ranking")
            continue
        worst = min(found, key=lambda kind: found[kind].mean)
        if not (is_lower(found[worst]) and any(is_higher(one) for one in found.values())):
            yield passed(system, Evidence(f"gain of {worst}s", 100 * found[worst].mean, "points"), -100 * LEAST_EFFECT)
            continue
        yield Finding(
            system=system,
            sentence=f"Tuning made {worst}s worse and others better: {spoken(found[worst], case.metric)}.",
            evidence=tuple(
                Evidence(f"gain of {kind}s", 100 * one.mean, "points").where_below(-100 * LEAST_EFFECT)
                for kind, one in found.items()
            ),
            interval=points(found[worst]),
            cause=f"What the training rows of the {worst}s teach is wrong or not what their test queries ask, or the "
            f"other "
            "type outweighs them.",
            fix=Fix({}, f"look at the labels of the {worst}s among the training rows, and train once without them"),
            reference="RLHN, arXiv:2505.16967: leaving out 8 of 15 sources gained 1.0 points",
            weight=-100 * found[worst].mean,
        )


def by_type(case: Examination, system: str, untuned: str) -> dict[str, Interval]:
    """Gain of each type of test queries."""
    runs = case.records.runs
    if system not in runs or untuned not in runs:
        return {}
    queries = runs[system].queries
    before = runs[untuned].queries.set_index("query_id")[case.metric]
    gain_Q = queries[case.metric].to_numpy() - before.loc[queries["query_id"]].to_numpy()
    kinds = {str(kind): (queries["type"] == kind).to_numpy() for kind in sorted(queries["type"].unique())}
    return {kind: case.interval(gain_Q[is_kind_Q], queries["cluster"][is_kind_Q]) for kind, is_kind_Q in kinds.items()}
