"""What reads the label of a pair: a score by its range, a class by its name."""

from collections.abc import Callable

from whyrank.core.errors import UserError
from whyrank.core.options.params import PairSource
from whyrank.data.files.cells import read_number
from whyrank.data.files.raw import Row
from whyrank.data.pairs.classes import class_labeller
from whyrank.data.pairs.sources import PairTable

# Class name ("" for a score) and label; None where the cell says that there is no label.
Labelled = tuple[str, float] | None


def labeller(table: PairTable, source: PairSource) -> Callable[[Row], Labelled]:
    """What reads the label of a row of `table`.

    Raises UserError where classes and `labels` do not cover each other. What it returns raises CellError for a cell
    that is no label at all, and UserError for a class or a score that the source's parameters do not allow.
    """
    if source.kind == "classes":
        return class_labeller(table, source)
    low, high = source.range
    column = table.layout.label

    def read(row: Row) -> Labelled:
        value = row.cells.get(column)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        score = read_number(row.cells, column)
        if not low <= score <= high:
            raise UserError(
                f"{table.label_file} line {row.line}, column {column}: score {score:g} is outside the range "
                f"[{low:g}, {high:g}] of source '{source.name}'; mend the score or `range`"
            )
        return "", (score - low) / (high - low)

    return read
