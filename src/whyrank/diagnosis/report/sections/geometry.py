"""Where the texts lie in the space of each system."""

import math

from whyrank.diagnosis.report import numbers, plots
from whyrank.diagnosis.report.blocks import Block, Cell, Figures, Group, Paragraph, Section, Table, head
from whyrank.diagnosis.report.content import Content

MEASURES = {
    "question_conversation_distance": "question to conversation centroid",
    "query_answer_distance": "query to its answer",
    "cluster_size": "query to its answer's centroid",
    "type_probe_auc": "type probe AUC",
    "within_answer_share": "within-answer share",
    "mean_off_pair_cosine": "mean cosine of two texts",
    "centred_effective_rank": "effective rank",
}


def section(content: Content) -> Section | None:
    drawn = plots.centroid_plots(content.centroids, content.experiment)
    blocks: list[Block] = [Figures(drawn)] if drawn else []
    metrics = {
        name: run.metrics for name, run in content.records.runs.items() if not MEASURES.keys().isdisjoint(run.metrics)
    }
    if metrics:
        note = (
            "Queries of all splits, each system in its own space. The type probe is a linear classifier of questions "
            "and conversations; an AUC of 0.5 is chance."
        )
        known = [key for key in MEASURES if any(key in found for found in metrics.values())]
        rows = [
            [Cell(name), *(Cell(numbers.value(found.get(key, math.nan))) for key in known)]
            for name, found in metrics.items()
        ]
        names = head("System", *(MEASURES[key] for key in known))
        blocks += [Paragraph(note), Table("Distances by system", names, [Group("", rows)])]
    return Section(70, "Embedding space", blocks) if blocks else None
