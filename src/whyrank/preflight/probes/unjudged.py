"""Judgements that are missing: what counts as wrong and says the same as the right answer."""

from collections.abc import Iterator

import pandas as pd

from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords
from whyrank.measure.significance.resampling import Interval
from whyrank.measure.significance.statistics import mean_interval
from whyrank.preflight.probes.chance import ENOUGH
from whyrank.preflight.probes.texts.figure import TRAINING, rows_file

# Lower bound of the share of a split's queries.
SHARE = 0.02
LEVEL, RESAMPLES = 0.95, 1000


@probe(
    "missing-judgements",
    on="preflight",
    layer="labels",
    about="ranking",
    explains=(*TRAINING, "hard-negatives-are-right", "false-negatives-in-batch", "ties-decide-the-metric"),
)
def missing_judgements(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Queries above whose right answer an unjudged one stands that says the same; the split with most of them."""
    table = data.table("unjudged")
    if table.empty:
        yield not_applicable("data", "queries that untuned rankers ranked")
        return
    table = table.assign(is_found=table["unjudged"].notna() & (table["unjudged"] != ""))
    parts = {str(split): part for split, part in table.groupby("split") if len(part) >= ENOUGH}
    if not parts:
        yield too_little("data", f"{len(table)} queries; {ENOUGH} of a split would tell")
        return
    # Copies of one answer are one slip of a hand, whatever the number of its queries.
    shares = {split: _share(part) for split, part in parts.items()}
    worst = max(shares, key=lambda split: (shares[split].low, shares[split].mean))
    share, part = shares[worst], parts[worst]
    if not share.low >= SHARE:
        named = percent(f"{worst} queries with an unjudged copy of the right answer at or above it", share.mean)
        yield passed("data", named, 100 * SHARE)
        return
    yield _finding(data, worst, share, part, table)


def _share(part: pd.DataFrame) -> Interval:
    return mean_interval(part["is_found"], part["answer_id"], level=LEVEL, resamples=RESAMPLES, seed=0)


def _finding(data: DataRecords, split: str, share: Interval, part: pd.DataFrame, table: pd.DataFrame) -> Finding:
    right, completed = float(part["right"].mean()), float(part["completed"].mean())
    mean, low, high = (100 * one for one in (share.mean, share.low, share.high))
    copies = int(table.loc[table["is_found"], "unjudged"].nunique())
    rows = rows_file(data, "missing-judgements")
    return Finding(
        system="data",
        sentence=f"Judgements are missing: {mean:.0f} % [{low:.0f}, {high:.0f}] of the {split} queries have, at or "
        f"above their right answer, one that says the same and is not judged. With it counted as right, accuracy@1 of "
        f"the untuned rankers is {completed:.3f} instead of {right:.3f}.",
        evidence=(
            *(
                percent(
                    f"queries with an unjudged copy at or above the right answer, {name}", of["is_found"].mean()
                ).where_from(100 * SHARE)
                for name, of in table.groupby("split")
            ),
            Evidence("unjudged answers that say the same as a right one", copies, "answers"),
            Evidence(f"understatement of accuracy@1, {split}", 100 * (completed - right), "points"),
        ),
        interval=(low, high),
        cause="Answers that say the same stand under several ids, and each query is judged for one of them: metrics "
        "count the others as wrong, and training pushes them away from their queries.",
        fix=Fix({}, "merge answers that say the same, or judge each of them for the query", rows),
        reference="Arabzadeh et al. 2021 (arXiv:2109.00062); ST#667; arXiv:2405.04727",
        weight=100 * (completed - right),
    )
