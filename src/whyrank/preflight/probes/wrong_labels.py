"""Labels that the texts contradict: of a split, of a type of query, here and there, or shifted by rows."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords, rows_of
from whyrank.preflight.probes import suspects
from whyrank.preflight.probes.chance import is_blank
from whyrank.preflight.probes.label_symptoms import OF_CHANCE, OF_TRAINING
from whyrank.preflight.probes.texts.figure import borrowed

# Agreed queries of a split from which its labels can be judged: wrong ones of a half would show.
ENOUGH = 12
# Estimated share of wrong labels, and its lower bound, from which a part of the data is wrong as a whole; its
# difference to the rest has at most this p. Healthy splits and types of three sets: at most 0.07.
WHOLE, WHOLE_LOW, DIFFERENT = 0.6, 0.35, 0.001
# Share of the judgements that a repair must win to be told, see `figures.repairs`.
REPAIRED = 0.25
# Lower bound of the share from which wrong labels are an error.
MANY = 0.10
APPLY = "look at the first rows of {0}, copy it to data/corrections and name the copy in prepare.corrections"


class Share(NamedTuple):
    """Wrong labels of a part of the data: its name, far labels among agreed ones, the estimate with its bounds."""

    name: str
    far: int
    agreed: int
    value: float
    low: float
    high: float

    @property
    def spoken(self) -> str:
        return f"{self.name} {100 * self.value:.0f} % [{100 * self.low:.0f}, {100 * self.high:.0f}]"


def share(name: str, part: pd.DataFrame) -> Share:
    far, agreed = suspects.far_of(part)
    return Share(name, far, agreed, *suspects.share(far, agreed))


@probe(
    "labels-shifted",
    on="preflight",
    layer="labels",
    about="ranking",
    explains=(
        *OF_TRAINING,
        *OF_CHANCE,
        "answer-texts-swapped",
        "labels-at-chance",
        "split-labels-wrong",
        "type-labels-wrong",
        "wrong-labels",
    ),
)
def labels_shifted(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Labels that fit again once rows move back."""
    table = data.table("label_repairs")
    if table.empty:
        yield not_applicable("data", "judgements in the order of their files")
        return
    held = rows_of(table[table["holds"] == 1])
    if not held:
        best = rows_of(table)[0]
        yield passed("data", percent("labels that the best repair would make right", best.after), 100 * REPAIRED)
        return
    shared = borrowed(data)
    if shared is not None and not shared.is_template:
        # The neighbour of a right answer holds what answers the query.
        told = f"{100 * shared.share:.0f} % of what is read of the answers stands in other answers: they tell no shift"
        yield too_little("data", told)
        return
    first, changed = held[0], sum(row.judgements for row in held)
    places = "; ".join(f"{row.rows_of}, lines {row.first_line} to {row.last_line}" for row in held)
    yield Finding(
        severity="error",
        system="data",
        sentence=f"The labels are shifted: with the {first.repair} ({places}) the untuned rankers put the label first "
        f"for {100 * first.after:.0f} % of the judgements that move, and for {100 * first.before:.0f} % as it is.",
        evidence=(
            percent("label is first, as it is", first.before),
            percent("label is first, with the rows moved", first.after).against(100 * REPAIRED),
            Evidence("judgements that move", changed, "judgements"),
        ),
        cause="A row was lost or added on one side when query ids and answer ids were put together, so each query has "
        "the label of its neighbour.",
        fix=Fix(
            {},
            "put the ids together again from the source; or " + APPLY.format("the list"),
            rows="metrics/prepare/rows_labels-shifted.csv",
        ),
        reference="Northcutt et al. 2021",
        weight=3 * CAUSE,
    )


@probe(
    "split-labels-wrong",
    on="preflight",
    layer="labels",
    about="ranking",
    explains=(*OF_TRAINING, *OF_CHANCE, "type-labels-wrong", "wrong-labels", "splits-differ"),
)
def split_labels_wrong(data: DataRecords) -> Iterator[Finding | Outcome]:
    """The same untuned rankers find the answers of one split and not of another."""
    yield from _parts(data, "split")


@probe(
    "type-labels-wrong",
    on="preflight",
    layer="labels",
    about="ranking",
    explains=(*OF_TRAINING, "wrong-labels", "question-conversation-gap"),
)
def type_labels_wrong(data: DataRecords) -> Iterator[Finding | Outcome]:
    """The same of one type of query."""
    yield from _parts(data, "type")


