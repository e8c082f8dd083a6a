"""How many of what: queries by type and split, queries per answer, balance of the types, duplicates and leaks.

Every function returns flat metrics (finite numbers; an undefined one is left out) and, where it helps, a tidy table.
"""

import pandas as pd

from whyrank.data.files.raw import SPLITS
from whyrank.data.ranking.duplicates import Duplicates
from whyrank.data.ranking.query_types import TYPES

Metrics = dict[str, float]


def count_queries(answers: pd.DataFrame, queries: pd.DataFrame, relevant: pd.DataFrame) -> tuple[Metrics, pd.DataFrame]:
    """Metrics such as `queries_train`, `questions_test`; table type, split, queries.

    answers: answer_id; queries: query_id, type, declared_type, split; relevant: query_id, answer_id
    """
    index = pd.MultiIndex.from_product([TYPES, SPLITS], names=["type", "split"])
    table = queries.groupby(["type", "split"]).size().reindex(index, fill_value=0).reset_index(name="queries")
    metrics: Metrics = {"answers": len(answers), "queries": len(queries), "relevant_pairs": len(relevant)}
    for split, n in table.groupby("split", sort=False)["queries"].sum().items():
        metrics[f"queries_{split}"] = int(n)
    for kind, n in table.groupby("type", sort=False)["queries"].sum().items():
        metrics[f"{kind}s"] = int(n)
    for kind, split, n in table.itertuples(index=False):
        metrics[f"{kind}s_{split}"] = int(n)
    recast = (queries["declared_type"] != "") & (queries["declared_type"] != queries["type"])
    metrics["conversations_recast"] = int(recast.sum())
    metrics["queries_of_undeclared_type"] = int((queries["declared_type"] == "").sum())
    return metrics, table


def count_per_answer(
    answers: pd.DataFrame, queries: pd.DataFrame, relevant: pd.DataFrame
) -> tuple[Metrics, pd.DataFrame]:
    """Queries per answer, over the answers that have any; table answer_id, question, conversation, train, dev, test."""
    pairs = relevant.merge(queries[["query_id", "type", "split"]], on="query_id")
    parts = [pd.crosstab(pairs["answer_id"], pairs[column]) for column in ("type", "split")]
    table = pd.concat(parts, axis=1).reindex(index=answers["answer_id"], columns=[*TYPES, *SPLITS], fill_value=0)
    table = table.fillna(0).astype(int).rename_axis(None, axis=1).reset_index()
    total = table[list(TYPES)].sum(axis=1)
    metrics: Metrics = {
        "answers_without_queries": int((total == 0).sum()),
        "answers_without_train_queries": int((table["train"] == 0).sum()),
    }
    for name, per_answer in (("queries_per_answer", total), ("train_queries_per_answer", table["train"])):
        counted = per_answer[per_answer > 0]
        if len(counted):
            metrics |= {f"{name}_{how}": float(counted.agg(how)) for how in ("min", "median", "max")}
    return metrics, table


def type_imbalance(per_answer: pd.DataFrame) -> Metrics:
    """The larger type over the smaller one: overall, and the median over the answers that have both.

    per_answer: question and conversation counts. 1 is balance; left out where a type is missing altogether.
    """
    counts = per_answer[list(TYPES)]
    asked = counts[counts.sum(axis=1) > 0]
    both = asked[asked.min(axis=1) > 0]
    metrics: Metrics = {"answers_with_one_type": len(asked) - len(both)}
    overall = asked.sum()
    if overall.min() > 0:
        metrics["type_imbalance"] = float(overall.max() / overall.min())
    if len(both):
        metrics["type_imbalance_per_answer"] = float((both.max(axis=1) / both.min(axis=1)).median())
    return metrics


def count_duplicates(duplicates: Duplicates) -> Metrics:
    """Pairs by kind, and the groups of two or more; `queries_duplicated` stand in one of these."""
    kinds = duplicates.pairs["kind"].value_counts()
    sizes = pd.Series(duplicates.group).value_counts()
    several = sizes[sizes > 1]
    metrics: Metrics = {f"duplicate_pairs_{kind}": int(kinds.get(kind, 0)) for kind in ("exact", "near", "contained")}
    return metrics | {
        "duplicate_groups": len(several),
        "queries_duplicated": int(several.sum()),
        "duplicate_group_max": int(sizes.max()),
    }


def count_leaks(leaks: pd.DataFrame, conflicts: pd.DataFrame, queries: pd.DataFrame) -> Metrics:
    """`leaked_queries_train_test`: test queries with a duplicate in train; the share where the split has queries."""
    metrics: Metrics = {"conflicting_duplicates": len(conflicts)}
    sizes = queries["split"].value_counts()
    for left, right in (("train", "dev"), ("train", "test"), ("dev", "test")):
        crossing = leaks[(leaks["split_left"] == left) & (leaks["split_right"] == right)]
        n = crossing["query_right"].nunique()
        metrics[f"leaked_queries_{left}_{right}"] = n
        if sizes.get(right, 0):
            metrics[f"leaked_share_{left}_{right}"] = float(n / sizes[right])
    return metrics


def count_rows(rows_in: dict[str, int], rejected: pd.DataFrame) -> tuple[Metrics, pd.DataFrame]:
    """Rows read and rejected; table file, rows, rejected, kept."""
    lost = rejected["file"].value_counts()
    table = pd.DataFrame({"file": list(rows_in), "rows": list(rows_in.values())})
    table["rejected"] = [int(lost.get(file, 0)) for file in rows_in]
    table["kept"] = table["rows"] - table["rejected"]
    total = sum(rows_in.values())
    metrics: Metrics = {"rows_read": total, "rows_rejected": len(rejected), "rejected_share": len(rejected) / total}
    return metrics, table
