"""Whether texts and numbers of the same row belong together, or those of a row further on: pairs and ratings.

Shapes: N rows · T targets
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from whyrank.core.prepared import Prepared
from whyrank.measure.metrics.correlation import spearman

# Rows by which numbers may have slipped, and rows so far away that nothing relates them: what those give is chance.
NEAR = range(-10, 11)
FAR = [sign * shift for shift in range(20, 60, 3) for sign in (1, -1)]
# Rows of ratings that are looked at: the products of as many texts take a second.
ROWS = 700
# Of ridge regression, where a row's product with itself is 1.
PENALTY = 1.0
# Parts of which each is predicted from the others.
PARTS = 5
# Chance where a file is sorted, so that rows far away are of the same kind: labels of the part in any order.
MIXED, MIXINGS = "any order,", 20
ACROSS = "across halves"
COLUMNS = ["source", "part", "shift", "n", "spearman", "chance", "chance_std"]


def pair_shifts(judged: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Of each source, and of each half of its rows: the rank correlation of its cosines with the labels of rows nearby.

    judged   rows of `pairs`, by their index, with the cosine `encoder`
    Columns: source, part (all | first half | second half), shift (rows further on), n, spearman, and mean and standard
    deviation of the same over far shifts.
    """
    rows: list[tuple[object, ...]] = []
    for source, part in judged.groupby("source", sort=False):
        label_M = pairs.loc[(pairs["source"] == source) & (pairs["use"] == part["use"].iloc[0]), "label"]
        place_N = label_M.index.get_indexer(part.index)
        cosine_N, label = part["encoder"].to_numpy(), label_M.to_numpy(dtype=float)
        for name, chosen in halves(place_N, len(label)):
            found = {shift: _correlation(cosine_N[chosen], label, place_N[chosen] + shift) for shift in (*NEAR, *FAR)}
            rows += [(str(source), name, shift, n, *of) for shift, n, of in beside_chance(found, int(chosen.sum()))]
    return pd.DataFrame(rows, columns=COLUMNS)


def rating_shifts(prepared: Prepared) -> pd.DataFrame:
    """The same of ratings: the mean over the targets of what a ridge on the words of other rows says of a row.

    chance of `any order, <part>` and of `across halves`, where it was fitted on the other half of the file, is over
    labels of the part in any order. A part whose texts share no word, and targets of one value, have no row.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer  # only where ratings are read

    table, targets = prepared.ratings[prepared.ratings["use"] == "train"], prepared.rating_targets
    label_MT = table[targets].to_numpy(dtype=float) if len(table) else np.zeros((0, 0))
    if len(label_MT) < 2 * max(FAR) or not targets:
        return pd.DataFrame(columns=COLUMNS)
    place_N = np.linspace(0, len(table) - 1, min(ROWS, len(table))).round().astype(int)
    texts = table[["title", "body", "answer"]].iloc[place_N].fillna("").agg("\n".join, axis=1).to_numpy()
    vectorizer = TfidfVectorizer(sublinear_tf=True, max_features=50_000)
    if not any(map(vectorizer.build_analyzer(), texts)):
        return pd.DataFrame(columns=COLUMNS)
    vector_NV = vectorizer.fit_transform(texts)
    product_NN = (vector_NV @ vector_NV.T).toarray()
    # Rows of one question know each other's answer: a group is predicted from the others.
    group_N = np.where(table["group"] < 0, -np.arange(len(table)) - 1, table["group"])[place_N]
    part_N = np.unique(group_N, return_inverse=True)[1] % PARTS
    rows: list[tuple[object, ...]] = []
    for name, chosen in halves(place_N, len(table)):
        smooth_NN = smoother(product_NN[np.ix_(chosen, chosen)], part_N[chosen])
        found = {shift: _predicted(smooth_NN, label_MT, place_N[chosen] + shift) for shift in (*NEAR, *FAR)}
        rows += [("rated rows", name, shift, n, *of) for shift, n, of in beside_chance(found, int(chosen.sum()))]
        rows.append(("rated rows", f"{MIXED} {name}", 0, *of_mixed(smooth_NN, label_MT, place_N[chosen])))
    smooth_NN = smoother(product_NN, (place_N < len(table) // 2).astype(int))
    rows.append(("rated rows", ACROSS, 0, *of_mixed(smooth_NN, label_MT, place_N)))
    return pd.DataFrame(rows, columns=COLUMNS).dropna(subset=["spearman", "chance"], ignore_index=True)


def halves(place_N: np.ndarray, rows: int) -> Iterator[tuple[str, np.ndarray]]:
    """All, and the rows of each half of the file, as masks."""
    yield "all", np.ones(len(place_N), dtype=bool)
    yield "first half", place_N < rows // 2
    yield "second half", place_N >= rows // 2


def beside_chance(found: dict[int, float], n: int) -> Iterator[tuple[int, int, tuple[float, float, float]]]:
    far = np.array([found[shift] for shift in FAR if np.isfinite(found[shift])])
    chance, spread = (float(far.mean()), float(far.std())) if len(far) else (0.0, float("nan"))
    for shift in NEAR:
        if np.isfinite(found.get(shift, np.nan)):
            yield shift, n, (found[shift], chance, spread)


def _correlation(cosine_N: np.ndarray, label_M: np.ndarray, place_N: np.ndarray) -> float:
    inside_N = (place_N >= 0) & (place_N < len(label_M))
    value = spearman(cosine_N[inside_N], label_M[place_N[inside_N]]).value
    return float("nan") if value is None else value


def of_mixed(smooth_NN: np.ndarray, label_MT: np.ndarray, place_N: np.ndarray) -> tuple[int, float, float, float]:
    """n, the rank correlation of each row with its own labels, and mean and deviation of that with any row's."""
    random = np.random.default_rng(0)
    mixed = np.array([_predicted(smooth_NN, label_MT, random.permutation(place_N)) for _ in range(MIXINGS)])
    return len(place_N), _predicted(smooth_NN, label_MT, place_N), float(mixed.mean()), float(mixed.std())


def smoother(product_NN: np.ndarray, part_N: np.ndarray) -> np.ndarray:
    """(N, N): times labels, what a ridge that was fitted on the other parts says of each row."""
    smooth_NN = np.zeros_like(product_NN)
    for part in np.unique(part_N):
        out_N, in_N = part_N == part, part_N != part
        fitted = product_NN[np.ix_(in_N, in_N)] + PENALTY * np.eye(int(in_N.sum()))
        smooth_NN[np.ix_(out_N, in_N)] = np.linalg.solve(fitted, product_NN[np.ix_(in_N, out_N)]).T
    return smooth_NN


def _predicted(smooth_NN: np.ndarray, label_MT: np.ndarray, place_N: np.ndarray) -> float:
    """Mean rank correlation of the labels with what the smoother says of them."""
    label_NT = label_MT[np.clip(place_N, 0, len(label_MT) - 1)]
    centred_NT = np.nan_to_num(label_NT - np.nanmean(label_NT, axis=0))
    ranks = [pd.DataFrame(value_NT).rank().to_numpy() for value_NT in (smooth_NN @ centred_NT, centred_NT)]
    one_NT, two_NT = (rank_NT - rank_NT.mean(axis=0) for rank_NT in ranks)
    scale_T = np.sqrt((one_NT**2).sum(axis=0) * (two_NT**2).sum(axis=0))
    value_T = (one_NT * two_NT).sum(axis=0)[scale_T > 0] / scale_T[scale_T > 0]
    return float(value_T.mean()) if len(value_T) else float("nan")
