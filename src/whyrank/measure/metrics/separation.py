"""How labels lie in a cloud of vectors: which answer, question or conversation, one topic or two.

Distances are Euclidean in the vectors as given (scale rows to unit length first for angles); all is float64.

Shapes: N vectors · D features · P pairs · A answers · S point sets of n points in d dimensions
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import linalg

from whyrank.measure.metrics.correlation import centred_ranks

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class CentroidDistances(NamedTuple):
    """Per answer that has both kinds of query: the distance of the centroids, and these."""

    answer_A: np.ndarray
    distance_A: Floats
    question_AD: Floats
    conversation_AD: Floats


def centroid_distances(
    vectors_ND: np.ndarray, answer_N: npt.ArrayLike, is_question_N: npt.ArrayLike
) -> CentroidDistances:
    """Distance between the centroid of an answer's questions and that of its conversations.

    answer_N, is_question_N   (N,) answer of each query (any dtype) and its kind (bool)
    Only answers with both kinds, sorted. 0 if the kinds coincide; for two samples of one cloud of total variance s^2
    the expected square is s^2 (1 / n_question + 1 / n_conversation), so few queries alone make a distance.
    """
    vectors, answer, is_question = np.asarray(vectors_ND), np.asarray(answer_N), np.asarray(is_question_N, dtype=bool)
    question_answer, _, question = _centroids(vectors[is_question], answer[is_question])
    conversation_answer, _, conversation = _centroids(vectors[~is_question], answer[~is_question])
    both, q, c = np.intersect1d(question_answer, conversation_answer, assume_unique=True, return_indices=True)
    distance_A = np.linalg.norm(question[q] - conversation[c], axis=1)
    return CentroidDistances(both, distance_A, question[q], conversation[c])


def query_to_answer_distance(query_PD: np.ndarray, answer_PD: np.ndarray) -> Floats:
    """(P,) distance of each query to its own answer; of unit rows 0 to 2, sqrt(2) for unrelated directions."""
    return np.linalg.norm(np.asarray(query_PD, dtype=np.float64) - np.asarray(answer_PD, dtype=np.float64), axis=1)


class WithinShare(NamedTuple):
    """Within-answer share of the variance, and its expected value under permuted labels."""

    share: float
    chance: float


def within_answer_share(vectors_ND: np.ndarray, answer_N: npt.ArrayLike) -> WithinShare:
    """Within-answer sum of squares over the total: the part of the spread that the answer does not explain.

    Range 0 (queries of an answer coincide) to 1; NaN where all vectors coincide. Under permuted labels the expected
    share is (N - A) / (N - 1). The share between is the eta squared of a one-way analysis of variance. Cost N D.
    """
    rows_ND = np.asarray(vectors_ND, dtype=np.float64)
    answers, _, centroid_AD = _centroids(rows_ND, answer_N)
    index_N = np.searchsorted(answers, np.asarray(answer_N))
    total = np.square(_centred(rows_ND)).sum()
    share = np.square(rows_ND - centroid_AD[index_N]).sum() / total if total > 0 else np.nan
    return WithinShare(float(share), (len(rows_ND) - len(answers)) / max(len(rows_ND) - 1, 1))


def cluster_size(vectors_ND: np.ndarray, answer_N: npt.ArrayLike) -> Floats:
    """(A,) mean distance of the queries of an answer to their centroid, sorted by answer.

    0 if they coincide; of unit rows at most 1 in mean square. A centroid of n queries is drawn to each of them: the
    size is about sqrt(1 - 1/n) of its value for many queries. A single query (always 0) is left out.
    """
    answers, n_A, centroid_AD = _centroids(vectors_ND, answer_N)
    index_N = np.searchsorted(answers, np.asarray(answer_N))
    distance_N = query_to_answer_distance(vectors_ND, centroid_AD[index_N])
    mean_A = np.asarray(np.bincount(index_N, weights=distance_N, minlength=len(answers)), dtype=np.float64) / n_A
    return mean_A[n_A > 1]


def linear_probe_auc(
    vectors_ND: np.ndarray,
    label_N: npt.ArrayLike,
    group_N: npt.ArrayLike,
    *,
    folds: int = 5,
    seed: int,
    shrinkage: float = 0.1,
) -> float:
    """Out-of-fold AUC of a linear discriminant: can a hyperplane tell the two labels apart?

        w = ( (1 - a) S + a tr(S)/D I )^-1 ( mean_1 - mean_0 ),   S within-label covariance, a the shrinkage

    label_N   (N,) bool;  group_N   (N,) rows of one group are never on both sides of a fold
    Range 0 to 1: 0.5 at chance and at collapse, 1 if separable. The mean of the folds' AUCs weighted by their number of
    (1, 0) pairs: scores of different folds are never compared, since their shifts would pull chance below 0.5.
    Folds share the 1s evenly. NaN if no fold has both labels on both sides. Cost N D^2 + folds D^3.
    """
    rows_ND = _centred(np.asarray(vectors_ND, dtype=np.float64))
    label = np.asarray(label_N, dtype=bool)
    fold_N = _grouped_folds(label, np.asarray(group_N), folds, seed)
    total, pairs = 0.0, 0
    for fold in range(folds):
        train, test = fold_N != fold, fold_N == fold
        fold_pairs = int(label[test].sum()) * int((~label[test]).sum())
        if fold_pairs and label[train].any() and not label[train].all():
            score_N = rows_ND[test] @ _discriminant(rows_ND[train], label[train], shrinkage)
            # The AUC times the pairs, by ranks (Mann and Whitney 1947).
            total += centred_ranks(score_N)[label[test]].sum() + fold_pairs / 2
            pairs += fold_pairs
    return total / pairs if pairs else float("nan")


def _discriminant(rows_ND: Floats, label_N: npt.NDArray[np.bool_], shrinkage: float) -> Floats:
    """(D,) w; 0 where all rows coincide. Scikit-learn's `lsqr`, which has other uses too, takes four times as long."""
    mean_2D = np.stack([rows_ND[~label_N].mean(axis=0), rows_ND[label_N].mean(axis=0)])
    within_ND = rows_ND - mean_2D[label_N.astype(int)]
    shrunken_DD = (1 - shrinkage) / len(rows_ND) * (within_ND.T @ within_ND)
    shrunken_DD[np.diag_indices_from(shrunken_DD)] += shrinkage * np.square(within_ND).mean() or 1.0
    return np.asarray(linalg.solve(shrunken_DD, mean_2D[1] - mean_2D[0], assume_a="pos", overwrite_a=True))


