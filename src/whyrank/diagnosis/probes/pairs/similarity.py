"""Similarity of sentence pairs that training made worse: training on pairs, or on something else."""

from collections.abc import Iterator
from typing import Any

from whyrank.diagnosis.compare.pairs import of_list
from whyrank.diagnosis.examination import Examination, is_higher, is_lower, paired, spoken, without_loss
from whyrank.diagnosis.probes.pairs.pair_labels import Learnt, asked, learnt, spoken_levels, words
from whyrank.diagnosis.probes.ranking.ranking import begins_anew, zero_shot_fix
from whyrank.diagnosis.probes.ranking.training import is_of_ranking
from whyrank.diagnosis.probes.training.steps import calmer, gentler
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord
from whyrank.measure.significance.resampling import Interval

# Rise of the agreement with the training labels from which they count as learnt: its noise over 1,000 pairs is 0.03.
LEARNT = 0.05
# Points that whole lists lose more than their subsets, from which the cause says so.
BETWEEN = 1.0

FORGOTTEN: dict[str, Any] = {
    "cause": "Training kept only what its own task needs: nothing in the loss holds other texts apart, or together.",
    "reference": "ST#2815; Biderman et al. 2024, arXiv:2405.09673",
}


@probe("similarity-worse-than-zero-shot", on="trained", about="pairs", layer="symptom")
def similarity_worse_than_zero_shot(case: Examination) -> Iterator[Finding | Outcome]:
    """Training on pairs of sentences left a system below its own encoder on the test pairs."""
    for system, untuned in case.systems.untuned.items():
        record, difference = case.records.training_of(system), case.similarity_difference(system, untuned)
        if record is None or "similarity" not in record.objectives or not is_lower(difference):
            is_about = difference if record is not None and "similarity" in record.objectives else None
            yield without_loss(system, is_about, what(case), "training on pairs, and test pairs")
            continue
        labels = learnt(case, untuned, system)
        more = (*_by_kind(case, untuned, system), *_label_evidence(case, untuned, system, labels))
        yield Finding(
            system=system,
            sentence=f"Training on sentence pairs made {system} worse than {untuned}: "
            f"{_spoken(case, system, untuned, difference)}.",
            cause=_cause(case, untuned, system, labels),
            fix=_pairs_fix(record),
            reference="Reimers and Gurevych 2019, arXiv:1908.10084; Gao, Yao and Chen 2021, arXiv:2104.08821",
            **paired(difference, values(case, untuned, system), *more, *_dev_evidence(record)),
        )


def _spoken(case: Examination, a: str, b: str, difference: Interval) -> str:
    rows = of_list(case.similarity, case.similarity.headline)
    return spoken(difference, what(case)) + case.doubt(rows, a, b)


def _by_kind(case: Examination, start: str, system: str) -> Iterator[Evidence]:
    """Differences by list, and how much of them the subsets of those lists lose within themselves."""
    yield from by_list(case, start, system)
    if found := whole_and_within(case, start, system):
        whole, within = (sum(part) / len(found) for part in zip(*found, strict=True))
        yield Evidence("mean difference of lists with subsets, as one list", whole, "points")
        yield Evidence("mean difference within their subsets", within, "points")


def _label_evidence(case: Examination, untuned: str, system: str, labels: Learnt | None) -> Iterator[Evidence]:
    if labels is None:
        return
    yield Evidence(f"Spearman of {untuned} with the labels of training pairs", labels.before)
    yield Evidence(f"Spearman of {system} with the labels of training pairs", labels.after)
    for level in asked(case, untuned):
        yield Evidence(f"mean test label at the cosine of training pairs of label {level.label:g}", level.scored)
    shared = words(case, untuned, system)
    if shared is not None:
        yield Evidence(f"Spearman of {shared.baseline} with the labels of training pairs", shared.in_training)
        yield Evidence(f"Spearman of {shared.baseline} with the labels of test pairs", shared.in_test)
        yield Evidence(f"Spearman of {shared.baseline} with {untuned} on test pairs", shared.before)
        yield Evidence(f"Spearman of {shared.baseline} with {system} on test pairs", shared.after)


def _dev_evidence(record: TrainingRecord) -> Iterator[Evidence]:
    evaluations = record.evaluations.get("spearman_mean")
    if evaluations is not None:
        yield Evidence("dev Spearman before the first step", float(evaluations.iloc[0]))
        yield Evidence("best dev Spearman after it", float(evaluations.iloc[1:].max()))


def _cause(case: Examination, untuned: str, system: str, labels: Learnt | None) -> str:
    """What the record shows: whether the training labels were learned, what they ask for, and where it was lost."""
    if labels is None:
        found = "Training moved pairs away from a better order."
    elif labels.after - labels.before < LEARNT:
        found = (
            f"Training did not learn its own labels (Spearman {labels.before:.2f} before, {labels.after:.2f} after): "
            "its steps destroy more than they teach."
        )
    else:
        found = (
            f"Training learned its own labels (Spearman rose from {labels.before:.2f} to {labels.after:.2f}), but "
            f"they order texts differently from the test labels{spoken_levels(asked(case, untuned))}."
        )
    shared = words(case, untuned, system)
    if shared is not None and shared.are_unlearned:
        found += (
            f" Shared words predict the training labels (Spearman of {shared.baseline} {shared.in_training:.2f}) worse "
            f"than the test labels ({shared.in_test:.2f}), and training made the cosines follow them less "
            f"({shared.before:.2f} before, {shared.after:.2f} after)."
        )
    both = whole_and_within(case, untuned, system)
    between = (sum(within for _, within in both) - sum(whole for whole, _ in both)) / max(1, len(both))
    if between >= BETWEEN:
        found += (
            f" {between:.1f} points are lost between the subsets of a list, not within them: cosines of different "
            "kinds of text no longer share a scale."
        )
    return found


