"""What an evaluated system is above chance, which follows from this corpus and these judgements.

Shapes: Q test queries · P relevant pairs
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.diagnosis.compare.ranking import per_query
from whyrank.diagnosis.examination import Examination, is_higher
from whyrank.findings.finding import Evidence, percent
from whyrank.findings.outcome import Outcome, passed, too_little
from whyrank.findings.records import DataRecords
from whyrank.measure.metrics import ranking
from whyrank.measure.significance.resampling import Interval
from whyrank.preflight.probes.chance import ABOVE, BELOW, ENOUGH

# Share of the way from chance to a perfect ranking: a system is at chance where its interval ends before it, and finds
# the answers where its mean lies beyond.
NEAR = 0.1


class Above(NamedTuple):
    """value     mean of the metric over test queries;  chance   its value where all answers score the same
    interval  of the difference, clustered by answer
    """

    value: float
    chance: float
    interval: Interval

    @property
    def near(self) -> float:
        """Value of the metric below which it is near chance."""
        return self.chance + NEAR * (1 - self.chance)

    @property
    def is_chance(self) -> bool:
        """Not above chance, and with enough queries to say so."""
        return not is_higher(self.interval) and self.interval.high < NEAR * (1 - self.chance)

    @property
    def is_found(self) -> bool:
        return is_higher(self.interval) and self.interval.mean >= NEAR * (1 - self.chance)


class Beside(NamedTuple):
    """below   share of the answers that stand below the right one, 0.5 at chance;  n   test queries"""

    system: str
    above: Above
    below: Interval
    n: int

    @property
    def is_at_chance(self) -> bool:
        # In a large corpus a hard task has a low metric, and its right answers stand high all the same.
        return self.n >= ENOUGH and self.above.is_chance and BELOW <= self.below.high < ABOVE

    @property
    def is_below(self) -> bool:
        return self.n >= ENOUGH and self.below.high < BELOW

    @property
    def is_lost(self) -> bool:
        return self.is_at_chance or self.is_below

    def told(self, case: Examination) -> Outcome:
        """What there is to say where it is not lost."""
        measured = Evidence(f"{case.metric} above chance", 100 * self.above.interval.mean, "points")
        if self.n < ENOUGH or not (is_higher(self.above.interval) or self.below.low > 0.5):
            return too_little(self.system, f"{self.n} test queries do not tell it from chance", measured)
        return passed(self.system, measured, 0.0)

    def spoken(self, case: Examination) -> str:
        share = f"{100 * self.below.mean:.0f} % [{100 * self.below.low:.0f}, {100 * self.below.high:.0f}]"
        return (
            f"{case.metric} {self.above.value:.3f}, {self.above.chance:.3f} at chance; {share} of the answers stand "
            "below the right one, 50 % at chance"
        )

    def evidence(self, case: Examination) -> tuple[Evidence, ...]:
        value = Evidence(f"{case.metric} of {self.system}", self.above.value)
        below = percent(f"answers below the right one, {self.system}", self.below.mean)
        return (
            value.where_below(self.above.near),
            Evidence(f"{case.metric} at chance", self.above.chance),
            below.where_below(100 * BELOW),
        )


# Three checks ask.
@lru_cache(maxsize=1)
def beside(case: Examination) -> dict[str, Beside]:
    """Each evaluated system of ranking by its name."""
    found = {}
    for name, run in case.records.runs.items():
        if (above := above_chance(case, name)) is not None:
            below = case.interval(_below(case, run.queries), run.queries["cluster"])
            found[name] = Beside(name, above, below, len(run.queries))
    return found


def _below(case: Examination, queries: pd.DataFrame) -> np.ndarray:
    """(Q,) share of the answers below the best placed right one, scaled so that chance is 0.5 with several right ones.

    Ties count as chance orders them where all right answers are in the tie, and better than that where they are not.
    """
    counts = case.data.ranking.relevant_in("test").groupby("query").size()
    row_Q = pd.Index(case.data.queries["query_id"]).get_indexer(queries["query_id"])
    right_Q = counts.reindex(row_Q).fillna(1).to_numpy()
    tied_Q = queries["tied"].to_numpy()
    in_tie_Q = np.minimum(right_Q, tied_Q)
    above_Q = queries["above"].to_numpy() + (tied_Q - in_tie_Q) / (in_tie_Q + 1)
    chance_Q = np.maximum(len(case.data.answers) - right_Q, 1) / (right_Q + 1)
    return np.asarray(1 - above_Q / chance_Q / 2)


def above_chance(case: Examination, system: str) -> Above | None:
    """What a system is above a ranking of equal scores; None where it was not evaluated."""
    run = case.records.runs.get(system)
    if run is None:
        return None
    row_Q = pd.Index(case.data.queries["query_id"]).get_indexer(run.queries["query_id"])
    chance_Q = chance(case.data, case.metric, row_Q, len(case.data.answers))
    value_Q = per_query(run, case.metric).to_numpy()
    interval = case.interval(value_Q - chance_Q, run.queries["cluster"])
    return Above(float(value_Q.mean()), float(chance_Q.mean()), interval)


def chance(data: DataRecords, metric: str, row_Q: np.ndarray, n_answers: int, split: str = "test") -> np.ndarray:
    """(Q,) the metric at chance; `row_Q` are rows of queries of a split, each with a relevant answer among so many."""
    pairs = data.ranking.relevant_in(split)
    place_P = pd.Index(row_Q).get_indexer(pairs["query"])
    known = place_P >= 0
    places = ranking.at_chance(place_P[known], pairs["gain"][known], len(row_Q), n_answers)
    return ranking.of_name(places, metric)
