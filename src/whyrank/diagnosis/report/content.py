"""What the report says, gathered once, for the page and the terminal alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from whyrank.core.origin import NO_ORIGIN, Origin
from whyrank.diagnosis.compare import ranking as compare
from whyrank.diagnosis.compare.pairs import Similarity
from whyrank.diagnosis.compare.queries import query_table
from whyrank.diagnosis.compare.slices import slices
from whyrank.diagnosis.compare.worst import WorstQuery, worst_queries
from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.report import series
from whyrank.diagnosis.report.series import RatingSection, rating_section
from whyrank.diagnosis.report.verdict import result, verdict
from whyrank.findings.diagnosis import checks
from whyrank.findings.finding import Finding
from whyrank.findings.outcome import Outcome
from whyrank.findings.plan import NO_PLAN, Plan
from whyrank.findings.records import Records, objectives_trained
from whyrank.findings.systems import Systems
from whyrank.findings.tree import in_order


@dataclass(frozen=True)
class Content:
    """Tables as their makers describe them, and what they were made of."""

    metric: str
    level: float
    records: Records
    verdict: str
    result: list[str]
    findings: list[Finding]
    plan: Plan
    checks: pd.DataFrame
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
    shown: str
    queries: pd.DataFrame
    provenance: Mapping[str, Any]
    origin: Origin

    @property
    def experiment(self) -> Systems:
        return self.records.systems

    @property
    def has_pairs(self) -> bool:
        """Whether pairs of texts were tested."""
        return len(self.similarity.systems) > 0


def gather(
    case: Examination,
    findings: list[Finding],
    provenance: Mapping[str, Any],
    outcomes: Sequence[Outcome] = (),
    plan: Plan = NO_PLAN,
    origin: Origin = NO_ORIGIN,
) -> Content:
    """Compute every table. Raises UserError for a metric that was not recorded."""
    records, metric = case.records, case.metric
    differences = case.comparisons
    shown = compare.shown_system(records, metric) or next(iter(records.runs))
    systems = compare.system_table(records, **case.draws)
    told: dict[str, Any] = {
        "systems": records.systems, "metric": metric, "level": case.level, "similarity": case.similarity,
        "ratings": case.ratings, "trained": objectives_trained(records),
    }  # fmt: skip
    return Content(
        metric=metric,
        level=case.level,
        records=records,
        verdict=verdict(differences, findings, **told),
        result=result(differences, **told),
        findings=in_order(findings),
        plan=plan,
        checks=checks(findings, outcomes),
        systems=systems,
        comparisons=differences,
        similarity=case.similarity,
        ratings=None if case.ratings is None else rating_section(records, case.ratings),
        slices=slices(records, metric, **case.draws),
        convergence=compare.convergence(records, metric),
        gap=series.gap(systems, metric),
        learning=series.learning(records, metric),
        barlow=series.barlow(records),
        centroids=series.centroids(records),
        worst=worst_queries(records, metric),
        shown=shown,
        queries=query_table(records, shown),
        provenance=provenance,
        origin=origin,
    )  # fmt: skip
