"""What the report says, gathered once, for the page and the terminal alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from whyrank.diagnosis.compare import ranking as compare
from whyrank.diagnosis.compare.convergence import convergence
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

GEOMETRY = {
    "question_conversation_distance": "question to conversation centroid",
    "query_answer_distance": "query to its answer",
    "cluster_size": "query to its answer's centroid",
    "type_probe_auc": "type probe AUC",
    "within_answer_share": "within-answer share",
    "mean_off_pair_cosine": "mean cosine of two texts",
    "centred_effective_rank": "effective rank",
}


@dataclass(frozen=True)
class Content:
    """Tables as their makers describe them; `provenance` is shown as given, nested mappings flattened."""

    metric: str
    level: float
    experiment: Systems
    verdict: str
    findings: list[Finding]
    systems: pd.DataFrame
    comparisons: pd.DataFrame
    similarity: Similarity
    ratings: RatingSection | None
    slices: pd.DataFrame
    convergence: pd.DataFrame
    gap: pd.DataFrame
    geometry: pd.DataFrame
    learning: pd.DataFrame
    barlow: pd.DataFrame
    centroids: pd.DataFrame
    worst: list[WorstQuery]
    queries: pd.DataFrame
    data: dict[str, float]
    provenance: dict[str, dict[str, str]]

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
        experiment=records.systems,
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
        convergence=convergence(records, metric),
        gap=series.gap(systems, metric),
        geometry=_geometry(records),
        learning=series.learning(records, metric),
        barlow=series.barlow(records),
        centroids=series.centroids(records),
        worst=worst_queries(records, metric),
        queries=_query_counts(records.data.queries),
        data=_data_numbers(records),
        provenance=_sections(provenance),
    )  # fmt: skip


def _geometry(records: Records) -> pd.DataFrame:
    """system and the recorded distances that say where its texts lie; only systems with vectors."""
    rows = [
        {"system": system} | {label: run.metrics[name] for name, label in GEOMETRY.items() if name in run.metrics}
        for system, run in records.runs.items()
        if any(name in run.metrics for name in GEOMETRY)
    ]
    return pd.DataFrame(rows)


def _query_counts(queries: pd.DataFrame) -> pd.DataFrame:
    """type, train, dev, test, total: numbers of queries."""
    counts = pd.crosstab(queries["type"], queries["split"])
    counts = counts.reindex(index=["question", "conversation"], columns=["train", "dev", "test"], fill_value=0)
    counts.loc["all"] = counts.sum()
    return counts.assign(total=counts.sum(axis=1)).rename_axis(None, axis=1).reset_index()


def _data_numbers(records: Records) -> dict[str, float]:
    """Every number that prepare recorded, by its own name with spaces."""
    data = records.data
    relevant = data.qrels[data.qrels["score"] > 0]
    own = {"answers": len(data.answers), "queries": len(data.queries), "relevant pairs": len(relevant)}
    return own | {name.replace("_", " "): number for name, number in data.metrics.items()}


def _sections(provenance: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Mappings become sections with dotted keys, in the order given; single values stand in a first section `run`."""
    single = {key: str(value) for key, value in provenance.items() if not isinstance(value, Mapping)}
    sections = {key: _flat(value) for key, value in provenance.items() if isinstance(value, Mapping)}
    return ({"run": single} if single else {}) | sections


def _flat(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in mapping.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": str(value)}
    return flat
