"""What the report says, gathered once, for the page and the terminal alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from whyrank.diagnosis.compare import ranking as compare
from whyrank.diagnosis.compare.pairs import Similarity, compare_similarity
from whyrank.diagnosis.compare.ratings import Ratings, compare_ratings
from whyrank.diagnosis.compare.slices import slices
from whyrank.diagnosis.compare.worst import WorstQuery, worst_queries
from whyrank.diagnosis.report import series
from whyrank.diagnosis.report.rating_content import RatingSection, rating_section
from whyrank.diagnosis.report.verdict import verdict
from whyrank.findings.finding import Finding, in_order
from whyrank.findings.records import Records, objectives_trained
from whyrank.findings.systems import Systems


@dataclass(frozen=True)
class Content:
    """Tables as their makers describe them, and what they were made of."""

    metric: str
    level: float
    records: Records
    verdict: str
    findings: list[Finding]
    systems: pd.DataFrame
    comparisons: pd.DataFrame
    similarity: Similarity
    ratings: RatingSection | None
    slices: pd.DataFrame
    convergence: pd.DataFrame
    gap: pd.DataFrame
    learning: pd.DataFrame
    barlow: pd.DataFrame
    centroids: pd.DataFrame
    worst: list[WorstQuery]
    provenance: Mapping[str, Any]

    @property
    def experiment(self) -> Systems:
        return self.records.systems

    @property
    def has_pairs(self) -> bool:
        """Whether pairs of texts were tested."""
        return len(self.similarity.systems) > 0


def gather(
    records: Records,
    findings: list[Finding],
    *,
    metric: str,
    level: float,
    resamples: int,
    seed: int,
    provenance: Mapping[str, Any],
    similar: Similarity | None = None,
    rated: Ratings | None = None,
) -> Content:
    """Compute every table; `similar` and `rated` where they are not given.

    Raises UserError for a metric that was not recorded.
    """
    draws: dict[str, Any] = {"level": level, "resamples": resamples, "seed": seed}
    similar = similar or compare_similarity(records, **draws)
    rated = rated or compare_ratings(records, **draws)
    differences = compare.comparisons(records, metric, **draws)
    systems = compare.system_table(records, **draws)
    return Content(
        metric=metric,
        level=level,
        records=records,
        verdict=verdict(
            differences, findings, systems=records.systems, metric=metric, level=level, similarity=similar,
            ratings=rated, trained=objectives_trained(records),
        ),
        findings=in_order(findings),
        systems=systems,
        comparisons=differences,
        similarity=similar,
        ratings=None if rated is None else rating_section(records, rated),
        slices=slices(records, metric, **draws),
        convergence=compare.convergence(records, metric),
        gap=series.gap(systems, metric),
        learning=series.learning(records, metric),
        barlow=series.barlow(records),
        centroids=series.centroids(records),
        worst=worst_queries(records, metric),
        provenance=provenance,
    )  # fmt: skip
