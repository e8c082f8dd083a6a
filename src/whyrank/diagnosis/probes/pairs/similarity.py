"""Similarity that training on pairs of sentences lost."""

from collections.abc import Iterator

from whyrank.diagnosis.examination import Examination, is_lower, points, spoken
from whyrank.diagnosis.probes.pairs.pair_labels import Learnt, asked, learnt, spoken_levels, words
from whyrank.diagnosis.probes.pairs.pair_lists import by_list, values, what, whole_and_within
from whyrank.diagnosis.probes.training.steps import scaled_rates
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.records import TrainingRecord

# Findings that say why training on pairs made them worse, the surest first.
CAUSES = (
    "labels-reversed",
    "labels-unordered",
    "labels-out-of-range",
    "unlabelled-rows-trained-on",
    "tokenizer-mismatch",
    "collapsed-embeddings",
    "learning-rate-too-high",
    "no-warmup-spike",
    "fractional-labels-truncated",
    "antipodal-angle",
    "dead-loss-term",
    "few-negatives",
)
# Rise of the agreement with the training labels from which they count as learnt: its noise over 1,000 pairs is .03.
LEARNT = 0.05
# Points that whole lists lose more than their subsets, from which it is worth telling.
BETWEEN = 1.0


def similarity_worse_than_untouched(case: Examination) -> Iterator[Finding]:
    """Training on pairs of sentences left a system below its own encoder on the test pairs."""
    for system, untuned in case.systems.untuned.items():
        record, difference = case.records.training_of(system), case.similarity_difference(system, untuned)
        if record is None or "similarity" not in record.objectives or difference is None or not is_lower(difference):
            continue
        known = _known_cause(case, system)
        labels = learnt(case, untuned, system)
        yield Finding(
            code="similarity-worse-than-untouched",
            severity="warning",
            system=system,
            sentence=f"Training on pairs of sentences took {spoken(difference)} of {what(case)} from {untuned}.",
            evidence=(
                *values(case, untuned, system),
                Evidence("difference", 100 * difference.mean, "points"),
                *_by_kind(case, untuned, system),
                *_label_evidence(case, untuned, system, labels),
                *_dev_evidence(record),
            ),
            cause=f"See {known.code}. {known.cause}" if known else _cause(case, untuned, system, labels),
            fix=known.fix if known and known.fix.params else _pairs_fix(record),
            reference="Reimers and Gurevych 2019, arXiv:1908.10084; Gao, Yao and Chen 2021, arXiv:2104.08821",
            interval=points(difference),
            weight=-100 * difference.mean,
        )


def _known_cause(case: Examination, system: str) -> Finding | None:
    """The surest of the findings about this system, or about the data, that say why."""
    others = set(case.systems.start) - {system}
    said = [finding for finding in case.said if finding.code in CAUSES and finding.system not in others]
    return min(said, key=lambda finding: CAUSES.index(finding.code), default=None)


def _by_kind(case: Examination, start: str, system: str) -> Iterator[Evidence]:
    """Differences by list, and how much of them the subsets of those lists lose within themselves."""
    yield from by_list(case, start, system)
    whole, within = whole_and_within(case, start, system)
    if within:
        yield Evidence("mean difference of lists with subsets, as one list", sum(whole) / len(whole), "points")
        yield Evidence("mean difference within their subsets", sum(within) / len(within), "points")


def _label_evidence(case: Examination, untuned: str, system: str, labels: Learnt | None) -> Iterator[Evidence]:
    if labels is None:
        return
    yield Evidence(f"Spearman of {untuned} with the labels of training pairs", labels.before)
    yield Evidence("the same after training", labels.after)
    for level in asked(case, untuned):
        yield Evidence(f"mean test label of pairs as alike as training pairs of label {level.label:g}", level.scored)
    shared = words(case, untuned, system)
    if shared is not None:
        yield Evidence(f"Spearman of {shared.baseline} with the labels of training pairs", shared.in_training)
        yield Evidence(f"Spearman of {shared.baseline} with the labels of test pairs", shared.in_test)
        yield Evidence(f"Spearman of {shared.baseline} with {untuned} on test pairs", shared.before)
        yield Evidence(f"Spearman of {shared.baseline} with {system} on test pairs", shared.after)


def _dev_evidence(record: TrainingRecord) -> Iterator[Evidence]:
    looks = record.evaluations.get("spearman_mean")
    if looks is not None:
        yield Evidence("dev Spearman before the first step", float(looks.iloc[0]))
        yield Evidence("best dev Spearman after it", float(looks.iloc[1:].max()))


def _cause(case: Examination, untuned: str, system: str, labels: Learnt | None) -> str:
    """What the record shows: whether the training labels were learnt, what they ask for, and where it was lost."""
    if labels is None:
        said = "Training moved pairs away from an order that was better."
    elif labels.after - labels.before < LEARNT:
        said = (
            f"Training did not learn its own labels (agreement with them {labels.before:.2f} before, "
            f"{labels.after:.2f} after): its steps destroy more than they teach."
        )
    else:
        said = (
            f"Training learned its own labels (agreement with them rose from {labels.before:.2f} to "
            f"{labels.after:.2f}), and they ask for another order than those of the test"
            f"{spoken_levels(asked(case, untuned))}."
        )
    shared = words(case, untuned, system)
    if shared is not None and shared.are_unlearned:
        said += (
            f" Shared words say less about its labels (Spearman of {shared.baseline} {shared.in_training:.2f}) than "
            f"about those of the test ({shared.in_test:.2f}), and training made cosines follow them less: their "
            f"agreement with {shared.baseline} fell from {shared.before:.2f} to {shared.after:.2f}."
        )
    whole, within = whole_and_within(case, untuned, system)
    between = (sum(within) - sum(whole)) / len(whole) if whole else 0.0
    if between >= BETWEEN:
        said += (
            f" {between:.1f} points are lost between the subsets of a list and not within them: cosines of different "
            "kinds of text no longer share a scale."
        )
    return said


def _pairs_fix(record: TrainingRecord) -> Fix:
    """A tenth of the rates, and the weights of the best look at dev pairs where they were looked at."""
    params = scaled_rates(record, 0.1)
    if "spearman_mean" in record.evaluations:
        # The look before the first step is one of them: nothing worse than the start is kept.
        return Fix(params | {"finetune_rank.early_stopping.metric": "spearman_mean"})
    return Fix(params, "list dev pairs that are scored as the test pairs are, and keep the best look at them with "
               "finetune_rank.early_stopping.metric=spearman_mean; or train on such pairs")  # fmt: skip
