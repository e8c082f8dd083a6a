"""Ratings that follow from the surface of a text, read from the block that has dropped it."""

from collections.abc import Iterator

from whyrank.diagnosis.compare.ratings import wide
from whyrank.diagnosis.examination import Examination, is_higher, points, spoken
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.records import TrainingRecord
from whyrank.measure.metrics.ratings import mean_column_spearman

READ = "ratings_layer_means"


def last_block_drops_surface(case: Examination) -> Iterator[Finding]:
    """A ridge on all blocks of the untuned encoder rates better than what was tuned, and than a ridge on its vector."""
    for system, init in case.systems.untuned.items():
        run, tuned = case.records.runs.get(init), case.records.runs.get(system)
        record = case.records.training_of(system)
        if run is None or run.ratings is None or run.rating_blocks is None or tuned is None or tuned.ratings is None:
            continue
        if record is None or READ in record.history:
            continue
        blocks, last, trained = wide(run.rating_blocks), wide(run.ratings), wide(tuned.ratings)
        gain = case.rating_gain(blocks, last)
        if gain is None or not is_higher(gain) or not is_higher(case.rating_gain(blocks, trained)):
            continue
        means = [mean_column_spearman(one.prediction_NT, one.label_NT, one.targets).value or 0.0
                 for one in (blocks, last, trained)]  # fmt: skip
        yield Finding(
            code="last-block-drops-surface",
            severity="warning",
            system=system,
            sentence=f"Reading all blocks of {init}, and not its last one alone, a ridge rates {spoken(gain)} of "
            f"mean column Spearman better, and better than {system}.",
            evidence=(
                Evidence("mean column Spearman of ridge on all blocks", means[0]),
                Evidence("the same on the last block", means[1]),
                Evidence(f"the same of {system}", means[2]),
                Evidence("all blocks minus the last", 100 * gain.mean, "points"),
            ),
            cause="Links, lists and single words decide such ratings, and they stand in the lower blocks; the last one "
            "has made a meaning of the text, for which they do not count.",
            fix=Fix({"finetune_rank.objectives.ratings.layer_means": True} | frozen_below(record)),
            reference="Tenney et al. 2019, arXiv:1905.05950; Peters et al. 2018, arXiv:1802.05365",
            interval=points(gain),
            weight=100 * gain.mean,
        )


def frozen_below(record: TrainingRecord) -> dict[str, object]:
    """Where the first block was trained, none is frozen, and there is nothing to be read."""
    return {"finetune_rank.train": "last"} if "moved_block_0" in record.history else {}
