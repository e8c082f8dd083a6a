"""The shape of a cloud of vectors, without labels: collapse, rank, alignment, uniformity, hubs, axes.

Everything is computed in float64. Functions that work on "unit rows" scale each row to length 1 first; a zero row
has no direction and stays zero.

Shapes: N vectors · D features · P matched pairs · Q queries · K neighbours · A candidates, axes
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BLOCK_ROWS = 512


def unit_rows(vectors_ND: np.ndarray) -> Floats:
    """(N, D) float64 rows of length 1. Raises ValueError naming the first row that is not finite."""
    rows_ND = np.asarray(vectors_ND, dtype=np.float64)
    length_N1 = np.linalg.norm(rows_ND, axis=1, keepdims=True)
    if not np.isfinite(length_N1).all():
        raise ValueError(f"vector row {int(np.argmin(np.isfinite(length_N1)))} is not finite")
    return rows_ND / np.where(length_N1 > 0, length_N1, 1.0)


def mean_off_pair_cosine(vectors_ND: np.ndarray) -> float:
    """Mean cosine of two different vectors: ( |sum u|^2 - sum |u|^2 ) / ( N (N - 1) ).

    Range -1/(N-1) to 1. 0 where directions are spread evenly, 1 at collapse, above 0.5 is a narrow cone.
    Needs N >= 2. Cost N D. Ethayarajh 2019, arXiv:1909.00512 (anisotropy).
    """
    unit_ND = unit_rows(vectors_ND)
    n = len(unit_ND)
    return float((np.square(unit_ND.sum(axis=0)).sum() - np.square(unit_ND).sum()) / (n * (n - 1)))


def mean_diagonal(first_PD: np.ndarray, second_PD: np.ndarray) -> float:
    """Mean over features of the correlation between two views: the diagonal that Barlow Twins raises to 1.

    Range -1 to 1. About 0 +- 1/sqrt(P D) where the views are unrelated, 1 where every feature agrees. A feature that
    is constant counts as 0. Needs P >= 2. Cost P D. Zbontar et al. 2021, arXiv:2103.03230.
    """
    first_PD, second_PD = (_standardised(np.asarray(view, dtype=np.float64)) for view in (first_PD, second_PD))
    return float((first_PD * second_PD).mean())


def _standardised(vectors_ND: Floats) -> Floats:
    centred_ND = vectors_ND - vectors_ND.mean(axis=0)
    std_D = centred_ND.std(axis=0)
    return centred_ND / np.where(std_D > 0, std_D, 1.0)


def feature_std(vectors_ND: np.ndarray) -> float:
    """Standard deviation of each feature of the unit rows, averaged over features, times sqrt(D).

    Range 0 to 1. About 1 when every feature is used alike, 0 at collapse. Cost N D.
    Chen and He 2021, arXiv:2011.10566 (SimSiam, figure 2).
    """
    unit_ND = unit_rows(vectors_ND)
    return float(unit_ND.std(axis=0).mean() * np.sqrt(unit_ND.shape[1]))


def effective_rank(vectors_ND: np.ndarray) -> float:
    """RankMe as published: exp of the entropy of the singular values over their sum; no centring, no scaling.

        p_k = s_k / sum s + 1e-7,   RankMe = exp( - sum_k p_k log p_k ),   k up to min(N, D)

    Range 1 to min(N, D). 1 at collapse, near min(N, D) for white noise. A common mean direction counts as one large
    singular value; see `centred_effective_rank`. Cost N D min(N, D).
    Garrido et al. 2023, arXiv:2210.02885.
    """
    return _spectrum_rank(np.asarray(vectors_ND, dtype=np.float64))


def centred_effective_rank(vectors_ND: np.ndarray) -> float:
    """`effective_rank` after the mean vector is taken off: how many directions the differences use.

    Range 1 to min(N, D); 1 at exact collapse. It has no scale: of a cloud collapsed up to rounding noise it measures
    the rank of the noise, so read it beside `feature_std`. Cost N D min(N, D).
    """
    rows_ND = np.asarray(vectors_ND, dtype=np.float64)
    return _spectrum_rank(rows_ND - rows_ND.mean(axis=0))


def _spectrum_rank(rows_ND: Floats) -> float:
    # Squaring in the Gram matrix costs half the digits: s_k is off by 1e-8 of s_1, below the published epsilon.
    # Rows and columns have the same non-zero eigenvalues; the smaller side is cheaper by the cube.
    n, d = rows_ND.shape
    eigenvalues = np.linalg.eigvalsh(rows_ND.T @ rows_ND if d <= n else rows_ND @ rows_ND.T)
    singular = np.sqrt(np.maximum(eigenvalues, 0.0))
    share = singular / max(singular.sum(), np.finfo(np.float64).tiny) + 1e-7
    return float(np.exp(-(share * np.log(share)).sum()))


def alignment(x_PD: np.ndarray, y_PD: np.ndarray) -> float:
    """Mean squared distance of matched unit rows.

    Range 0 to 4, lower is closer. 0 for identical pairs (and at collapse: read beside `uniformity`), 2 for unrelated
    directions. Cost P D. Wang and Isola 2020, arXiv:2005.10242, alpha = 2.
    """
    return float(np.square(unit_rows(x_PD) - unit_rows(y_PD)).sum(axis=1).mean())


def uniformity(vectors_ND: np.ndarray, t: float = 2.0, *, sample: int = 4096, seed: int) -> float:
    """Log of the mean of exp(-t |u - v|^2) over pairs of different unit rows.

    Range -4t to 0, lower is more even. 0 at collapse; about -2t (1 - t/D) for evenly spread directions. Rows beyond
    `sample` are left out at random. Needs N >= 2. Cost sample^2 D. Wang and Isola 2020, arXiv:2005.10242.
    """
    rows_ND = np.asarray(vectors_ND)
    if len(rows_ND) > sample:
        rows_ND = rows_ND[np.random.default_rng(seed).choice(len(rows_ND), sample, replace=False)]
    unit_ND = unit_rows(rows_ND)
    n = len(unit_ND)
    square_N = np.square(unit_ND).sum(axis=1)
    total = -float(n)  # each row with itself is exp(0)
    for start in range(0, n, BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        distance_BN = square_N[block, None] + square_N - 2.0 * unit_ND[block] @ unit_ND.T
        total += float(np.exp(-t * distance_BN).sum())
    return float(np.log(total / (n * (n - 1))))


class MatchedCosine(NamedTuple):
    """Mean cosine of matched pairs, and of the same rows matched to the wrong partner."""

    matched: float
    permuted: float


def matched_and_permuted_cosine(x_PD: np.ndarray, y_PD: np.ndarray, seed: int) -> MatchedCosine:
    """Mean cosine of x_i with y_i, beside its value at chance: x_i with y of another row (a random derangement).

    Range -1 to 1. The two are equal at chance and at collapse; their gap is what the pairing explains. Where several
    rows of y are one answer, some wrong partners are right, and the chance value is a little high.
    Needs P >= 2. Cost P D.
    """
    x_unit_PD, y_unit_PD = unit_rows(x_PD), unit_rows(y_PD)
    order_P = np.random.default_rng(seed).permutation(len(x_unit_PD))
    partner_P = np.empty_like(order_P)
    partner_P[order_P] = np.roll(order_P, 1)  # one random cycle through all rows: nobody keeps its own
    matched = (x_unit_PD * y_unit_PD).sum(axis=1).mean()
    return MatchedCosine(float(matched), float((x_unit_PD * y_unit_PD[partner_P]).sum(axis=1).mean()))


class Hubness(NamedTuple):
    """How unevenly candidates appear in the queries' top-K lists."""

    skew: float
    never: float
    largest: float


