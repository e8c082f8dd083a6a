"""The sentence that a reader takes away, or one for each of ranking, similarity and ratings that was tested."""

import math
from collections.abc import Mapping, Set
from typing import Any

import pandas as pd

from whyrank.diagnosis.compare.pairs import Similarity, of_list
from whyrank.diagnosis.compare.ratings import Ratings
from whyrank.diagnosis.compare.text import one_line
from whyrank.diagnosis.report.numbers import ci, interval, not_sure, points, signed
from whyrank.diagnosis.report.tables import each, is_sure
from whyrank.findings.finding import Finding
from whyrank.findings.systems import BEST_BASELINE, BEST_OTHER, Systems
from whyrank.findings.tree import in_order


def verdict(
    comparisons: pd.DataFrame,
    findings: list[Finding],
    *,
    systems: Systems,
    metric: str,
    level: float,
    similarity: Similarity | None = None,
    trained: Set[str] = frozenset({"rank"}),
    ratings: Ratings | None = None,
) -> str:
    """What came out (`result`), and which error to fix first."""
    said = result(
        comparisons, systems=systems, metric=metric, level=level, similarity=similarity, trained=trained,
        ratings=ratings,
    )  # fmt: skip
    text = " ".join(said).removesuffix(".")
    first = first_of(findings)
    if first is not None and first.severity == "error":
        text += f"; fix first {first.code}: {first.sentence.strip().rstrip('.')}"
    return one_line(text) + "."


def first_of(findings: list[Finding]) -> Finding | None:
    """What to fix first: an error, else a warning."""
    return next((finding for finding in in_order(findings) if finding.severity != "info"), None)


def result(
    comparisons: pd.DataFrame,
    *,
    systems: Systems,
    metric: str,
    level: float,
    similarity: Similarity | None = None,
    trained: Set[str] = frozenset({"rank"}),
    ratings: Ratings | None = None,
) -> list[str]:
    """Did tuning beat the pretrained encoder and the lexical baselines, and did pretraining help: a sentence for each
    of ranking, similarity and ratings that was tested.

    comparisons   of `compare.comparisons`; only the rows over all queries are read
    similarity    of the list that speaks for all test pairs
    trained       objectives that fine-tuning followed; where similarity or ratings were one and ranking none, they are
                  told first
    A difference whose interval leaves out 0 is told; where Holm's p is above 1 - level, as not significant.
    """
    ranking = _told({(row.a, row.role): row for row in each(comparisons[comparisons["type"] == "all"])},
                    systems, _Claims(metric, level, "queries"))  # fmt: skip
    is_ranking_aside = "rank" not in trained and not trained.isdisjoint({"similarity", "ratings"})
    if ranking and is_ranking_aside:
        ranking = f"in ranking, which it was not trained for, {ranking}"
    similar = _similarity(similarity, systems, level, "similarity" in trained) if similarity else ""
    rated = _ratings(ratings, systems, level) if ratings is not None else ""
    sentences = [rated, similar, ranking] if is_ranking_aside else [ranking, similar, rated]
    nothing = "no tuned system was evaluated beside another, so there is nothing to compare"
    told = [sentence for sentence in sentences if sentence] or [nothing]
    return [one_line(sentence[0].upper() + sentence[1:]) + "." for sentence in told]


def _similarity(similarity: Similarity, systems: Systems, level: float, is_trained: bool) -> str:
    """The differences on the headline list; empty without a tuned system."""
    rows = of_list(similarity, similarity.headline)
    if rows.empty:
        return ""
    sets = int(rows["sets"].iloc[0])
    what = "mean Spearman" if sets > 1 else "Spearman"
    where = f"{sets} sets of pairs" if sets > 1 else f"the pairs of {similarity.headline}"
    told = _told({(row.a, row.role): row for row in each(rows)}, systems, _Claims(what, level, "pairs"))
    aside = "" if is_trained else " which it was not trained for,"
    return f"on {where},{aside} {told}" if told else ""


def _ratings(ratings: Ratings, systems: Systems, level: float) -> str:
    """The differences in the mean over the targets; empty without a tuned system."""
    told = _told(
        {(row.a, row.role): row for row in each(ratings.comparisons)},
        systems,
        _Claims("mean column Spearman", level, "rows"),
        start="ridge on the frozen encoder",
        baseline_is="the lexical baseline",
    )
    return f"on {len(ratings.targets)} rated targets, {told}" if told else ""


