"""Labels of ratings that cannot be learnt or measured well: one value, one rare side, questions on both sides."""

from collections.abc import Iterator

import pandas as pd

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, is_plain
from whyrank.findings.records import DataRecords
from whyrank.preflight.probes.rating_columns import excluding, rows_of

# Labels on the rarer side of a target: one in twenty, of which a batch of 16 has none more often than one; and from one
# in fifty on, some folds of a few hundred rows have a handful.
RARE, RAREST = 0.05, 0.02
CLASS_AWARE = {
    "finetune_rank.objectives.ratings.bce.weight": 0.0,
    "finetune_rank.objectives.ratings.focal.weight": 0.0,
    "finetune_rank.objectives.ratings.mse.weight": 0.0,
    "finetune_rank.objectives.ratings.weighted_bce.weight": 1.0,
}
NAMED = 5


def target_imbalance(data: DataRecords) -> Iterator[Finding]:
    """Targets with a rare side, and losses in which a side pulls as often as it occurs."""
    table = _targets(data)
    found = table[(table["distinct"] > 1) & (table["rare_share"] < RARE) & (table["rare_pull"] < RARE)]
    if found.empty:
        return
    found = found.sort_values("rare_share", kind="stable")
    rarest = float(found["rare_share"].iloc[0])
    yield Finding(
        code="target-imbalance",
        severity="warning" if rarest < RAREST else "info",
        system="ratings",
        sentence=f"{len(found)} of {len(table)} targets have less than {RARE:.0%} on their rarer side: "
        f"{_named(found, 'rare_share')}; the losses give it no more weight.",
        evidence=(
            *(
                Evidence(f"rarer side of '{row.target}'", float(row.rare_share), "share of the labels")
                for row in rows_of(found.head(NAMED))
            ),
            Evidence("gradient of the rarest side at the start", float(found["rare_pull"].iloc[0]), "share"),
        ),
        cause="Nearly all rows ask for one end: a loss over rows is small as soon as that end is predicted for all, "
        "and what tells the rare rows apart hardly moves it. Their Spearman counts as much as any other.",
        fix=Fix(CLASS_AWARE),
        reference="Google QUEST, question_type_spelling; Lin et al. 2017, arXiv:1708.02002",
        weight=1 - rarest,
    )


def undefined_targets(data: DataRecords) -> Iterator[Finding]:
    """Targets with one value, over all rows or within a fold: their correlation does not exist there."""
    table = _targets(data)
    found = table[(table["distinct"] < 2) | (table["constant_folds"] > 0)]
    if found.empty:
        return
    everywhere = int((found["distinct"] < 2).sum())
    yield Finding(
        code="undefined-targets",
        severity="warning",
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
        cause="A rank correlation needs two values. Averaged over folds, such a target is NaN, or drops out unseen.",
        fix=excluding(data, found["target"].tolist())
        if len(found) < len(table)
        else Fix({}, "rate more rows: no target is left that varies in every fold"),
        reference="scipy gives NaN for a constant column; ST#2702",
        weight=len(found) / len(table),
    )


def group_leak(data: DataRecords) -> Iterator[Finding]:
    """Questions that stand in several folds: what is held out was seen."""
    if "rating_folds" not in data.tables:
        return
    folds = data.tables["rating_folds"]
    rows, shared = int(folds["rows"].sum()), int(folds["shared_rows"].sum())
    if shared == 0:
        return
    yield Finding(
        code="group-leak",
        severity="error",
        system="ratings",
        sentence=f"{shared} of {rows} rows ({shared / rows:.0%}) have a question that stands in another fold too.",
        evidence=(
            Evidence("rows with a question of another fold", shared, "rows"),
            Evidence("share of the rows", shared / rows),
            Evidence("such questions in a fold, at most", int(folds["shared_groups"].max()), "questions"),
        ),
        cause="The group column does not hold the answers to one question together. Ratings of the question are the "
        "same in all its rows: the model has seen them, and the out-of-fold score is too good.",
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


def _targets(data: DataRecords) -> pd.DataFrame:
    empty = pd.DataFrame(columns=["target", "distinct", "constant_folds", "rare_share", "rare_pull"])
    return data.tables.get("rating_targets", empty).astype({"target": str})


def _named(found: pd.DataFrame, share: str) -> str:
    shown = found.head(NAMED)
    return ", ".join(f"'{name}' {value:.1%}" for name, value in zip(shown["target"], shown[share], strict=True))
