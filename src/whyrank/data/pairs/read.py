"""Sentence pairs of several sources -> one table, with an account of every row that is not in it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.core.options.files import Files, Spelling
from whyrank.core.options.params import PairSource
from whyrank.data.files.cells import CellError, printable, read_text, read_title
from whyrank.data.files.readers import PLAIN, Row
from whyrank.data.pairs.labels import labeller
from whyrank.data.pairs.sampling import draw, strata_of
from whyrank.data.pairs.sources import PairTable, read_pair_source
from whyrank.data.pairs.statistics import Key, label_table, leak_table, pair_keys
from whyrank.data.ranking.rejected import REJECTED_COLUMNS, check_rejected

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


def judge(tables: list[PairTable], source: PairSource, spellings: Sequence[Spelling] = ()) -> SoundPairs:
    """Judge every row. Raises UserError for a source without one sound pair, and as `labeller` does."""
    pairs: list[tuple[Any, ...]] = []
    rejects: list[tuple[str, int, str, str, str]] = []
    unlabelled = 0
    for table in tables:
        read_label = labeller(table, source, spellings)
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
            f"{len(rejects)} rejected{first}); fix the rows or remove the source"
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


COUNT_COLUMNS = ["source", "use", "rows_read", "unlabelled", "unscored", "rejected", "left_out", "kept", "duplicates"]
STRATUM_COLUMNS = ["source", "stratum", "rows", "left_out"]
UNPAIRED_COLUMNS = ["source", "file"]
RANGE_COLUMNS = ["source", "n", "low", "high", "minimum", "maximum"]


@dataclass(frozen=True)
class PairSet:
    """All tables are in the order of the sources, and of the rows in them.

    pairs      pair_id (str, `<source>/<subset>/<line>`), source, subset ("" where there is none), use (train | dev |
               test), text1, text2, class_name ("" for a score), label (float, in [0, 1] unless `labels: raw`)
    counts     source, use; rows_read = unlabelled + unscored + rejected + left_out (by max_samples) + kept;
               duplicates (sound pairs whose two texts stood in the source before)
    strata     source, stratum (class, or level of the label), rows (sound pairs), left_out (by max_samples)
    unpaired   source, file: STS files left out because texts or scores are missing beside them
    ranges     of scores: source, n, low and high as declared, minimum and maximum of the sound pairs
    leaks      pair_id, source, use of a dev or test pair; train_pair_id, train_source, train_pairs with its texts
    rejected   file, line, column, reason, value
    """

    pairs: pd.DataFrame
    counts: pd.DataFrame
    strata: pd.DataFrame
    unpaired: pd.DataFrame
    ranges: pd.DataFrame
    leaks: pd.DataFrame
    rejected: pd.DataFrame

    def tables(self) -> dict[str, pd.DataFrame]:
        """Those for reports; none where no pairs were asked for."""
        if self.counts.empty:
            return {}
        parts = {"counts": self.counts, "strata": self.strata, "unpaired": self.unpaired, "leaks": self.leaks}
        parts |= {"labels": label_table(self.pairs), "ranges": self.ranges}
        return {f"pair_{name}": table for name, table in parts.items()}


@dataclass(frozen=True)
class _Part:
    """One source, drawn from."""

    pairs: pd.DataFrame
    keys: list[Key]
    counts: dict[str, Any]
    strata: list[tuple[str, str, int, int]]
    unpaired: list[tuple[str, str]]
    ranges: list[tuple[Any, ...]]
    rejects: list[tuple[str, int, str, str, str]]


def read_pairs(options: params.Pairs, *, max_rejected: float, seed: int, how: Files = PLAIN) -> PairSet:
    """Read, label and draw from all sources; the same for the same files, parameters and seed.

    max_rejected   largest share of rejected rows; a row that says it has no label is none of them
    Raises UserError for whatever the user has to fix in the parameters or the files.
    """
    parts = [_read_source(source, options.folder, seed, how) for source in options.sources]
    counts = _frame((part.counts for part in parts), COUNT_COLUMNS)
    rejected = _frame((reject for part in parts for reject in part.rejects), REJECTED_COLUMNS)
    check_rejected(rejected, int(counts["rows_read"].sum()), max_rejected)
    tables = [part.pairs for part in parts] or [pd.DataFrame(columns=PAIR_COLUMNS).astype({"label": float})]
    pairs = pd.concat(tables, ignore_index=True)
    return PairSet(
        pairs=pairs,
        counts=counts,
        strata=_frame((stratum for part in parts for stratum in part.strata), STRATUM_COLUMNS),
        unpaired=_frame((file for part in parts for file in part.unpaired), UNPAIRED_COLUMNS),
        ranges=_frame((ends for part in parts for ends in part.ranges), RANGE_COLUMNS),
        leaks=leak_table(pairs, [key for part in parts for key in part.keys]),
        rejected=rejected,
    )


def _read_source(source: params.PairSource, folder: str, seed: int, how: Files) -> _Part:
    raw = read_pair_source(folder, source, how)
    sound = judge(raw.tables, source, how.numbers)
    pairs = sound.pairs
    keys = pair_keys(pairs["text1"], pairs["text2"])
    strata = strata_of(pairs["class_name"].tolist(), pairs["label"])
    drawn = draw(strata, source.max_samples, seed=seed, name=source.name)
    rows, kept = Counter(strata), Counter(strata[i] for i in drawn)
    return _Part(
        pairs=pairs.iloc[drawn],
        keys=[keys[i] for i in drawn],
        counts=_counts(source, sound, drawn, keys),
        strata=[(source.name, stratum, rows[stratum], rows[stratum] - kept[stratum]) for stratum in sorted(rows)],
        unpaired=[(source.name, file) for file in raw.left_out],
        ranges=_range(source, pairs["label"]),
        rejects=sound.rejects,
    )


def _range(source: params.PairSource, label: pd.Series) -> list[tuple[Any, ...]]:
    """What `RANGE_COLUMNS` name, in the units of the file; nothing of classes."""
    if source.kind != "scores":
        return []
    low, high = source.range
    ends = (low + (high - low) * end for end in (label.min(), label.max()))
    return [(source.name, len(label), low, high, *ends)]


def _counts(source: params.PairSource, sound: SoundPairs, drawn: np.ndarray, keys: list[Key]) -> dict[str, Any]:
    scored = source.kind == "scores"
    return {
        "source": source.name,
        "use": source.use,
        "rows_read": sound.rows_read,
        "unlabelled": 0 if scored else sound.unlabelled,
        "unscored": sound.unlabelled if scored else 0,
        "rejected": len(sound.rejects),
        "left_out": len(sound.pairs) - len(drawn),
        "kept": len(drawn),
        "duplicates": len(keys) - len(set(keys)),
    }


def _frame(rows: Iterable[Any], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=columns)
