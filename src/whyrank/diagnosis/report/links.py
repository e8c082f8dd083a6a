"""Where a finding leads: to what its check is, the figure that shows it, and the rows that it names."""

import re
from collections.abc import Iterator

from whyrank.diagnosis.report.blocks import Links
from whyrank.diagnosis.report.content import Content
from whyrank.findings.finding import Finding

DOCS = "docs/findings.md"
# From the folder of the report, metrics/diagnose, to that of the repository.
ROOT = "../../"
# The figure that shows what a check is about; of others, that of the layer.
SHOWN = {
    "barlow-diagonal": ("barlow-single-answer-batches", "views-unrelated", "agreement-falls", "pretraining-overfits",
                        "few-views"),
    "barlow-off-diagonal": ("redundancy-dominates", "correlation-impossible"),
    "gap": ("question-conversation-gap", "type-imbalance", "query-types-ignored"),
    "slice-length": ("truncation-loses-evidence", "cut-loses-end", "texts-cut-before"),
    "slice-overlap": ("lexical-at-chance", "labels-from-keyword-search", "query-names-answer", "query-quotes-answer"),
    "metrics": ("worse-than-lexical", "worse-than-zero-shot", "pretraining-hurts", "pretraining-helps", "source-hurts",
                "tuning-brought-nothing", "encoder-at-chance", "below-chance", "trained-at-chance", "no-headroom"),
    "similarity": ("similarity-worse-than-zero-shot", "forgetting"),
    "rating-targets": ("ratings-at-chance", "constant-predictions", "last-layer-drops-surface",
                       "separate-encoders-lose-interaction", "target-columns-permuted"),
    "rating-histograms": ("target-imbalance", "duplicate-targets", "one-rating-for-all-targets", "target-out-of-range"),
}  # fmt: skip
OF_CODE = {code: name for name, codes in SHOWN.items() for code in codes}
OF_LAYER = {"training": "learning"}
NO_ID = re.compile("[^A-Za-z0-9-]+")


def place(code: str, number: int = 1) -> str:
    """The id of the card of a finding; number   of those of one code, from 1"""
    return f"finding-{NO_ID.sub('-', code)[:80]}{'' if number == 1 else f'-{number}'}"


def links(finding: Finding, content: Content) -> Links:
    docs = f"{DOCS}#{finding.code}"
    found = [("What the check does", docs, ROOT + docs)]
    name = OF_CODE.get(finding.code, OF_LAYER.get(finding.layer, ""))
    found += [("Figure", title, f"#plot-{name}") for plot, title in figures(content) if plot == name]
    found += [("Rows", finding.fix.rows, ROOT + finding.fix.rows)] if finding.fix.rows else []
    return Links(found)


def figures(content: Content) -> Iterator[tuple[str, str]]:
    """Name and words of the figures of this page that findings lead to."""
    metric = content.metric
    yield "metrics", f"{metric} of every system"
    if len(content.learning):
        yield "learning", f"{metric} while fine-tuning"
    if len(content.barlow):
        yield "barlow-diagonal", "agreement of the two views"
        yield "barlow-off-diagonal", "redundancy of the features"
    if len(content.gap):
        yield "gap", "question and conversation gap"
    yield from ((f"slice-{name}", f"{metric} by {name}") for name in content.slices["slice"].unique())
    start = content.experiment.start
    if any(start.get(a) == b for a, b in zip(*map(content.similarity.comparisons.get, "ab"), strict=True)):
        yield "similarity", "similarity gained or lost by training"
    if content.ratings:
        yield "rating-targets", "Spearman by target"
        yield "rating-histograms", "labels of each target"
