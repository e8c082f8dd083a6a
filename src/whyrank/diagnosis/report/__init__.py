"""The report: one page for a browser, one for a terminal, and the tables behind both."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from whyrank.core import io
from whyrank.diagnosis.finding import Finding
from whyrank.diagnosis.records import Records
from whyrank.diagnosis.report.content import gather
from whyrank.diagnosis.report.html import render_html
from whyrank.diagnosis.report.markdown import render_markdown
from whyrank.diagnosis.similarity import Similarity


def write(
    records: Records,
    findings: list[Finding],
    folder: str | Path,
    *,
    metric: str,
    level: float,
    resamples: int,
    seed: int,
    provenance: Mapping[str, Any],
    similar: Similarity | None = None,
) -> str:
    """Write the report into `folder` and return its verdict.

    provenance   what is shown under that heading: values, or mappings (`{"params": {...}, "versions": {...}}`), which
                 become tables with dotted keys
    similar      `compare_similarity` of the same records, where it is known already
    Files: report.html, report.md; systems.csv, comparisons.csv, similarity.csv, similarity_comparisons.csv,
    convergence.csv, slices.csv; and for `dvc plots` plots/{learning,barlow,centroids,gap}.csv. A table holds only its
    header where nothing was recorded.
    The same records give the same bytes. Raises UserError for a metric that was not recorded.
    """
    content = gather(
        records, findings, metric=metric, level=level, resamples=resamples, seed=seed, provenance=provenance,
        similar=similar,
    )  # fmt: skip
    folder = Path(folder)
    io.write_text(folder / "report.html", render_html(content))
    io.write_text(folder / "report.md", render_markdown(content))
    for name in ("systems", "comparisons", "convergence", "slices"):
        io.write_table(folder / f"{name}.csv", getattr(content, name))
    io.write_table(folder / "similarity.csv", content.similarity.systems)
    io.write_table(folder / "similarity_comparisons.csv", content.similarity.comparisons)
    for name in ("learning", "barlow", "centroids", "gap"):
        io.write_table(folder / "plots" / f"{name}.csv", getattr(content, name))
    return content.verdict
