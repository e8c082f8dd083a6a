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
# Parts of `rating_shifts` whose chance is over ratings in any order.
MIXED, ACROSS = "any order,", "across halves"
# Labels that are wrong explain what training on them comes to.
LATER = ("labels-unordered", "similarity-worse-than-zero-shot", "gradient-conflict", "pairs-at-chance")
RATINGS_LATER = ("worse-than-lexical", "constant-predictions", "fold-failed", "underfitted", "overfitted",
                 "separate-encoders-lose-interaction", "last-layer-drops-surface")  # fmt: skip
# Rows of ratings from which words would tell, and standard deviations of labels in any order: 120 to 300 healthy rows
# of two sets have 4.2 to 9.9 of a row's own labels, and -0.5 to 8.6 of what the other half of the file says of them.
LEAST_RATED, SAID, OPPOSITE = 200, 3.0, -4.0


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
    shifted = table[table["part"].isin(PART_WORDS)]
    for (source, part), rows in shifted.groupby(["source", "part"], sort=False):
        own, best = rows[rows["shift"] == 0], rows.loc[[rows["spearman"].idxmax()]]
        if len(own):
            found.append(Slip(str(source), str(part), rows_of(own)[0], rows_of(best)[0]))
    return found


def evidence(slip: Slip) -> tuple[Evidence, ...]:
    return (
        Evidence("rank correlation with the numbers of the same row", float(slip.own.spearman)),
        Evidence(f"rank correlation with those {slip.best.shift:+d} rows on", float(slip.best.spearman)).where_from(
            float(slip.own.chance) + STANDS_OUT * float(slip.own.chance_std)
        ),
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


@probe(
    "rating-rows-shifted", on="preflight", explains=("ratings-at-chance", *RATINGS_LATER), about="ratings",
    layer="labels",
)  # fmt: skip
def rating_rows_shifted(data: DataRecords) -> Iterator[Finding | Outcome]:
    """A ridge on words predicts the ratings of a row nearby, and not of its own."""
    yield from _shifted(data.table("rating_shifts"), "rating", "words")


@probe(
    "ratings-contradict", on="preflight", explains=("ratings-at-chance", *RATINGS_LATER), about="ratings",
    layer="labels",
)  # fmt: skip
def ratings_contradict(data: DataRecords) -> Iterator[Finding | Outcome]:
    """What one half of the file says of the other is the opposite of its ratings."""
    own = _any_order(data, ACROSS)
    if own is None:
        yield not_applicable("ratings", "enough rated rows")
        return
    measured = Evidence("agreement with what the other half says, in standard deviations of chance", own.strength)
    if own.strength > OPPOSITE:
        yield passed("ratings", measured, OPPOSITE)
        return
    within = [half for name in ("first half", "second half") if (half := _any_order(data, f"{MIXED} {name}"))]
    yield Finding(
        severity="error",
        system="ratings",
        sentence="The two halves of the file contradict each other: a ridge on the words of one half orders the rows "
        f"of the other the wrong way round (mean rank correlation {own.spearman:.2f}, 0 at chance).",
        evidence=(
            measured.against(OPPOSITE),
            Evidence("mean rank correlation across the halves", own.spearman),
            *(Evidence("the same within a half", half.spearman) for half in within),
            Evidence("rows", own.n, "rows"),
        ),
        cause="In a part of the file ratings count from the other end of the scale, or stand in other columns: no "
        "training can learn both.",
        fix=Fix({}, "compare the scale and the columns of the first and the last rows; turn or reorder one of the "
                    "halves"),
        reference="Google QUEST; docs/data.md, Ratings",
        weight=CAUSE + 40,
    )  # fmt: skip


@probe("ratings-at-chance", on="preflight", explains=RATINGS_LATER, about="ratings", layer="labels")
def ratings_at_chance(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Words say nothing of the ratings, neither over all rows nor within a half of them."""
    whole = _any_order(data, f"{MIXED} all")
    if whole is None or whole.n < LEAST_RATED:
        rows = 0 if whole is None else whole.n
        yield too_little("ratings", f"{rows} rated rows that have words in common; {LEAST_RATED} would tell")
        return
    others = [_any_order(data, part) for part in (f"{MIXED} first half", f"{MIXED} second half", ACROSS)]
    strongest = max([whole, *(one for one in others if one is not None)], key=lambda one: abs(one.strength))
    measured = Evidence(
        "strongest agreement of words and ratings, in standard deviations of chance", strongest.strength
    )
    if abs(strongest.strength) >= SAID:
        yield passed("ratings", measured, SAID)
        return
    yield Finding(
        system="ratings",
        sentence=f"The ratings have nothing to do with the texts, as far as words tell: a ridge on the words of other "
        f"rows gives a mean rank correlation of {whole.spearman:.2f} over {whole.n} rows, 0 at chance.",
        evidence=(
            measured.against(SAID),
            Evidence("mean rank correlation over the targets", whole.spearman),
            Evidence("standard deviation with ratings in any order", whole.spread),
            Evidence("rows", whole.n, "rows"),
        ),
        cause="Ratings stand beside texts of other rows: shuffled, sorted apart or joined by the wrong key. Or they "
        "are about something that the texts do not say.",
        fix=Fix({}, "join ratings and texts anew, by an id, and look at ten rows"),
        reference="Northcutt et al. 2021, arXiv:2103.14749",
        weight=CAUSE + 30,
    )


class Agreement(NamedTuple):
    spearman: float
    chance: float
    spread: float
    n: int

    @property
    def strength(self) -> float:
        return (self.spearman - self.chance) / max(self.spread, 1e-6)


def _any_order(data: DataRecords, part: str) -> Agreement | None:
    """Of a part of `rating_shifts` whose chance is over ratings in any order."""
    table = data.table("rating_shifts")
    rows = table[table["part"] == part] if len(table) else table
    if rows.empty:
        return None
    row = rows.iloc[0]
    return Agreement(float(row["spearman"]), float(row["chance"]), float(row["chance_std"]), int(row["n"]))


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
                measured.against(NOTHING),
                *evidence(weak)[:1],
                Evidence("the same in the other half", float(strong.own.spearman)),
                Evidence("pairs measured there", int(weak.own.n), "pairs"),
            ),
            cause="A part of the file was labelled otherwise, shuffled, or joined by the wrong key.",
            fix=Fix({}, f"look at the labels of '{source}'{PART_WORDS[weak.part]}, or leave these rows out"),
            reference="Northcutt et al. 2021, arXiv:2103.14749 (label errors in test sets)",
            weight=50.0,
        )
