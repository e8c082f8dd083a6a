"""Texts and numbers that belong together a row further on, or in one half of the file alone: pairs and ratings."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords, rows_of

# Standard deviations, of what far shifts give, by which a relation stands out, and by which two of them differ.
STANDS_OUT, DIFFERS = 5.0, 4.0
# Standard deviations up to which nothing is there.
NOTHING = 3.0
# Rows of a part from which a relation that is there would stand out.
LEAST = 100
PART_WORDS = {
    "all": "",
    "first half": " in the first half of the file",
    "second half": " in the second half of the file",
}
# Labels that are wrong explain what training on them comes to.
LATER = ("labels-unordered", "similarity-worse-than-zero-shot", "gradient-conflict", "pairs-at-chance")
RATINGS_LATER = ("worse-than-lexical", "constant-predictions", "fold-failed", "underfitted", "overfitted")


class Slip(NamedTuple):
    source: str
    part: str
    own: Any  # row of the table at shift 0
    best: Any  # at the shift that agrees best

    @property
    def is_found(self) -> bool:
        spread = max(float(self.own.chance_std), 1e-6)
        own, best = ((float(row.spearman) - float(row.chance)) / spread for row in (self.own, self.best))
        return bool(self.best.shift != 0 and best >= STANDS_OUT and best - own >= DIFFERS and own < best / 2)

    @property
    def strength(self) -> float:
        return (float(self.own.spearman) - float(self.own.chance)) / max(float(self.own.chance_std), 1e-6)


def slips(table: pd.DataFrame) -> list[Slip]:
    """One of each source and part."""
    found = []
    for (source, part), rows in table.groupby(["source", "part"], sort=False):
        own, best = rows[rows["shift"] == 0], rows.loc[[rows["spearman"].idxmax()]]
        if len(own):
            found.append(Slip(str(source), str(part), rows_of(own)[0], rows_of(best)[0]))
    return found


def evidence(slip: Slip) -> tuple[Evidence, ...]:
    return (
        Evidence("rank correlation with the numbers of the same row", float(slip.own.spearman)),
        Evidence(f"rank correlation with those {slip.best.shift:+d} rows on", float(slip.best.spearman)),
        Evidence("mean of the same, 20 to 58 rows away", float(slip.own.chance)),
        Evidence("standard deviation of the same", float(slip.own.chance_std)),
        Evidence("rows", int(slip.own.n), "rows"),
    )


def _shifted(table: pd.DataFrame, what: str, texts: str) -> Iterator[Finding | Outcome]:
    """Findings of each source, of the part that shows it best; else how well the same row agrees."""
    if table.empty:
        yield not_applicable("pairs" if what == "label" else "ratings", f"enough rows with a {what}")
        return
    for source, of_source in pd.Series(slips(table), dtype=object).groupby([slip.source for slip in slips(table)]):
        found = [slip for slip in of_source if slip.is_found]
        whole = next(slip for slip in of_source if slip.part == "all")
        name = f"pairs of {source}" if what == "label" else "ratings"
        if not found:
            measured = Evidence("agreement of the same row, in standard deviations of chance", whole.strength)
            if int(whole.own.n) < LEAST or whole.strength < STANDS_OUT:
                yield too_little(name, f"{whole.own.n} rows, whose numbers agree with no row nearby", measured)
            else:
                yield passed(name, measured, NOTHING)
            continue
        slip = next((one for one in found if one.part == "all"), found[0])
        shift, of = int(slip.best.shift), f" of '{source}'" if what == "label" else ""
        yield Finding(
            severity="error",
            system=name,
            sentence=f"The {what}s{of} have slipped by {abs(shift)} row{'s' if abs(shift) > 1 else ''}"
            f"{PART_WORDS[slip.part]}: {texts} agree with the {what} of the row {abs(shift)} "
            f"{'below' if shift > 0 else 'above'} (rank correlation {slip.best.spearman:.2f}), not with that of "
            f"their own ({slip.own.spearman:.2f}).",
            evidence=evidence(slip),
            cause=f"Texts and {what}s were joined by position after a row was added or lost, or sorted apart. Training "
            "on them teaches noise.",
            fix=Fix({}, f"move the {what} columns{of} by {-shift:+d} rows, or join it again by an id"),
            reference="ST#2749",
            weight=CAUSE + 50,
        )


@probe("pair-scores-shifted", on="preflight", explains=LATER, about="pairs", layer="labels")
def pair_scores_shifted(data: DataRecords) -> Iterator[Finding | Outcome]:
    """The labels of pairs agree with the texts of a row nearby, and not with their own."""
    yield from _shifted(data.table("pair_shifts"), "label", "texts")


@probe("rating-rows-shifted", on="preflight", explains=RATINGS_LATER, about="ratings", layer="labels")
def rating_rows_shifted(data: DataRecords) -> Iterator[Finding | Outcome]:
    """A ridge on words predicts the ratings of a row nearby, and not of its own."""
    yield from _shifted(data.table("rating_shifts"), "rating", "words")


@probe("pairs-at-chance", on="preflight", explains=LATER[1:3], about="pairs", layer="labels")
def pairs_at_chance(data: DataRecords) -> Iterator[Finding | Outcome]:
    """In one half of a source the labels agree with the texts, in the other they are at chance."""
    table = data.table("pair_shifts")
    if table.empty:
        yield not_applicable("pairs", "labelled pairs")
        return
    for source, of_source in pd.Series(slips(table), dtype=object).groupby([slip.source for slip in slips(table)]):
        part = {slip.part: slip for slip in of_source}
        two = [part[name] for name in ("first half", "second half") if name in part]
        name = f"pairs of {source}"
        if len(two) < 2 or min(int(slip.own.n) for slip in two) < LEAST:
            yield too_little(name, f"fewer than {LEAST} pairs in a half of the file")
            continue
        weak, strong = sorted(two, key=lambda slip: slip.strength)
        measured = Evidence("agreement of the weaker half, in standard deviations of chance", weak.strength)
        if weak.strength >= NOTHING or strong.strength < STANDS_OUT or weak.is_found:
            yield passed(name, measured, NOTHING)
            continue
        yield Finding(
            severity="warning",
            system=name,
            sentence=f"The labels of '{source}' are at chance{PART_WORDS[weak.part]}: their rank correlation with the "
            f"cosine of the pretrained encoder is {weak.own.spearman:.2f} there and {strong.own.spearman:.2f} in the "
            "other half.",
            evidence=(
                measured,
                *evidence(weak)[:1],
                Evidence("the same in the other half", float(strong.own.spearman)),
                Evidence("pairs measured there", int(weak.own.n), "pairs"),
            ),
            cause="A part of the file was labelled otherwise, shuffled, or joined by the wrong key.",
            fix=Fix({}, f"look at the labels of '{source}'{PART_WORDS[weak.part]}, or leave these rows out"),
            reference="Northcutt et al. 2021, arXiv:2103.14749 (label errors in test sets)",
            weight=50.0,
        )