def _told(
    rows: Mapping[tuple[str, str], Any],
    systems: Systems,
    claims: "_Claims",
    *,
    start: str = "the encoder it started from",
    baseline_is: str = f"the {BEST_BASELINE}",
) -> str:
    """What tuning and pretraining did, by system and what it is compared with; empty where neither was compared."""
    compared = [name for name, _ in rows if name in systems.tuned]
    tuned = min(compared, key=systems.is_after_pretraining, default="")
    untuned, baseline = rows.get((tuned, systems.start.get(tuned, ""))), rows.get((tuned, BEST_BASELINE))
    pretraining = next((rows[pair] for pair in systems.pretraining if pair[0] in systems.tuned and pair in rows), None)
    parts = []
    if untuned is not None:
        parts.append("fine-tuning " + claims.against(untuned, f"{start}, {untuned.b}"))
    if baseline is not None:
        who = "" if untuned is not None else f"{tuned} "
        parts.append(who + claims.against(baseline, f"{baseline.b}, {baseline_is}"))
    if pretraining is not None:
        parts.append("Barlow pretraining before it " + claims.effect(pretraining))
    if parts:
        winners = [row for (_, role), row in rows.items() if role == BEST_OTHER and claims.is_beaten(row)]
        parts += [f"{row.a} {claims.against(row, row.b)}" for row in winners]
    return _joined(parts)


def _joined(parts: list[str]) -> str:
    return " and ".join(parts[:2]) + "".join(f"; {part}" for part in parts[2:])


class _Claims:
    """Words for a difference, tuned minus other. The metric and the level are named at the first one only.

    unit   what is counted: queries (whose metrics differ by points) | pairs | rows (whose correlations differ)
    """

    def __init__(self, metric: str, level: float, unit: str) -> None:
        self.metric, self.level, self.unit, self.is_first = metric, level, unit, True
        self.show = points if unit == "queries" else signed

    def against(self, row: Any, other: str) -> str:
        if math.isnan(row.difference):
            return f"cannot be compared with {other} ({row.reason})"
        if _is_all_zero(row):
            return f"gives the same as {other} on each of {self._n(row):,} test {self.unit}"
        if _holds_zero(row):
            return f"shows no significant difference from {other} ({self._uncertain(row)})"
        words = ("beats", "loses to") if is_sure(row, self.level) else ("is ahead of", "is behind")
        return f"{words[row.difference < 0]} {other}, by {self._size(row)}"

    def effect(self, row: Any) -> str:
        if math.isnan(row.difference):
            return f"has an effect that is undefined ({row.reason})"
        if _is_all_zero(row):
            return f"changes none of {self._n(row):,} test {self.unit}"
        if _holds_zero(row):
            return f"makes no significant difference ({self._uncertain(row)})"
        words = ("helps", "hurts") if is_sure(row, self.level) else ("seems to help", "seems to hurt")
        return f"{words[row.difference < 0]}, by {self._size(row)}"

    def is_beaten(self, row: Any) -> bool:
        """Whether a is surely above b."""
        return not _holds_zero(row) and row.difference > 0 and is_sure(row, self.level)

    def _n(self, row: Any) -> int:
        return int(getattr(row, f"n_{self.unit}"))

    def _uncertain(self, row: Any) -> str:
        return f"n = {self._n(row):,}" + ("" if math.isnan(row.low) else f", {self._interval(row)}")

    def _size(self, row: Any) -> str:
        of = f" of {self.metric}" if self.is_first else ""
        unit = " points" if self.unit == "queries" else ""
        doubt = "" if is_sure(row, self.level) else f", {not_sure(row.p_holm)}"
        return f"{self.show(row.difference)}{unit}{of} ({self._interval(row)}){doubt}"

    def _interval(self, row: Any) -> str:
        name = f"{ci(self.level)} " if self.is_first else ""
        self.is_first = False
        return name + interval(row.low, row.high, self.show)


def _is_all_zero(row: Any) -> bool:
    """No draw differs from zero: what was tested came out alike one by one, as after pretraining of a part not used."""
    return bool(row.low == 0 == row.high)


def _holds_zero(row: Any) -> bool:
    """Without bounds (fewer than two answers) nothing is shown either."""
    return math.isnan(row.low) or row.low <= 0 <= row.high