def _parts(data: DataRecords, column: str) -> Iterator[Finding | Outcome]:
    judged = data.table("judgements")
    names = sorted(judged[column].unique()) if len(judged) else []
    if len(names) < 2:
        yield not_applicable("data", f"judgements of two {column}s of queries under untuned rankers")
        return
    for name in names:
        own, rest = share(name, judged[judged[column] == name]), share("others", judged[judged[column] != name])
        if own.agreed < ENOUGH or rest.agreed < ENOUGH:
            yield too_little("data", f"{name}: rankers agree on {min(own.agreed, rest.agreed)} queries, {ENOUGH} tell")
            continue
        table = np.array([[own.far, own.agreed - own.far], [rest.far, rest.agreed - rest.far]])
        p = float(stats.fisher_exact(table, alternative="greater").pvalue)
        if not (own.value >= WHOLE and own.low >= WHOLE_LOW and p < DIFFERENT):
            yield passed("data", percent(f"estimated share of wrong labels, {name}", own.value), 100 * WHOLE)
            continue
        yield _wrong_part(data, column, own, rest)


def _wrong_part(data: DataRecords, column: str, own: Share, rest: Share) -> Finding:
    values = _accuracies(data.table("judgements"), column, own.name)
    return Finding(
        severity="error",
        system="data",
        sentence=f"The {own.name} labels are wrong: the same untuned rankers put the label first for "
        f"{100 * values[0]:.1f} % of the {own.name} queries and for {100 * values[1]:.1f} % of the others; an "
        f"estimated {100 * own.value:.0f} % [{100 * own.low:.0f}, {100 * own.high:.0f}] of the {own.name} labels are "
        "wrong.",
        evidence=(
            percent(f"estimated share of wrong labels, {own.name}", own.value).against(100 * WHOLE),
            percent(f"label is first, {own.name}", values[0]),
            percent("label is first, others", values[1]),
            percent(f"far labels where rankers agree, {own.name}", own.far / own.agreed),
            percent("far labels where rankers agree, others", rest.far / rest.agreed),
            Evidence("queries on which rankers agree", own.agreed, "queries"),
        ),
        interval=(100 * own.low, 100 * own.high),
        cause=f"Rankers that saw no label agree on an answer of {own.name} queries as they do on others, and the label "
        "names another, far away in the ranking: labels or ids of this part do not belong to its texts.",
        fix=Fix(
            {},
            f"join the ids of the {own.name} labels again from the source; or {APPLY.format('the list')}",
            rows="metrics/prepare/rows_wrong-labels.csv",
        ),
        reference="Northcutt et al. 2021",
        weight=2 * CAUSE,
    )


def _accuracies(judged: pd.DataFrame, column: str, name: str) -> tuple[float, float]:
    is_own, is_first = judged[column] == name, judged["rank"] < 2
    return float(is_first[is_own].mean()), float(is_first[~is_own].mean())


@probe("wrong-labels", on="preflight", layer="labels", about="ranking", explains=OF_TRAINING)
def wrong_labels(data: DataRecords) -> Iterator[Finding | Outcome]:
    """The share of wrong labels, by split, from queries on which rankers agree without the labels."""
    judged = data.table("judgements")
    if judged.empty and not data.table("untuned").empty:
        yield too_little("data", "no text says enough to judge its label by")
        return
    if judged.empty:
        yield not_applicable("data", "judgements under untuned rankers")
        return
    doubtful = {(split, str(kind)) for split, part in suspects.cells(judged) for kind in part["type"].unique()}
    shares = []
    for split, part in judged.groupby("split"):
        found = share(str(split), part)
        if split in {name for name, _ in doubtful}:
            shares.append(found)
        elif found.agreed < ENOUGH:
            yield too_little("data", f"{split}: rankers agree on {found.agreed} queries, {ENOUGH} tell")
        else:
            yield passed("data", percent(f"estimated share of wrong labels, {split}", found.value), 100 * MANY)
    if not shares:
        return
    worst = max(shares, key=lambda one: one.low)
    rows = data.table("rows_wrong-labels")
    certain = int((~is_blank(rows["becomes"])).sum()) if len(rows) else 0
    yield Finding(
        severity="error" if worst.low >= MANY else "warning",
        system="data",
        sentence=f"Some labels are wrong, an estimated share of {'; '.join(one.spoken for one in shares)}: of "
        f"{worst.agreed} {worst.name} queries on which the untuned rankers agree, {worst.far} have a label in the far "
        "half of the ranking.",
        evidence=(
            *(percent(f"estimated share of wrong labels, {one.name}", one.value).against(100 * MANY) for one in shares),
            Evidence("labels to look at", len(rows), "judgements"),
            Evidence("of these with the answer they should have", certain, "judgements"),
        ),
        interval=(100 * worst.low, 100 * worst.high),
        cause="Rankers that saw no label agree on another answer, and the labelled one is far from the query. Of right "
        f"labels at most {100 * suspects.HEALTHY:.0f} % look so.",
        fix=Fix({}, APPLY.format("the list, most certain first"), rows="metrics/prepare/rows_wrong-labels.csv"),
        reference="Northcutt et al. 2021; Efron 2008",
        weight=100 * worst.value,
    )
