"""Ratings that are below a ridge on words, or on the frozen encoder read in another way."""

from collections.abc import Iterator
from dataclasses import replace

from whyrank.diagnosis.compare.ratings import Rated, wide
from whyrank.diagnosis.examination import LEAST_EFFECT, Examination, is_higher, is_lower, paired, spoken, without_loss
from whyrank.diagnosis.probes.ranking.ranking import TRAIN_ALL, to_lexical
from whyrank.diagnosis.probes.ratings.lessons import highest_baseline
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord
from whyrank.measure.significance.resampling import Interval
from whyrank.preflight.probes import rating_texts

METRIC = "mean column Spearman"
READ = "ratings_layer_means"
OBJECTIVE = "finetune_rank.objectives.ratings"


@probe("worse-than-lexical", on="trained", about="ratings", adds_up=True, layer="symptom")
def worse_than_lexical(case: Examination) -> Iterator[Finding | Outcome]:
    """Out of fold, a system rates below a ridge on the words of the same texts; where its ranking is not said to."""
    baseline = case.systems.rating_baseline
    for system in case.systems.encoders:
        difference = case.rating_difference(system, baseline)
        if case.ratings is None or not is_lower(difference) or is_lower(to_lexical(case, system)[1]):
            if not is_lower(difference):
                yield without_loss(system, difference, METRIC, "rated texts, and a lexical baseline that rates them")
            continue
        is_tuned, value = system in case.systems.tuned, case.ratings.systems.set_index("system")["value"]
        yield Finding(
            severity="warning" if is_tuned else "info",
            system=system,
            sentence=f"{system} rates worse than {baseline}, which only counts words: "
            f"{spoken(difference, METRIC)}{case.doubt(case.ratings.comparisons, system, baseline)}.",
            cause="A ridge reads the words that decide a rating directly; fine-tuning has not learned to weigh them."
            if is_tuned
            else "The vector of a frozen encoder holds what a text says; a rating depends on how it says it.",
            fix=TRAIN_ALL if is_tuned else Fix({}, "fine-tune, and compare the tuned system with the lexical baseline"),
            reference="Google QUEST Q&A Labeling (2020): separate encoders, cut texts and no warm-up, below TF-IDF",
            **paired(difference, (Evidence(f"{METRIC} of {one}", float(value[one])) for one in (system, baseline))),
        )


@probe(
    "separate-encoders-lose-interaction",
    on="trained",
    explains=("worse-than-lexical",),
    about="ratings",
    layer="training",
)
def separate_encoders_lose_interaction(case: Examination) -> Iterator[Finding | Outcome]:
    """Question and answer were encoded separately, and the same encoder rates better when it reads them as one."""
    rows = case.data.ratings
    if rows.empty or not (rows["second"] >= 0).any():
        yield not_applicable("ratings", "rated texts whose sides are encoded separately")
        return
    for system, init in case.systems.untuned.items():
        found = layouts(case, init) if system in case.records.runs else None
        gain = case.rating_gain(*found) if found else None
        if found is None or not is_higher(gain):
            yield _no_gain(system, gain, "encoded as one text less separately")
            continue
        names = (f"{METRIC}, encoded as one text", f"{METRIC}, encoded separately")
        yield Finding(
            system=system,
            sentence=f"Question and answer are encoded separately. Encoded as one text by {init}, with a ridge on "
            f"top, they are rated better: {spoken(gain, METRIC)}.",
            cause="The two vectors meet only in the head: no token of the answer attends to a token of the question, "
            "so that nothing shows whether the one answers the other.",
            fix=Fix({"prepare.ratings.layout": "joint", f"{OBJECTIVE}.encoders": "one"} | fitting(case)),
            reference="Humeau et al. 2020, arXiv:1905.01969 (cross-encoders and bi-encoders)",
            **paired(gain, (Evidence(name, one.value) for name, one in zip(names, found, strict=True))),
        )


