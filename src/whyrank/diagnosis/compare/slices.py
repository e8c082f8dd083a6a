"""Where a system is good or bad: the metric by kind of query."""

import pandas as pd

from whyrank.diagnosis.compare.ranking import per_query
from whyrank.findings.records import DataRecords, Records
from whyrank.measure.significance.statistics import mean_interval

Bins = pd.Series  # a label per query id, of an ordered categorical


def slices(records: Records, metric: str, *, level: float, resamples: int, seed: int) -> pd.DataFrame:
    """The metric in each slice: slice, bin, system, value, low, high, n; bins in their natural order.

    slice   `type`; `length` (quartiles of the query's tokens before selection); `overlap` (terciles of the share of
            its content words that its answer holds, where prepare recorded it); `query cut` and `answer cut` (whether
            selection dropped tokens of the query, or of its first relevant answer)
    A slice with a single bin says nothing and is left out, and so are rivals. Intervals resample answers.
    """
    runs = {system: run for system, run in records.runs.items() if system not in records.systems.rivals}
    rows = []
    for name, bins in _all_bins(records).items():
        for label in bins.cat.categories:
            members = bins.index[bins == label]
            for system, run in runs.items():
                queries = run.queries[run.queries["query_id"].isin(members)]
                interval = mean_interval(
                    per_query(run, metric).loc[queries.index], queries["cluster"],
                    resamples=resamples, seed=seed, level=level,
                )  # fmt: skip
                rows.append((name, label, system, *interval, len(queries)))
    return pd.DataFrame(rows, columns=["slice", "bin", "system", "value", "low", "high", "n"])


def _all_bins(records: Records) -> dict[str, Bins]:
    """Bins of the test queries, by slice; only slices that divide them."""
    tested = next(iter(records.runs.values())).queries.set_index("query_id")
    data = records.data
    queries = data.queries.set_index("query_id").loc[tested.index]
    answers = data.answers.set_index("answer_id").loc[tested["cluster"]].set_index(tested.index)
    bins = {
        "type": pd.Series(pd.Categorical(queries["type"], ["question", "conversation"]), index=queries.index),
        "length": _quantile_bins(queries["tokens_raw"], 4, "{:.0f}"),
        "overlap": _overlap_bins(data, tested.index),
        "query cut": _cut_bins(queries),
        "answer cut": _cut_bins(answers),
    }
    present = {name: labels.cat.remove_unused_categories() for name, labels in bins.items()}
    return {name: labels for name, labels in present.items() if len(labels.cat.categories) > 1}


def _overlap_bins(data: DataRecords, query_ids: pd.Index) -> Bins:
    if "overlap" not in data.tables:
        return pd.Series(pd.Categorical([]), dtype="category")
    overlap = data.tables["overlap"].set_index("query_id")["overlap"]
    return _quantile_bins(overlap[overlap.index.isin(query_ids)], 3, "{:.2f}")


def _quantile_bins(values: pd.Series, n: int, form: str) -> Bins:
    """About equal parts, labelled by the values they span, such as `12–31`; equal values share a part."""
    codes = pd.qcut(values, n, labels=False, duplicates="drop")
    spans = values.groupby(codes).agg(["min", "max"])
    labels = [
        form.format(low) if form.format(low) == form.format(high) else f"{form.format(low)}\u2013{form.format(high)}"
        for low, high in spans.itertuples(index=False)
    ]
    # Two narrow parts may look the same at this precision; their rank keeps the labels apart.
    labels = [label if labels.count(label) == 1 else f"{label} ({i + 1})" for i, label in enumerate(labels)]
    named = dict(zip(spans.index, labels, strict=True))
    return pd.Series(pd.Categorical(codes.map(named), labels, ordered=True), index=values.index)


def _cut_bins(texts: pd.DataFrame) -> Bins:
    is_cut = texts["tokens"] < texts["tokens_raw"]
    return pd.Series(pd.Categorical(is_cut.map({False: "whole", True: "cut"}), ["whole", "cut"]), index=texts.index)
