"""Raw rows of one source -> sound pairs, rows without a label, and rejected rows, all counted."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from whyrank.core.errors import UserError
from whyrank.core.options.params import PairSource
from whyrank.data.files.cells import CellError, printable, read_text, read_title
from whyrank.data.files.raw import Row
from whyrank.data.pairs.labels import labeller
from whyrank.data.pairs.sources import PairTable

PAIR_COLUMNS = ["pair_id", "source", "subset", "use", "text1", "text2", "class_name", "label"]


@dataclass(frozen=True)
class SoundPairs:
    """rows_read = len(pairs) + unlabelled + len(rejects)

    pairs     `PAIR_COLUMNS`
    rejects   file, line, column, reason, value
    """

    pairs: pd.DataFrame
    rows_read: int
    unlabelled: int
    rejects: list[tuple[str, int, str, str, str]]


def judge(tables: list[PairTable], source: PairSource) -> SoundPairs:
    """Judge every row. Raises UserError for a source without one sound pair, and as `labeller` does."""
    pairs: list[tuple[Any, ...]] = []
    rejects: list[tuple[str, int, str, str, str]] = []
    unlabelled = 0
    for table in tables:
        read_label = labeller(table, source)
        for row in table.rows:
            try:
                _refuse_faulty(row)
                labelled = read_label(row)
                if labelled is None:
                    unlabelled += 1
                else:
                    pairs.append((*_place_and_texts(row, table, source), *labelled))
            except CellError as fault:
                file = table.label_file if fault.column == table.layout.label else table.file
                rejects.append((file, row.line, fault.column, fault.reason, printable(fault.value)))
    if not pairs:
        first = f"; the first, {rejects[0][0]} line {rejects[0][1]}, is rejected: {rejects[0][3]}" if rejects else ""
        raise UserError(
            f"source '{source.name}': no sound pair in {tables[0].label_file} ({unlabelled} without a label, "
            f"{len(rejects)} rejected{first}); mend the rows or remove the source"
        )
    rows_read = sum(len(table.rows) for table in tables)
    return SoundPairs(pd.DataFrame(pairs, columns=PAIR_COLUMNS), rows_read, unlabelled, rejects)


def _refuse_faulty(row: Row) -> None:
    if row.fault:
        raise CellError("", row.fault, row.shown)


def _place_and_texts(row: Row, table: PairTable, source: PairSource) -> tuple[str, ...]:
    layout = table.layout
    subset = read_title(row.cells, layout.subset) if layout.subset else ""
    texts = read_text(row.cells, layout.text1), read_text(row.cells, layout.text2)
    return f"{source.name}/{subset}/{row.line}", source.name, subset, source.use, *texts
