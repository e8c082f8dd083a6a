"""Ratings that cannot be learned or measured well: constant, rare, with questions in several folds, or cut off."""

from collections.abc import Iterator

import pandas as pd

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, is_plain, percent
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords, rows_of
from whyrank.preflight.probes.rating_columns import excluding

NAMED = 5

# Share of all tokens that fixed budgets lose beyond what sharing loses. Below it hardly a sentence per row is at stake.
LEAST_WASTE = 0.05


@probe("undefined-targets", on="preflight", about="ratings")
def undefined_targets(data: DataRecords) -> Iterator[Finding]:
    """Targets with one value, in all rows or within a fold, where their correlation is undefined."""
    table = targets_of(data)
    found = table[(table["distinct"] < 2) | (table["constant_folds"] > 0)]
    if found.empty:
        return
    everywhere = int((found["distinct"] < 2).sum())
    yield Finding(
        system="ratings",
        sentence=f"{len(found)} of {len(table)} targets have one value in all rows of some fold, {everywhere} of them "
        f"in all rows: {', '.join(repr(name) for name in found['target'].head(NAMED))}.",
        evidence=(
            Evidence("targets with one value in all rows", everywhere, "targets"),
            Evidence("targets with one value in some fold", len(found) - everywhere, "targets"),
            *(
                Evidence(f"folds with one value of '{row.target}'", int(row.constant_folds), "folds")
                for row in rows_of(found.head(NAMED))
            ),
        ),
        cause="A rank correlation needs two values. Averaged over folds, such a target is NaN, or is left out "
        "unnoticed.",
        fix=excluding(data, found["target"].tolist())
        if len(found) < len(table)
        else Fix({}, "rate more rows: no target is left that varies in every fold"),
        reference="scipy gives NaN for a constant column; ST#2702",
        weight=len(found) / len(table),
    )


@probe("group-leak", on="preflight", about="ratings")
def group_leak(data: DataRecords) -> Iterator[Finding]:
    """Questions in several folds: the model was trained on what is held out."""
    folds = data.table("rating_folds")
    if folds.empty or folds["shared_rows"].sum() == 0:
        return
    rows, shared = int(folds["rows"].sum()), int(folds["shared_rows"].sum())
    yield Finding(
        severity="error",
        system="ratings",
        sentence=f"Out-of-fold scores are too good: {shared} of {rows} rows ({100 * shared / rows:.0f} %) have a "
        "question that is in another fold, too.",
        evidence=(
            Evidence("rows with a question of another fold", shared, "rows"),
            percent("of all rows", shared / rows),
            Evidence("most such questions in a fold", int(folds["shared_groups"].max()), "questions"),
        ),
        cause="The group column does not keep the answers to one question together. All rows of a question have the "
        "same ratings of the question, so that the model saw them in training.",
        fix=_by_question(data),
        reference="public QUEST solutions fold by question, with scikit-learn's GroupKFold",
        weight=CAUSE + 100 * shared / rows,
    )


def _by_question(data: DataRecords) -> Fix:
    """The column of the question, where each row has one and an override can name it."""
    fields = data.tables["rating_fields"].set_index("field")["column"].astype(str)
    for field in ("title", "body"):
        if field in fields.index:
            column, rows = str(fields[field]), data.ratings
            if is_plain(column) and not (len(rows) and (rows[field] == "").any()):
                return Fix({"prepare.ratings.group": column})
            break
    return Fix({}, "name a column in prepare.ratings.group that has one value for all rows of a question")


@probe("fixed-allocation-truncates", on="preflight", explains=("worse-than-lexical",), about="ratings")
def fixed_allocation_truncates(data: DataRecords) -> Iterator[Finding]:
    """Tokens cut in one field while another one's budget stays empty."""
    table = data.table("rating_fields")
    if table.empty:
        return
    share_F = table["tokens_mean"] / table["tokens_mean"].sum()
    lost, adaptive = (float((share_F * table[name]).sum()) for name in ("share_lost", "share_lost_adaptive"))
    if not lost - adaptive >= LEAST_WASTE:
        return
    worst = table.iloc[int((table["share_lost"] - table["share_lost_adaptive"]).argmax())]
    yield Finding(
        system="ratings",
        sentence=f"Fixed token budgets cut {100 * lost:.0f} % of the text, {100 * (lost - adaptive):.0f} % of it "
        f"needlessly: other fields of the row left tokens unused. {worst['field'].capitalize()}s lose "
        f"{100 * worst['share_lost']:.0f} %.",
        evidence=(
            percent("tokens cut", lost),
            percent("tokens cut if the fields of a row share the same sum", adaptive),
            *(
                percent(f"rows whose {name} is cut", float(cut))
                for name, cut in zip(table["field"], table["rows_cut"], strict=True)
            ),
        ),
        cause="Each field has its own token budget: a short title or question wastes what a long answer needs.",
        fix=Fix({"prepare.ratings.allocation": "adaptive"}),
        reference="public QUEST solutions trim fields by what the others leave; HF#1666",
        weight=100 * (lost - adaptive),
    )


def targets_of(data: DataRecords) -> pd.DataFrame:
    empty = pd.DataFrame(columns=["target", "distinct", "constant_folds", "rare_share"])
    return data.tables.get("rating_targets", empty).astype({"target": str})