def hubness(neighbour_QK: np.ndarray, n_candidates: int) -> Hubness:
    """Skew of the counts N_K (in how many top-K lists a candidate stands), with the two ends of it.

    neighbour_QK   (Q, K) integer indices of each query's top K candidates, each once
    skew      third standardised moment of N_K; near 0 for even lists, above 1 means hubs; 0 if all counts are equal
    never     share of candidates in no list, 0 to 1; at chance (1 - K / n_candidates) ** Q
    largest   share of the lists that hold the most frequent candidate, 0 to 1; 1 is one hub in every list
    At chance the counts are binomial, with skew (1 - 2p) / sqrt(Q p (1-p)), p = K / n_candidates. Cost Q K.
    Radovanović, Nanopoulos and Ivanović 2010, "Hubs in space".
    """
    count_A = np.bincount(neighbour_QK.ravel(), minlength=n_candidates)
    from scipy import stats  # takes a second that only this function should pay

    skew = float(stats.skew(count_A)) if np.ptp(count_A) > 0 else 0.0
    return Hubness(skew, float((count_A == 0).mean()), float(count_A.max() / len(neighbour_QK)))


def project_2d(vectors_ND: np.ndarray) -> Floats:
    """(N, 2) coordinates for a plot: the rows less their mean, on their two axes of largest variance, larger first.

    The largest component of each axis is positive, so that a plot does not flip between runs. Cost N D^2.
    """
    rows_ND = np.asarray(vectors_ND, dtype=np.float64)
    centred_ND = rows_ND - rows_ND.mean(axis=0)
    _, axes_DD = np.linalg.eigh(centred_ND.T @ centred_ND)
    axes_AD = axes_DD.T[::-1][:2]
    largest_A = np.abs(axes_AD).argmax(axis=1)
    return centred_ND @ (axes_AD * np.sign(axes_AD[np.arange(len(axes_AD)), largest_A])[:, None]).T