def _pairs_fix(record: TrainingRecord) -> Fix:
    """A tenth of the rates, and the weights of the best evaluation on dev pairs where there were any."""
    params = calmer(record)
    if "spearman_mean" in record.evaluations:
        # The evaluation before the first step is one of them: nothing worse than the start is kept.
        return Fix(params | {"finetune_rank.early_stopping.metric": "spearman_mean"})
    return Fix(
        params,
        "add dev pairs with labels like those of the test pairs, and keep the best evaluation on them with "
        "finetune_rank.early_stopping.metric=spearman_mean; or train on such pairs",
    )


@probe("forgetting", on="trained", layer="symptom")
def forgetting(case: Examination) -> Iterator[Finding | Outcome]:
    """Training for something else lost similarity, or ranking, that the encoder had before."""
    found = [*_forgotten_similarity(case), *_forgotten_ranking(case)]
    yield from found
    for system in [name for name in case.systems.start if name not in {one.system for one in found}]:
        start = case.systems.start[system]
        similar = case.similarity_difference(system, start)
        ranked = None if is_of_ranking(case, system) else case.difference(system, start)
        for difference, metric in ((similar, what(case)), (ranked, case.metric)):
            if difference is not None and not is_lower(difference):
                yield without_loss(system, difference, metric, "")
        if similar is None and ranked is None:
            yield not_applicable(system, "test pairs, or a training without ranking")


def _forgotten_similarity(case: Examination) -> Iterator[Finding]:
    for system, start in case.systems.start.items():
        record, difference = case.records.training_of(system), case.similarity_difference(system, start)
        if record is None or "similarity" in record.objectives or not is_lower(difference):
            continue
        gain = case.difference(system, start)
        gained = [Evidence(f"difference in {case.metric}", 100 * gain.mean, "points")] if gain else []
        beside = f"while it gained {spoken(gain, case.metric)}" if is_higher(gain) else "and ranking gained nothing"
        yield Finding(
            severity="warning" if system in case.systems.tuned else "info",
            system=system,
            sentence=f"{system} forgot similarity that {start} had: "
            f"{_spoken(case, system, start, difference)}, {beside}.",
            fix=_forgetting_fix(case, system, record),
            **paired(difference, values(case, start, system), *by_list(case, start, system), *gained),
            **FORGOTTEN,
        )


def _forgotten_ranking(case: Examination) -> Iterator[Finding]:
    for system, start in case.systems.untuned.items():
        record, difference = case.records.training_of(system), case.difference(system, start)
        if record is None or is_of_ranking(case, system) or not is_lower(difference):
            continue
        yield Finding(
            severity="info",
            system=system,
            sentence=f"Training without ranking made {system} worse than {start}: "
            f"{case.spoken(system, start, difference)}.",
            fix=_forgetting_fix(case, system, record),
            **paired(difference, case.values(start, system)),
            **FORGOTTEN,
        )


def _forgetting_fix(case: Examination, system: str, record: TrainingRecord) -> Fix:
    """A start with the vectors of the encoder; where training had that, no longer steps than it needs."""
    if case.systems.role(system) == "pretrained":
        return Fix(calmer(record, "pretrain_barlow"))
    if begins_anew(case, system):
        return zero_shot_fix(case, system)
    return Fix(gentler(record), "or finetune_rank.lora.rank=8, which leaves most directions unchanged")


def what(case: Examination) -> str:
    """`mean Spearman over 7 sets`, or that of the only set."""
    headline = case.similarity.headline
    several = headline.startswith("mean of ")
    return headline.replace("mean of ", "mean Spearman over ") if several else f"Spearman on {headline}"


def values(case: Examination, *systems: str) -> Iterator[Evidence]:
    rows = case.similarity.systems[case.similarity.systems["list"] == case.similarity.headline]
    values = rows.set_index("system")["value"]
    for system in systems:
        yield Evidence(f"Spearman of {system}, {case.similarity.headline}", float(values[system]))


def by_list(case: Examination, start: str, system: str) -> Iterator[Evidence]:
    """The difference on each single list."""
    similar = case.similarity.comparisons
    for name in similar.loc[(similar["sets"] == 1) & (similar["list"] != case.similarity.headline), "list"].unique():
        found = case.similarity_difference(system, start, name)
        if found:
            yield Evidence(f"difference on {name}", 100 * found.mean, "points")


def whole_and_within(case: Examination, start: str, system: str) -> list[tuple[float, float]]:
    """Differences in points of the lists that have subsets: as one list, and as the mean over the subsets."""
    names = [name for name in case.similarity.comparisons["list"].unique() if ", mean of " in name]
    parts = [(name.split(", mean of ")[0], name) for name in names]
    found = [[case.similarity_difference(system, start, part) for part in both] for both in parts]
    return [(100 * whole.mean, 100 * within.mean) for whole, within in found if whole and within]
