"""What the untrained encoder and shared words say of the labels of a pair source: reversed, unrelated, exchanged."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from whyrank.findings.finding import Evidence
from whyrank.findings.records import DataRecords, rows_of

# Rank correlation below which labels run against similarity. Proper labels of all lists and subsets of STS 2012-2016,
# STS-B, SICK and SNLI have 0.38 to 0.94 with MiniLM, raw ids of SNLI -0.59.
REVERSED = -0.1
# Pairs from which labels that correlate with nothing are a finding: of shuffled ones 99 % then stay below 0.18.
ENOUGH = 200
# p from which classes count as no different. Of shuffled labels 1 in 100 lies below.
NO_DIFFERENCE = 0.01
# Standard errors, and standard deviations of a pair's cosine, by which another class lies above the highest one.
ERRORS, EFFECT = 4.0, 0.2
# Standard errors by which shared words would have to speak for the labels.
AGAINST = 2.0


class Agreement(NamedTuple):
    """What `prepare` recorded of one source: its rows of `pair_agreement` by similarity, and those of `pair_levels`."""

    source: str
    use: str
    encoder: Any
    tfidf: Any
    beyond: Any  # the encoder less shared words
    levels: pd.DataFrame

    @property
    def has_classes(self) -> bool:
        return bool((self.levels["kind"] == "classes").all())


def agreements(data: DataRecords) -> Iterator[Agreement]:
    """Each source whose labels and cosines correlate at all: a constant list says nothing."""
    if "pair_agreement" not in data.tables:
        return
    table, levels = data.tables["pair_agreement"], data.tables["pair_levels"]
    for source, part in table.groupby("source", sort=False):
        rows = {str(row.similarity): row for row in rows_of(part)}
        if not math.isnan(rows["encoder"].spearman):
            of_source = levels[levels["source"] == source]
            yield Agreement(source=str(source), use=rows["encoder"].use, levels=of_source, **rows)


def is_reversed(found: Agreement) -> bool:
    """Against the encoder, also beyond shared words, and not with shared words.

    Where contradictions repeat the words of their premise, the encoder's cosine alone may fall with proper labels.
    """
    words = found.tfidf
    against = all(row.spearman < min(row.floor_low, REVERSED) for row in (found.encoder, found.beyond))
    return bool(against and not words.spearman > words.floor_high)  # also where shared words are undefined


def is_unrelated(found: Agreement) -> bool:
    """Neither similarity correlates with the labels, and none differs between classes or levels in any other way.

    Classes whose cosines differ but in no order are no fault: contradictions of SICK repeat most words of the premise.
    """
    if found.encoder.n < ENOUGH:
        return False
    return all(
        row.floor_low <= row.spearman <= row.floor_high and row.kruskal_p > NO_DIFFERENCE
        for row in (found.encoder, found.tfidf, found.beyond)
    )


def misplaced(found: Agreement) -> Any | None:
    """The row of a class that is more alike than the one with the highest label, while another has a lower label.

    A class with the lowest label may be the most alike with good reason (see `is_unrelated`), one in the middle not.
    """
    if not found.has_classes:
        return None
    rows = sorted(rows_of(found.levels), key=lambda row: row.label)
    best, top = max(rows, key=lambda row: row.encoder_mean), rows[-1]
    if not rows[0].label < best.label < top.label:
        return None
    errors = math.hypot(best.encoder_error, top.encoder_error)
    spread = math.sqrt((best.n * best.encoder_error**2 + top.n * top.encoder_error**2) / 2)
    more = best.encoder_mean - top.encoder_mean
    words_against = top.tfidf_mean - best.tfidf_mean > AGAINST * math.hypot(best.tfidf_error, top.tfidf_error)
    is_beyond = best.beyond_mean - top.beyond_mean > AGAINST * math.hypot(best.beyond_error, top.beyond_error)
    # A class of one pair has no standard error; no comparison with it holds.
    return best if more >= max(ERRORS * errors, EFFECT * spread) and is_beyond and not words_against else None


def evidence(found: Agreement) -> tuple[Evidence, ...]:
    by_similarity = {
        "the cosine of the pretrained encoder": found.encoder,
        "TF-IDF": found.tfidf,
        "the cosine beyond shared words": found.beyond,
    }
    rows = [
        one
        for name, row in by_similarity.items()
        if not math.isnan(row.spearman)
        for one in (
            # Where it lies above, the means of the classes decide.
            Evidence(f"rank correlation of the labels with {name}", row.spearman).where_below(row.floor_high),
            Evidence(f"lower bound for 99 % of shuffled labels with {name}", row.floor_low),
            Evidence(f"upper bound for 99 % of shuffled labels with {name}", row.floor_high),
        )
    ]
    means = [
        Evidence(f"mean cosine at label {row.label:.3g} ({row.level})", row.encoder_mean)
        for row in rows_of(found.levels)
    ]
    return (*rows, *means, Evidence("pairs measured", found.encoder.n, "pairs"))


def interval(correlation: float, n: int) -> tuple[float, float] | None:
    """95 % of a rank correlation, by Fisher's z with the variance of Fieller, Hartley and Pearson 1957."""
    if n < 4 or abs(correlation) >= 1:
        return None
    z, error = np.arctanh(correlation), 1.96 * math.sqrt(1.06 / (n - 3))
    return float(np.tanh(z - error)), float(np.tanh(z + error))
