"""Exact and near duplicates among texts, found exactly, without comparing all pairs, and what of them splits share.

Texts are compared as sets of word 3-grams. If a text A shares the share t of its |A| 3-grams with B, then B holds at
least one of any |A| - ceil(t |A|) + 1 3-grams of A. So only texts that share one of A's *rarest* 3-grams are compared
(prefix filtering: Chaudhuri et al. 2006; Bayardo et al. 2007), which changes the cost and not the result.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from whyrank.core.spaced import Ragged, coded
from whyrank.data.files.readers import SPLITS
from whyrank.data.files.text import exact_key
from whyrank.lexical.words import words, words_worth

# A shorter text says too little to be recognised inside another: six 3-grams are eight words.
MIN_CONTAINED, FEWEST_WORDS = 6, 8.0
# Sums of candidate comparisons per block, about 100 MB of indices.
_BLOCK = 4_000_000
# Shares such as 0.7 have no exact binary form: 0.7 * 10 > 7.
_EPS = 1e-9

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Duplicates:
    """group   (n,) int64: texts joined by a chain of pairs share one; numbered in the order of first appearance
    same    (n,) int64: texts equal after normalisation share one; the position of the first of them
    pairs   left, right (positions, int64), kind (exact | near | contained), similarity in [0, 1].
            An exact pair joins a text to the first equal one; near and contained pairs join such first ones.
    """

    group: Ints
    same: Ints
    pairs: pd.DataFrame


def find_duplicates(texts: Sequence[str], words_N: Ragged | None = None, *, threshold: float = 0.8) -> Duplicates:
    """Duplicates by three rules, the first that holds:

    exact       equal once case, white space and punctuation are gone; similarity 1
    near        |A and B| / |A or B| >= threshold over sets of word 3-grams (Jaccard)
    contained   |A and B| / |A| >= threshold, A the smaller, of at least 6 3-grams and 8 words (`words_worth`):
                a conversation quotes its question

    A text of one or two words has no 3-gram and only exact duplicates.
    words_N   their `words` as numbers (`spaced.coded`), where known
    """
    assert 0 < threshold <= 1, threshold
    words_N = coded(texts, words)[1] if words_N is None else words_N
    codes, _ = pd.factorize(_exact_keys(texts, words_N))
    first = np.full(codes.max(initial=-1) + 1, len(codes), dtype=np.int64)
    np.minimum.at(first, codes, np.arange(len(codes)))
    same = first[codes]
    later = np.flatnonzero(same != np.arange(len(same)))
    exact = pd.DataFrame({"left": same[later], "right": later, "kind": "exact", "similarity": 1.0})
    near = _near_pairs(_shingles(words_N.of_rows(first)), threshold)
    is_quoted = near["kind"] == "contained"
    near = near.drop(index=[i for i, row in near.loc[is_quoted, "left"].items() if not _says_enough(texts[first[row]])])
    near[["left", "right"]] = np.sort(first[near[["left", "right"]].to_numpy()], axis=1)
    pairs = pd.concat([exact, near]).sort_values(["left", "right"], ignore_index=True)
    return Duplicates(_components(len(texts), pairs), same, pairs)


def _says_enough(text: str) -> bool:
    return words_worth(words(text)) >= FEWEST_WORDS - _EPS


def _exact_keys(texts: Sequence[str], words_N: Ragged) -> np.ndarray:
    """(N,) equal where `exact_key` is, without the words themselves."""
    flat, width = words_N.value_V.tobytes(), words_N.value_V.itemsize
    spans = pairwise((words_N.start_N * width).tolist())
    keys = [flat[start:stop] or exact_key(text, []) for text, (start, stop) in zip(texts, spans, strict=True)]
    return np.fromiter(keys, dtype=object, count=len(keys))


def _components(n: int, pairs: pd.DataFrame) -> Ints:
    links = sparse.coo_array((np.ones(len(pairs)), (pairs["left"], pairs["right"])), shape=(n, n))
    _, labels = connected_components(links, directed=False)
    return pd.factorize(labels)[0].astype(np.int64)


class _Shingles(NamedTuple):
    """sizes_N       3-grams of each text, as a set
    incidence_NC   which text has which of the C 3-grams that stand more than once, from the rarest on
    """

    sizes_N: Ints
    incidence_NC: sparse.csr_array


def _shingles(words_N: Ragged) -> _Shingles:
    """Most 3-grams of a set stand once, and cannot be shared: they are counted, and have no column."""
    flat, lengths = words_N.value_V.astype(np.int64), np.diff(words_N.start_N)
    n, row = len(lengths), np.repeat(np.arange(len(lengths)), lengths)
    inside = np.flatnonzero(row[:-2] == row[2:]) if len(row) > 2 else np.zeros(0, dtype=np.int64)
    size, row = int(flat.max(initial=0)) + 1, row[inside]
    begin = flat[inside] * size + flat[inside + 1]
    # Two steps keep the code below 2**63 for any vocabulary.
    begin = begin if size**3 < 2**63 else np.unique(begin, return_inverse=True)[1]
    gram = begin * size + flat[inside + 2]
    order = np.argsort(gram)
    is_new = np.diff(gram[order], prepend=-1) != 0
    is_once = is_new & np.append(is_new[1:], True)
    repeated, column = order[~is_once], (np.cumsum(is_new & ~is_once) - 1)[~is_once]
    n_grams = int(column.max(initial=-1)) + 1
    once_N = np.bincount(row, minlength=n) - np.bincount(row[repeated], minlength=n)
    texts = np.bincount(np.unique(row[repeated] * n_grams + column) % max(n_grams, 1), minlength=n_grams)
    rank = np.empty(n_grams, dtype=np.int64)
    rank[np.argsort(texts, kind="stable")] = np.arange(n_grams)
    place = np.unique(row[repeated] * n_grams + rank[column])
    row, column = np.divmod(place, max(n_grams, 1))
    starts = np.searchsorted(row, np.arange(n + 1))
    incidence = sparse.csr_array((np.ones(len(place), np.int32), column, starts), shape=(n, n_grams))
    return _Shingles(once_N + np.diff(starts), incidence)


def _near_pairs(shingles: _Shingles, threshold: float) -> pd.DataFrame:
    sizes, incidence = shingles
    found = []
    for small, large in _candidates(shingles, threshold):
        shared = np.asarray(incidence[small].multiply(incidence[large]).sum(axis=1)).ravel()
        jaccard = shared / (sizes[small] + sizes[large] - shared)
        contained = shared / sizes[small]
        near = jaccard >= threshold - _EPS
        keep = near | (contained >= threshold - _EPS) & (sizes[small] >= MIN_CONTAINED)
        kind = np.where(near, "near", "contained")
        similarity = np.where(near, jaccard, contained)
        found.append(pd.DataFrame({"left": small, "right": large, "kind": kind, "similarity": similarity}).loc[keep])
    empty = pd.DataFrame({"left": np.zeros(0, int), "right": np.zeros(0, int), "kind": "", "similarity": 0.0})
    return pd.concat(found, ignore_index=True) if found else empty.iloc[:0]


def _candidates(shingles: _Shingles, threshold: float) -> Iterator[tuple[Ints, Ints]]:
    """Pairs (smaller set, larger set) that share one of the smaller one's rarest 3-grams."""
    sizes, incidence = shingles
    columns_N = np.diff(incidence.indptr)
    # Those that stand once are the rarest, and come first.
    prefix_length = columns_N + 1 - np.ceil(threshold * sizes - _EPS).astype(np.int64)
    position = np.arange(incidence.nnz) - np.repeat(incidence.indptr[:-1], columns_N)
    in_prefix = position < np.repeat(prefix_length, columns_N)
    rows = np.repeat(np.arange(len(sizes)), columns_N)[in_prefix]
    columns = incidence.indices[in_prefix]
    prefix = sparse.csr_array((np.ones(len(rows), np.int32), (rows, columns)), shape=incidence.shape)
    holders = incidence.T.tocsr()
    cost = np.zeros(len(sizes), dtype=np.int64)
    np.add.at(cost, rows, np.diff(holders.indptr)[columns])
    for start, stop in _blocks(cost):
        hits = (prefix[start:stop] @ holders).tocoo()
        small, large = hits.row.astype(np.int64) + start, hits.col.astype(np.int64)
        larger = (sizes[small] < sizes[large]) | (sizes[small] == sizes[large]) & (small < large)
        small, large = small[larger], large[larger]
        for chunk in _blocks(sizes[small] + sizes[large]):
            yield small[slice(*chunk)], large[slice(*chunk)]


