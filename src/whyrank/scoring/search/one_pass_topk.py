"""Places and best answers of queries in one pass over their tiles, before the largest magnitudes are known.

How far apart two levels are is known only when the last tile has been seen, and so are the scores of the relevant
answers, which a product of single vectors gives but for rounding. A survey therefore counts what is above a relevant
answer in any case, sets the few scores near it aside, and holds some more of the best answers than are asked for; in
the end levels settle the rest. Where that is too little (a collapsed encoder, many copies of an answer), a second pass
counts: `tiles.Count`.

Shapes: Q queries · R queries of a tile · B answers of a tile · P relevant pairs · K answers kept · W best answers held
        F, G relevant pairs with scores near theirs in a tile · N such scores
"""

import numpy as np

from whyrank.measure.metrics.locating import Floats, Ints, count
from whyrank.scoring.search.running_topk import Best, answers, keys, values
from whyrank.scoring.search.tiles import PART, Count, Found, Pairs, Tiled, cuts, levels, listed, refuse, steps, sweep

# Best answers held beyond those asked for: so many may be tied with the last one.
SPARE = 32
# Scores near one relevant answer that are set aside at most.
CROWD = 256
# Steps by which a single product may differ from the same in a tile: of 384 features it was out by up to 1.3.
TRUSTED = 2


class Survey:
    """guess_P, bound_Q   as `Tiled.pairs` and `Tiled.bounds` give them; queries for which they fail are not settled"""

    def __init__(self, pairs: Pairs, guess_P: Floats, bound_Q: Floats, keep: int) -> None:
        self.pairs, self.guess_P, self.bound_Q, self.keep = pairs, guess_P, bound_Q, keep
        # The widest step there may be. Scores on one level differ by one at most; half of one is for the rounding of
        # the limits to float32.
        self.step_P = steps(bound_Q)[pairs.query_P]
        margin_P = (TRUSTED + 1.5) * self.step_P
        self.low_P, self.high_P = (guess_P - margin_P).astype(np.float32), (guess_P + margin_P).astype(np.float32)
        self.lowest_Q = np.full(len(bound_Q), np.inf, dtype=np.float32)
        self.own_P = np.full(len(guess_P), np.nan)
        self.above_P, self.near_P = np.zeros_like(pairs.query_P), np.zeros_like(pairs.query_P)
        self.aside = [(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))]  # pairs, and scores near theirs
        self.best = Best(len(bound_Q), keep + SPARE)

    def add(self, rows: slice, first: int, score_RB: np.ndarray) -> None:
        lowest_R = score_RB.min(axis=1)
        if not np.isfinite(lowest_R).all():  # NaN, or negative; `largest` sees the rest
            row, column = np.argwhere(~np.isfinite(score_RB))[0]
            refuse(rows.start + row, first + column)
        self.lowest_Q[rows] = np.minimum(self.lowest_Q[rows], lowest_R)
        self.best.add(rows, first, score_RB)
        pair_F, row_F, column_F = self.pairs.within(rows, first, score_RB.shape[1])
        self.own_P[pair_F] = score_RB[row_F, column_F]
        of = self.pairs.of(rows)
        row_P, low_P, high_P = self.pairs.query_P[of] - rows.start, self.low_P[of], self.high_P[of]
        above_P = count(np.greater, score_RB, row_P, high_P)
        near_P = count(np.greater_equal, score_RB, row_P, low_P) - above_P
        self.above_P[of] += above_P
        self.near_P[of] += near_P
        few_P = (near_P > 0) & (self.near_P[of] <= CROWD)
        self._set_aside(of.start + np.flatnonzero(few_P), row_P[few_P], score_RB)

    def _set_aside(self, pair_F: Ints, row_F: Ints, score_RB: np.ndarray) -> None:
        for part in cuts(len(pair_F), PART):
            pair_G, score_GB = pair_F[part], score_RB[row_F[part]]
            is_near_GB = (score_GB >= self.low_P[pair_G, None]) & (score_GB <= self.high_P[pair_G, None])
            near_N = np.flatnonzero(is_near_GB)  # several times as fast as np.nonzero with two dimensions
            self.aside.append((pair_G[near_N // score_RB.shape[1]], score_GB.ravel()[near_N]))

    def largest(self) -> np.ndarray:
        """(Q,) largest magnitudes, when all tiles have been seen."""
        highest_Q = self.best.key_QW.max(axis=1)
        if not np.isfinite(values(highest_Q)).all():
            row = int(np.argmin(np.isfinite(values(highest_Q))))
            refuse(row, int(answers(highest_Q)[row]))
        return np.maximum(values(highest_Q), -self.lowest_Q)

    def settle(self) -> tuple[Found, np.ndarray]:
        """What was found, and (Q,) for which queries it may be wrong."""
        largest_Q = self.largest()
        step_Q = steps(largest_Q)
        step_P = step_Q[self.pairs.query_P]
        own_P = levels(self.own_P, step_P)
        pair_N, score_N = (np.concatenate(parts) for parts in zip(*self.aside, strict=True))
        level_N = levels(score_N, step_P[pair_N])
        above_P = self.above_P + np.bincount(pair_N[level_N > own_P[pair_N]], minlength=len(own_P))
        tied_P = np.bincount(pair_N[level_N == own_P[pair_N]], minlength=len(own_P))
        doubtful_P = (self.near_P > CROWD) | (np.abs(self.own_P - self.guess_P) > TRUSTED * self.step_P)
        level_QW = levels(values(self.best.key_QW), step_Q[:, None])
        answer_QK, score_QK = listed(keys(level_QW, answers(self.best.key_QW)), self.keep, step_Q)
        # An answer that is not held scores at most as high as the least held.
        open_Q = (largest_Q > self.bound_Q) | (level_QW.min(axis=1) * step_Q == score_QK[:, -1])
        open_Q[self.pairs.query_P[doubtful_P]] = True
        return Found(above_P, tied_P, own_P * step_P, answer_QK, score_QK), open_Q


def find_in_tiles(score: Tiled, query_Q: np.ndarray, pairs: Pairs, keep: int) -> Found:
    """Places and best answers of queries (row numbers). Raises UserError on a score that is not finite."""
    guess_P = score.pairs(query_Q[pairs.query_P], pairs.answer_P)
    survey = Survey(pairs, guess_P, score.bounds(query_Q), keep)
    sweep(survey, score.tiles(query_Q))
    found, open_Q = survey.settle()
    row_O, open_P = np.flatnonzero(open_Q), open_Q[pairs.query_P]
    if len(row_O):
        pairs_O = Pairs(np.searchsorted(row_O, pairs.query_P[open_P]), pairs.answer_P[open_P])
        reader = Count(pairs_O, survey.own_P[open_P], survey.largest()[row_O], keep)
        sweep(reader, score.tiles(query_Q[row_O]))
        counted = reader.settle()
        found.above_P[open_P], found.tied_P[open_P] = counted.above_P, counted.tied_P
        found.answer_QK[row_O], found.score_QK[row_O] = counted.answer_QK, counted.score_QK
    return found