class AnswerMixes(NamedTuple):
    """Per answer with enough queries, sorted: silhouette of its best split in two, and what one topic gives."""

    answer_A: np.ndarray
    silhouette_A: Floats
    null_95_A: Floats


def answer_mixes(
    vectors_ND: np.ndarray, answer_N: npt.ArrayLike, *, seed: int, least: int = 4, sample: int = 64, draws: int = 100
) -> AnswerMixes:
    """Do an answer's queries fall into two clusters? Silhouette of the best 2-means split, beside its null.

    The null is the 95 % point of the same statistic over `draws` sets of as many points from one Gaussian with the
    covariance of these queries: an answer above it holds two topics rather than one long cloud. Healthy answers are
    above it in under 5 % of cases; two topics 4 standard deviations apart in 20 % at 4 queries, 80 % at 10, always at
    30. Silhouette ranges from -1 to 1; queries that coincide get 0. Answers with fewer than `least`
    queries are left out, and of more than `sample` queries a random sample is taken, which bounds the cost:
    about draws x sample^3 per answer. Rousseeuw 1987 (silhouette); Liu et al. 2008 (SigClust null).
    """
    rows_ND, answer = np.asarray(vectors_ND, dtype=np.float64), np.asarray(answer_N)
    answers, counts = np.unique(answer, return_counts=True)
    members = np.split(np.argsort(answer, kind="stable"), np.cumsum(counts)[:-1])
    table: list[tuple[float, float]] = []
    for member in members:
        if len(member) < least:
            continue
        rng = np.random.default_rng([seed, len(table)])
        if len(member) > sample:
            member = rng.choice(member, sample, replace=False)
        observed, null = _split_silhouettes(rows_ND[member], rng, draws)
        table.append((observed, float(np.quantile(null, 0.95))))
    silhouette_A2 = np.array(table, dtype=np.float64).reshape(-1, 2)
    return AnswerMixes(answers[counts >= least], *silhouette_A2.T)


def _centroids(vectors_ND: np.ndarray, answer_N: npt.ArrayLike) -> tuple[np.ndarray, Ints, Floats]:
    """Sorted answers (A,), their number of rows (A,) and mean row (A, D)."""
    answer = np.asarray(answer_N)
    order = np.argsort(answer, kind="stable")
    answers, first_A, n_A = np.unique(answer[order], return_index=True, return_counts=True)
    rows_ND = np.asarray(vectors_ND, dtype=np.float64)[order]
    sum_AD = np.add.reduceat(rows_ND, first_A, axis=0) if len(first_A) else rows_ND
    return answers, n_A, sum_AD / n_A[:, None]


def _centred(rows_ND: Floats) -> Floats:
    """Rows less their mean; exact zeros where that leaves only the rounding of the mean, as of equal rows."""
    centred_ND = rows_ND - rows_ND.mean(axis=0)
    is_rounding = np.square(centred_ND).sum() <= 1e-24 * np.square(rows_ND).sum()
    return np.zeros_like(centred_ND) if is_rounding else centred_ND


def _grouped_folds(label_N: npt.NDArray[np.bool_], group_N: np.ndarray, folds: int, seed: int) -> Ints:
    """(N,) fold of each row: groups are shuffled, ordered by their number of 1s, and take turns."""
    groups, index_N = np.unique(group_N, return_inverse=True)
    ones_G = np.bincount(index_N, weights=label_N, minlength=len(groups))
    shuffled_G = np.random.default_rng(seed).permutation(len(groups))
    fold_G = np.empty(len(groups), dtype=np.int64)
    fold_G[shuffled_G[np.argsort(ones_G[shuffled_G], kind="stable")]] = np.arange(len(groups)) % folds
    return fold_G[index_N]


