"""How the queries of the splits differ: what a classifier tells them apart by, and the properties that differ most."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import scipy.sparse

from whyrank.measure.metrics.correlation import centred_ranks
from whyrank.preflight.figures.texts.read import Figure, Read, shown, spread

# Queries of a split that are looked at; fewer than the second number tell nothing.
QUERIES, FEWEST = 500, 30
FOLDS = 5
# Characters of a query whose capitals, digits and signs are counted.
CHARACTERS = 400


def figures(read: Read, own_Q: np.ndarray, seed: int) -> list[Figure]:
    """`auc_dev` and `auc_test`: a classifier of words that tells the split from train, on answers that it did not see.

    own_Q   share of a query's telling words that its right answer has
    <property>_<split>   the same AUC by one property alone: 0.5 where the splits have the same, above where the split
                         has more of it than train; `<property>_mean_<split>` its mean there (of train in kind `train`)
    The example of `auc_…` has the words that tell most.
    """
    split_Q = read.prepared.queries["split"].to_numpy()
    found: list[Figure] = []
    train = _chosen(split_Q, "train")
    for split in ("dev", "test"):
        other = _chosen(split_Q, split)
        if min(len(train), len(other)) < FEWEST:
            continue
        rows = np.concatenate([train, other])
        is_other_N = np.arange(len(rows)) >= len(train)
        value, error, telling = classified(read, rows, is_other_N, seed)
        found += [
            (f"auc_{split}", "query", value, len(other), shown(", ".join(telling))),
            (f"auc_error_{split}", "query", error, len(other), ""),
        ]
        for name, value_N in properties(read, rows, own_Q).items():
            known = np.isfinite(value_N)
            if known[is_other_N].sum() >= FEWEST and known[~is_other_N].sum() >= FEWEST:
                found.append((f"{name}_{split}", "auc", auc(value_N[known], is_other_N[known]), len(other), ""))
                found.append((f"{name}_{split}", split, float(value_N[is_other_N & known].mean()), len(other), ""))
                found.append((f"{name}_{split}", "train", float(value_N[~is_other_N & known].mean()), len(train), ""))
    return found


def _chosen(split_Q: np.ndarray, split: str) -> np.ndarray:
    rows = np.flatnonzero(split_Q == split)
    return rows[spread(len(rows), QUERIES)]


def properties(read: Read, rows: np.ndarray, own_Q: np.ndarray) -> dict[str, np.ndarray]:
    texts = [read.prepared.queries["raw_text"].iloc[i] for i in rows]
    length = np.array([max(len(text), 1) for text in texts])
    texts = [text[:CHARACTERS] for text in texts]

    def share(test: Callable[[str], bool]) -> np.ndarray:
        return np.array([sum(map(test, text)) for text in texts]) / np.minimum(length, CHARACTERS)

    return {
        "conversations": (read.prepared.queries["type"].to_numpy()[rows] == "conversation").astype(float),
        "characters": length.astype(float),
        "answer_words": own_Q[rows],
        "capitals": share(str.isupper),
        "digits": share(str.isdigit),
        "punctuation": np.maximum(1 - share(str.isalnum) - share(str.isspace), 0.0),
        # Of a training query that was left its text alone nobody knows them.
        "right_answers": np.array([len(read.right[i]) or np.nan for i in rows]),
    }


def classified(read: Read, rows: np.ndarray, is_other_N: np.ndarray, seed: int) -> tuple[float, float, list[str]]:
    """AUC out of fold, its standard error, and the words or word pairs that speak most for the other split.

    Queries of one answer are in one fold: that they are about the same topic tells nothing about splits.
    """
    from sklearn.linear_model import LogisticRegression  # takes a second

    terms = [_terms(read.query_words[i]) for i in rows]
    names = {term: number for number, term in enumerate(dict.fromkeys(term for own in terms for term in own))}
    columns = [names[term] for own in terms for term in own]
    starts = np.concatenate([[0], np.cumsum([len(own) for own in terms])])
    weight = np.repeat([1 / max(len(own), 1) ** 0.5 for own in terms], np.diff(starts))
    term_NV = scipy.sparse.csr_matrix((weight, columns, starts), shape=(len(terms), max(len(names), 1)))
    kept = np.flatnonzero(np.bincount(term_NV.indices, minlength=term_NV.shape[1]) >= 2)
    term_NV = term_NV[:, kept]
    group_N = np.array([min(read.right[i], default=-1 - i) for i in rows])
    fold_N = _folds(group_N, seed)
    model = LogisticRegression(C=1.0, solver="liblinear", class_weight="balanced")
    total, pairs, aucs = 0.0, 0.0, []
    for fold in range(FOLDS):
        train, test = fold_N != fold, fold_N == fold
        n = is_other_N[test].sum() * (~is_other_N[test]).sum()
        if n and term_NV.shape[1] and 0 < is_other_N[train].sum() < train.sum():
            score = model.fit(term_NV[train], is_other_N[train]).decision_function(term_NV[test])
            aucs.append(auc(score, is_other_N[test]))
            total, pairs = total + n * aucs[-1], pairs + n
    if not pairs:
        return 0.5, 0.5, []
    most = _telling(term_NV, np.array(list(names), dtype=object)[kept], is_other_N)
    value = total / pairs
    return value, standard_error(value, int(is_other_N.sum()), int((~is_other_N).sum())), most


def _terms(words: list[str]) -> list[str]:
    return list(dict.fromkeys([*words, *(f"{one} {other}" for one, other in pairwise(words))]))


def _folds(group_N: np.ndarray, seed: int) -> np.ndarray:
    groups, place_N = np.unique(group_N, return_inverse=True)
    return (np.random.default_rng(seed).permutation(len(groups)) % FOLDS)[place_N]


def _telling(term_NV: scipy.sparse.csr_matrix, name_V: np.ndarray, is_other_N: np.ndarray) -> list[str]:
    """The three terms whose shares of the texts differ most between the splits."""
    there_V, train_V = (np.asarray((term_NV[rows] > 0).mean(axis=0)).ravel() for rows in (is_other_N, ~is_other_N))
    most = np.argsort(-np.abs(there_V - train_V), kind="stable")[:3]
    return [f"'{name_V[i]}' in {100 * there_V[i]:.0f} % against {100 * train_V[i]:.0f} %" for i in most]


def auc(value_N: np.ndarray, is_other_N: np.ndarray) -> float:
    """Probability that a value of the other split is above one of train, ties half."""
    pairs = is_other_N.sum() * (~is_other_N).sum()
    return float(centred_ranks(value_N)[is_other_N].sum() / pairs + 0.5)


def standard_error(value: float, n: int, m: int) -> float:
    """Of an AUC (Hanley and McNeil 1982)."""
    one, two = value / (2 - value), 2 * value**2 / (1 + value)
    variance = (value * (1 - value) + (n - 1) * (one - value**2) + (m - 1) * (two - value**2)) / (n * m)
    return float(np.sqrt(max(variance, 0.0)))