def _blocks(cost: Ints) -> Iterator[tuple[int, int]]:
    """Cut rows into runs of at most `_BLOCK` cost each (a single row may cost more)."""
    total = np.cumsum(cost)
    start = 0
    while start < len(cost):
        spent = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, spent + _BLOCK, side="right")))
        yield start, stop
        start = stop


LEAK_COLUMNS = ["query_left", "split_left", "query_right", "split_right", "kind", "similarity", "same_answer"]
CROSSING = ["query_left", "split_left", "query_right", "split_right"]


def relevant_sets(queries: pd.DataFrame, relevant: pd.DataFrame) -> list[frozenset[str]]:
    """The relevant answers of each query, in the order of `queries`; none of one that lost its judgements."""
    answers = relevant.groupby("query_id")["answer_id"].agg(frozenset).to_dict()
    return [answers.get(name, frozenset()) for name in queries["query_id"]]


def leak_table(queries: pd.DataFrame, relevant: pd.DataFrame, duplicates: Duplicates) -> pd.DataFrame:
    """Duplicates across splits; left is the earlier split in the order train, dev, test.

    queries      query_id, split; row i is text i of `duplicates`
    relevant     query_id, answer_id of the relevant pairs
    Returns `LEAK_COLUMNS`. Every query on the right is listed with each *distinct* text and answer set on the left
    that duplicates it, not with every copy of that text, so the table stays linear where one text repeats a lot.
    """
    answers = relevant_sets(queries, relevant)
    here = pd.DataFrame(
        {"same": duplicates.same, "rank": queries["split"].map(SPLITS.index).to_numpy(), "row": range(len(queries))}
    )
    wanted = pd.Series([tuple(sorted(names)) for names in answers], dtype=object)
    # A query without a judgement is neither learnt from nor tested.
    here = here[[bool(names) for names in answers]]
    first = here.assign(wanted=wanted).drop_duplicates(["same", "rank", "wanted"]).drop(columns="wanted")
    table = first.merge(_links(duplicates), on="same").merge(
        here, left_on="other", right_on="same", suffixes=("_left", "_right")
    )
    table = table[table["rank_left"] < table["rank_right"]].sort_values(["row_left", "row_right"], ignore_index=True)
    ids, splits = queries["query_id"].to_numpy(), queries["split"].to_numpy()
    left, right = table["row_left"].to_numpy(), table["row_right"].to_numpy()
    shared = [bool(answers[a] & answers[b]) for a, b in zip(left, right, strict=True)]
    columns = (ids[left], splits[left], ids[right], splits[right], table["kind"], table["similarity"], shared)
    return pd.DataFrame(dict(zip(LEAK_COLUMNS, columns, strict=True)))