def _split_silhouettes(rows_ND: Floats, rng: np.random.Generator, draws: int) -> tuple[float, Floats]:
    """Silhouette of the best split of the rows, and of `draws` Gaussian sets with their covariance."""
    n = len(rows_ND)
    # n points span at most n - 1 dimensions: turned into those, distances stay and the null costs n, not D.
    left_nd, scale_d, _ = np.linalg.svd(_centred(rows_ND), full_matrices=False)
    null_Snd = rng.standard_normal((draws, n, len(scale_d))) * scale_d  # a silhouette has no scale
    points_Snd = np.concatenate([(left_nd * scale_d)[None], null_Snd])
    silhouette_S = _best_silhouette(points_Snd - points_Snd.mean(axis=1, keepdims=True))
    return float(silhouette_S[0]), silhouette_S[1:]


def _best_silhouette(points_Snd: Floats, starts: int = 8, rounds: int = 20) -> Floats:
    """(S,) mean silhouette of the 2-means split of centred points that explains most, over a few starts.

    Start k takes the k-th farthest point from the mean and the point farthest from that: no chance in it.
    """
    square_Sn = np.square(points_Snd).sum(axis=2)
    gram_Snn = points_Snd @ points_Snd.transpose(0, 2, 1)
    distance_Snn = np.sqrt(np.maximum(square_Sn[:, :, None] + square_Sn[:, None, :] - 2 * gram_Snn, 0.0))
    start_Sk = np.argsort(-square_Sn, axis=1, kind="stable")[:, :starts]
    from_start_Skn = np.take_along_axis(distance_Snn, start_Sk[:, :, None], axis=1)
    from_far_Skn = np.take_along_axis(distance_Snn, from_start_Skn.argmax(axis=2)[:, :, None], axis=1)
    one_Skn = (from_start_Skn <= from_far_Skn).astype(np.float64)
    for _ in range(rounds):
        before_Skn, (one_Skn, gain_Sk) = one_Skn, _nearer_mean(one_Skn, gram_Snn)
        if np.array_equal(before_Skn, one_Skn):
            break
    best_S1n = np.take_along_axis(one_Skn, gain_Sk.argmax(axis=1)[:, None, None], axis=1)
    return _silhouette(distance_Snn, best_S1n[:, 0])


def _nearer_mean(one_Skn: Floats, gram_Snn: Floats) -> tuple[Floats, Floats]:
    """One step of 2-means from the Gram matrix of centred points: the new split, and what the old one explains.

    If n_1 points sum to v, the other n_0 sum to -v: the means are v / n_1 and -v / n_0, and the sum of squares between
    them is |v|^2 (1/n_1 + 1/n_0).
    """
    n_1_Sk1 = np.maximum(one_Skn.sum(axis=2, keepdims=True), 1.0)
    n_0_Sk1 = np.maximum(one_Skn.shape[2] - n_1_Sk1, 1.0)
    along_Skn = one_Skn @ gram_Snn
    square_Sk1 = (along_Skn * one_Skn).sum(axis=2, keepdims=True)
    apart_Sk1 = 1 / n_1_Sk1 + 1 / n_0_Sk1
    is_nearer_Skn = along_Skn * apart_Sk1 >= square_Sk1 * (1 / n_1_Sk1**2 - 1 / n_0_Sk1**2) / 2
    return is_nearer_Skn.astype(np.float64), (square_Sk1 * apart_Sk1)[:, :, 0]


def _silhouette(distance_Snn: Floats, one_Sn: Floats) -> Floats:
    """(S,) mean over points of (b - a) / max(a, b): a to the own cluster, b to the other; 0 for a point alone."""
    n_1_S1 = one_Sn.sum(axis=1, keepdims=True)
    n_0_S1 = one_Sn.shape[1] - n_1_S1
    to_1_Sn = (distance_Snn @ one_Sn[:, :, None])[:, :, 0]
    to_0_Sn = distance_Snn.sum(axis=2) - to_1_Sn
    own_Sn = np.where(is_one := one_Sn > 0, n_1_S1, n_0_S1)
    a_Sn = np.where(is_one, to_1_Sn, to_0_Sn) / np.maximum(own_Sn - 1, 1)
    b_Sn = np.where(is_one, to_0_Sn, to_1_Sn) / np.maximum(one_Sn.shape[1] - own_Sn, 1)
    larger_Sn = np.maximum(a_Sn, b_Sn)
    counts = (own_Sn > 1) & (own_Sn < one_Sn.shape[1]) & (larger_Sn > 0)
    return np.where(counts, (b_Sn - a_Sn) / np.where(larger_Sn > 0, larger_Sn, 1.0), 0.0).mean(axis=1)
