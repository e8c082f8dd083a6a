"""Train, dev and test: as the data gives them, or drawn by group; seeded and independent of the order of rows."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from whyrank.core.errors import UserError

By = Literal["query", "answer"]
Ints = npt.NDArray[np.int64]


def split_queries(
    queries: pd.DataFrame,
    relevant: pd.DataFrame,
    *,
    by: By,
    dev: float,
    test: float,
    seed: int,
    given: Mapping[str, str] | None = None,
) -> pd.Series:
    """The split of each query, in the order and with the index of `queries`.

    queries    query_id, type, group (what stays together shares one)
    relevant   query_id, answer_id of the relevant pairs
    by         query: every answer that has a query keeps one group of them in train, so test answers were seen;
               answer: held-out answers are new, all queries of an answer (and answers linked by a query or a
               duplicate) on one side
    dev, test  wanted shares of all queries in [0, 1), met for each type as nearly as groups allow
    given      query_id -> split: kept as it is; a dev or test that it lacks is drawn from its train

    Raises UserError when a wanted split gets no query at all.
    """
    ordered = queries.sort_values("query_id")
    split = np.array(["train" if given is None else given[query] for query in ordered["query_id"]], dtype=object)
    wanted = _wanted(set(split), dev, test)
    pool = np.flatnonzero(split == "train")
    units, answers_of = _units(ordered.iloc[pool], relevant, by)
    type_codes, type_names = pd.factorize(ordered["type"].to_numpy(), sort=True)
    counts = np.zeros((units.max(initial=-1) + 1, len(type_names)), dtype=np.int64)
    np.add.at(counts, (units, type_codes[pool]), 1)
    all_types = np.bincount(type_codes, minlength=len(type_names))
    targets = np.array([share * all_types for share in wanted.values()]).reshape(len(wanted), len(type_names))

    order = np.random.default_rng(seed).permutation(len(counts))
    drawn = _draw(counts, targets, order, answers_of if by == "query" else None)
    for code, name in enumerate(wanted):
        split[pool[drawn[units] == code]] = name
        if name not in split:
            raise UserError(_nothing_drawn(name, wanted[name], by, len(ordered)))
    return pd.Series(split, index=ordered.index, name="split").reindex(queries.index).astype(str)


def kept_together(group_Q: Ints, declared_Q: Sequence[str]) -> Ints:
    """(Q,) group of what may not be torn apart: duplicates, and queries that declare one thread.

    group_Q      number of the duplicates of each query, 0 or more
    declared_Q   thread that each query declares; "" where it declares none
    """
    thread_Q, _ = pd.factorize(pd.Series(declared_Q, dtype=str).replace("", None))
    row, first = np.flatnonzero(thread_Q >= 0), int(group_Q.max(initial=-1)) + 1
    nodes = first + int(thread_Q.max(initial=-1)) + 1
    edges = sparse.coo_array((np.ones(len(row)), (group_Q[row], first + thread_Q[row])), shape=(nodes, nodes))
    _, labels = connected_components(edges, directed=False)
    return np.asarray(labels[group_Q], dtype=np.int64)


def drawn_shares(split: pd.Series, *, dev: float, test: float, given: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Of each split that was drawn: split, asked (queries that its share comes to), queries (that it got)."""
    wanted = _wanted(set((given or {}).values()) or {"train"}, dev, test)
    rows = [(name, share * len(split), int((split == name).sum())) for name, share in wanted.items()]
    return pd.DataFrame(rows, columns=["split", "asked", "queries"])


def _wanted(there: set[str], dev: float, test: float) -> dict[str, float]:
    """The splits to draw, with their shares; none where there is no train to draw them from, as of a test set alone."""
    shares = (("test", test), ("dev", dev)) if "train" in there else ()
    return {name: share for name, share in shares if share > 0 and name not in there}


def _nothing_drawn(name: str, share: float, by: By, n: int) -> str:
    remedy = {
        "query": "no answer has a second group of queries to spare; set split.by: answer",
        "answer": "its answers all hang together through shared queries or duplicates; set split.by: query",
    }
    return f"split.{name}: {share} of {n} queries drew none: the share is too small, or {remedy[by]}"


def _units(queries: pd.DataFrame, relevant: pd.DataFrame, by: By) -> tuple[Ints, list[list[int]]]:
    """What moves as one: (n,) unit of each query, in the order of first appearance, and the answers of each unit."""
    group = pd.factorize(queries["group"].to_numpy())[0].astype(np.int64)
    position = pd.Series(np.arange(len(queries)), index=queries["query_id"].to_numpy())
    linked = relevant[relevant["query_id"].isin(position.index)]
    row = position.loc[linked["query_id"]].to_numpy()
    answer = pd.factorize(linked["answer_id"].to_numpy(), sort=True)[0].astype(np.int64)
    unit = group
    if by == "answer":
        n_groups = int(group.max(initial=-1)) + 1
        n_nodes = n_groups + int(answer.max(initial=-1)) + 1
        edges = sparse.coo_array((np.ones(len(row)), (group[row], n_groups + answer)), shape=(n_nodes, n_nodes))
        _, labels = connected_components(edges, directed=False)
        unit = pd.factorize(labels[group])[0].astype(np.int64)
    answers_of: list[list[int]] = [[] for _ in range(int(unit.max(initial=-1)) + 1)]
    for one, other in {(int(u), int(a)) for u, a in zip(unit[row], answer, strict=True)}:
        answers_of[one].append(other)
    return unit, answers_of


def _draw(counts_UT: Ints, targets_ST: np.ndarray, order: Ints, answers_of: list[list[int]] | None) -> Ints:
    """Give each unit to the held-out split it brings nearer to its targets, if any: (U,) split code, -1 for train.

    counts_UT    queries of each unit by type      targets_ST   queries wanted in each split by type
    answers_of   answers of each unit, each of which must keep one unit in train; None: no such bond
    """
    drawn = np.full(len(counts_UT), -1, dtype=np.int64)
    lacking = targets_ST.tolist()
    wanted = [sum(target) for target in lacking]
    left: dict[int, int] = {}
    for answers in answers_of or []:
        for answer in answers:
            left[answer] = left.get(answer, 0) + 1
    for unit in order.tolist():
        answers = answers_of[unit] if answers_of is not None else []
        if any(left[answer] < 2 for answer in answers):
            continue
        count = counts_UT[unit].tolist()
        gains = [
            (_gain(lack, count), sum(lack) / want, code)
            for code, (lack, want) in enumerate(zip(lacking, wanted, strict=True))
        ]
        gain, lack, code = max(gains, default=(-1.0, 0.0, -1))
        # At no gain a unit is still drawn for an empty split: half of two queries is one.
        if gain > 0 or (gain == 0 and lack == 1):
            drawn[unit] = code
            lacking[code] = [lack - n for lack, n in zip(lacking[code], count, strict=True)]
            for answer in answers:
                left[answer] -= 1
    return drawn


def _gain(lacking: Sequence[float], count: Sequence[int]) -> float:
    """How much nearer to its targets a split comes, in queries, summed over the types."""
    return sum(abs(lack) - abs(lack - n) for lack, n in zip(lacking, count, strict=True))
