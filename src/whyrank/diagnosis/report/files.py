"""The files of the report: one page for a browser, one for a terminal, and the tables behind both."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from whyrank.core import io
from whyrank.core.origin import NO_ORIGIN, Origin
from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.report.content import gather
from whyrank.diagnosis.report.html import render_html
from whyrank.diagnosis.report.markdown import render_markdown
from whyrank.diagnosis.report.sections import page
from whyrank.diagnosis.report.series import RatingSection
from whyrank.findings.finding import Finding
from whyrank.findings.outcome import Outcome
from whyrank.findings.plan import NO_PLAN, Plan


def write(
    case: Examination,
    findings: list[Finding],
    folder: str | Path,
    provenance: Mapping[str, Any],
    outcomes: Sequence[Outcome] = (),
    plan: Plan = NO_PLAN,
    origin: Origin = NO_ORIGIN,
) -> str:
    """Write the report into `folder` and return its verdict.

    provenance   what is shown under that heading: values, or mappings (`{"params": {...}, "versions": {...}}`), which
                 become tables with dotted keys
    origin       of the run, for the title
    Files: report.html, report.md; systems.csv, comparisons.csv, similarity.csv, similarity_comparisons.csv,
    convergence.csv, slices.csv, checks.csv, queries.csv; and for `dvc plots` plots/{learning,barlow,centroids,gap}.csv.
    A table holds only its header where nothing was recorded. With ratings also rating_systems.csv, rating_targets.csv,
    rating_columns.csv, rating_comparisons.csv and plots/{rating_histograms,rating_folds}.csv.
    The same records give the same bytes. Raises UserError for a metric that was not recorded.
    """
    content = gather(case, findings, provenance, outcomes, plan, origin)
    folder = Path(folder)
    shown = page(content)
    io.write_text(folder / "report.html", render_html(shown))
    io.write_text(folder / "report.md", render_markdown(shown))
    for name in ("systems", "comparisons", "convergence", "slices", "checks", "queries"):
        io.write_table(folder / f"{name}.csv", getattr(content, name))
    io.write_table(folder / "similarity.csv", content.similarity.systems)
    io.write_table(folder / "similarity_comparisons.csv", content.similarity.comparisons)
    for name in ("learning", "barlow", "centroids", "gap"):
        io.write_table(folder / "plots" / f"{name}.csv", getattr(content, name))
    if content.ratings is not None:
        _write_ratings(content.ratings, folder)
    return content.verdict


def _write_ratings(section: RatingSection, folder: Path) -> None:
    for name in ("systems", "targets", "columns", "comparisons"):
        io.write_table(folder / f"rating_{name}.csv", getattr(section.rated, name))
    for name in ("histograms", "folds"):
        io.write_table(folder / "plots" / f"rating_{name}.csv", getattr(section, name))