def _no_gain(system: str, gain: Interval | None, what: str) -> Outcome:
    """Another way of reading does not rate better, or it is not known whether it does."""
    if gain is None:
        return not_applicable(system, "rated texts, read in both ways")
    points = Evidence(f"{METRIC}, {what}", 100 * gain.mean, "points")
    if gain.high >= 2 * LEAST_EFFECT and not is_higher(gain):
        return too_little(system, f"a gain is neither shown nor excluded: {spoken(gain, METRIC)}", points)
    return passed(system, points, 100 * LEAST_EFFECT)


def fitting(case: Examination) -> dict[str, object]:
    """Token budgets of all fields in their old proportions, where one text has no room for their sum."""
    table = case.data.tables["rating_fields"]
    total, room = int(table["budget"].sum()), int(table["one_text_takes"].iloc[0])
    if total <= room:
        return {}
    parts = zip(table["field"], table["budget"], strict=True)
    return {f"prepare.ratings.tokens.{name}": int(budget) * room // total for name, budget in parts}


def layouts(case: Examination, init: str) -> tuple[Rated, Rated] | None:
    """Ridge on the frozen encoder, joint and separate, on the same rows; None where the two were not recorded."""
    run = case.records.runs.get(init)
    rows = None if run is None else run.rating_layouts
    parts = {} if rows is None else {str(name): wide(part) for name, part in rows.groupby("layout")}
    return (parts["joint"], parts["separate"]) if set(parts) == {"joint", "separate"} else None


@probe("last-layer-drops-surface", on="trained", explains=("worse-than-lexical",), about="ratings", layer="training")
def last_layer_drops_surface(case: Examination) -> Iterator[Finding | Outcome]:
    """A ridge on all layers of the frozen encoder rates better than the tuned system, and than one on its vector."""
    for system, init in case.systems.untuned.items():
        run, tuned = case.records.runs.get(init), case.records.runs.get(system)
        record = case.records.training_of(system)
        if run is None or tuned is None or record is None or READ in record.history:
            yield not_applicable(system, "a tuned system whose head reads the last layer alone")
            continue
        if run.ratings is None or run.rating_blocks is None or tuned.ratings is None:
            yield not_applicable(system, "rated texts")
            continue
        blocks, last, trained = wide(run.rating_blocks), wide(run.ratings), wide(tuned.ratings)
        gain = case.rating_gain(blocks, last)
        if not is_higher(gain) or not is_higher(case.rating_gain(blocks, trained)):
            yield _no_gain(system, gain, "a ridge on all layers less one on the last")
            continue
        means = {"a ridge on all layers": blocks, "a ridge on the last layer": last, system: trained}
        values = [Evidence(f"{METRIC} of {name}", one.value) for name, one in means.items()]
        yield Finding(
            system=system,
            sentence=f"The last layer of {init} drops what ratings need: a ridge on all its layers rates better, "
            f"{spoken(gain, METRIC)}, and better than {system}.",
            cause="Links, lists and single words decide such ratings. The lower layers represent them; the last layer "
            "of an encoder made for similarity represents the meaning instead.",
            fix=Fix({f"{OBJECTIVE}.layer_means": True} | frozen_below(record)),
            reference="Tenney et al. 2019, arXiv:1905.05950; Peters et al. 2018, arXiv:1802.05365",
            **paired(gain, values, name="all layers minus the last"),
        )


def frozen_below(record: TrainingRecord) -> dict[str, object]:
    """Where the first layer was trained, no layer is frozen, and there is nothing to read."""
    return {"finetune_rank.train": "last"} if "moved_block_0" in record.history else {}


@probe("fixed-allocation-truncates", on="trained", explains=("worse-than-lexical",), about="ratings", layer="data")
def fixed_allocation_truncates(case: Examination) -> Iterator[Finding]:
    """The preflight finding, weighed as if the cut tokens told as much as the others do to the best untuned ridge."""
    told = highest_baseline(case, "fold_mean")[1] if case.ratings is not None and case.ratings.is_first else 1.0
    for finding in rating_texts.fixed_allocation_truncates(case.data):
        yield replace(finding, weight=told * finding.weight)
