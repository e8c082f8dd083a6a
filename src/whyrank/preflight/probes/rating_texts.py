"""Ratings that are measured or learned badly because of their texts: the same in several folds, or cut needlessly."""

from collections.abc import Iterator

from whyrank.core.options.overrides import is_plain
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords

# Share of all tokens that fixed budgets lose beyond what sharing loses. Below it hardly a sentence per row is at stake.
LEAST_WASTE = 0.05

SHARED = {
    "title": "the title of another fold's row",
    "body": "the body of another fold's row",
    "answer": "the answer and all ratings of another fold's row",
}


@probe("group-leak", on="preflight", about="ratings", layer="data")
def group_leak(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Questions in several folds, by title or body, or rated answers: the model was trained on what is held out."""
    folds = data.table("rating_folds")
    if folds.empty:
        yield not_applicable("ratings", "rated texts")
        return
    if folds["shared_rows"].sum() == 0:
        yield passed("ratings", Evidence("rows that were seen in training", 0, "rows"), 1)
        return
    rows, shared = int(folds["rows"].sum()), int(folds["shared_rows"].sum())
    by_field = {field: int(folds[f"shared_{field}"].sum()) for field in SHARED if folds[f"shared_{field}"].sum()}
    ways = " and ".join(f"{n} have {SHARED[field]}" for field, n in by_field.items())
    yield Finding(
        severity="error",
        system="ratings",
        sentence=f"Out-of-fold scores are too good: {shared} of {rows} rows ({100 * shared / rows:.0f} %) were seen in "
        f"training: {ways}.",
        evidence=(
            Evidence("rows that were seen in training", shared, "rows").against(1),
            percent("of all rows", shared / rows),
            *(Evidence(f"rows with {SHARED[field]}", n, "rows") for field, n in by_field.items()),
        ),
        cause="The group column does not keep together what belongs together. All rows of a question have the same "
        "ratings of the question, so that the model saw them in training.",
        fix=_by_question(data, str(folds["kept_by"].iloc[0] or "")),
        reference="public QUEST solutions fold by question, with scikit-learn's GroupKFold",
        weight=CAUSE + 100 * shared / rows,
    )


def _by_question(data: DataRecords, field: str) -> Fix:
    """The column that keeps all of it together, where there is one that an override can name."""
    fields = data.tables["rating_fields"].set_index("field")["column"]
    if field in fields.index and is_plain(str(fields[field])):
        return Fix({"prepare.ratings.group": str(fields[field])})
    return Fix({}, "name a column in prepare.ratings.group that has one value for all rows of a question")


@probe("fixed-allocation-truncates", on="preflight", explains=("worse-than-lexical",), about="ratings", layer="data")
def fixed_allocation_truncates(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Tokens cut in one field while another one's budget stays empty."""
    table = data.table("rating_fields")
    if table.empty:
        yield not_applicable("ratings", "rated texts")
        return
    share_F = table["tokens_mean"] / table["tokens_mean"].sum()
    lost, adaptive = (float((share_F * table[name]).sum()) for name in ("share_lost", "share_lost_adaptive"))
    if not lost - adaptive >= LEAST_WASTE:
        yield passed("ratings", percent("tokens cut needlessly", lost - adaptive), 100 * LEAST_WASTE)
        return
    worst = table.iloc[int((table["share_lost"] - table["share_lost_adaptive"]).argmax())]
    yield Finding(
        system="ratings",
        sentence=f"Fixed token budgets cut {100 * lost:.0f} % of the text, {100 * (lost - adaptive):.0f} % of it "
        f"needlessly: other fields of the row left tokens unused. {worst['field'].capitalize()}s lose "
        f"{100 * worst['share_lost']:.0f} %.",
        evidence=(
            percent("tokens cut", lost).against(100 * (adaptive + LEAST_WASTE)),
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