def _links(duplicates: Duplicates) -> pd.DataFrame:
    """same, other, kind, similarity: which distinct texts duplicate which, both ways, and each repeated text itself."""
    near = duplicates.pairs[duplicates.pairs["kind"] != "exact"].rename(columns={"left": "same", "right": "other"})
    back = near.rename(columns={"same": "other", "other": "same"})
    repeated = duplicates.pairs.loc[duplicates.pairs["kind"] == "exact", "left"].drop_duplicates()
    itself = pd.DataFrame({"same": repeated, "other": repeated, "kind": "exact", "similarity": 1.0})
    return pd.concat([near, back, itself], ignore_index=True)


def conflict_table(queries: pd.DataFrame, relevant: pd.DataFrame, duplicates: Duplicates) -> pd.DataFrame:
    """Equal texts whose relevant answers are disjoint: no ranker can serve both.

    Each such query stands once on the right, with the first equal query it contradicts on the left.
    """
    answers = relevant_sets(queries, relevant)
    ids, splits = queries["query_id"].tolist(), queries["split"].tolist()
    seen: dict[int, dict[frozenset[str], int]] = {}
    rows = []
    for right, (same, wanted) in enumerate(zip(duplicates.same.tolist(), answers, strict=True)):
        if not wanted:
            continue
        earlier = seen.setdefault(same, {})
        left = next((row for other, row in earlier.items() if not other & wanted), None)
        if left is not None:
            rows.append((ids[left], splits[left], ids[right], splits[right]))
        earlier.setdefault(wanted, right)
    return pd.DataFrame(rows, columns=CROSSING)
