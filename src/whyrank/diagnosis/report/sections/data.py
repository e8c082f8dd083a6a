"""What the systems were trained and tested on."""

import pandas as pd

from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.blocks import Cell, Details, Facts, Group, Section, Table, head
from whyrank.diagnosis.report.content import Content
from whyrank.diagnosis.report.tables import TYPES

SPLITS = ["train", "dev", "test"]


def section(content: Content) -> Section:
    data = content.records.data
    counts = pd.crosstab(data.queries["type"], data.queries["split"])
    counts = counts.reindex(index=["question", "conversation"], columns=SPLITS, fill_value=0)
    counts.loc["all"] = counts.sum()
    rows = [
        [Cell(TYPES[str(kind)]), *(Cell(numbers.free(int(n))) for n in (*row, row.sum()))]
        for kind, row in counts.iterrows()
    ]
    table = Table("Queries by type and split", head("Queries", *SPLITS, "total"), [Group("", rows)])
    relevant = int((data.qrels["score"] > 0).sum())
    recorded: dict[str, float] = {
        "answers": len(data.answers),
        "queries": len(data.queries),
        "relevant pairs": relevant,
    }
    recorded |= {name.replace("_", " "): number for name, number in data.metrics.items()}
    facts = Facts([(name, numbers.free(number), "") for name, number in recorded.items()])
    return Section(100, "Data", [table, Details("Everything prepare counted", [facts])])
