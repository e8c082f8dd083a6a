"""The one sentence that a reader takes away."""

import math

import pandas as pd

from whyrank.diagnosis.compare import FLOOR
from whyrank.diagnosis.finding import Finding, in_order
from whyrank.diagnosis.report.numbers import MINUS, per_cent, plural
from whyrank.diagnosis.text import one_line


def verdict(comparisons: pd.DataFrame, findings: list[Finding], *, metric: str, level: float) -> str:
    """Did fine-tuning beat the untouched encoder and the lexical floors, did pretraining help, and what to mend first.

    comparisons   of `compare.comparisons`; only the rows over all queries are read
    A difference counts when its interval leaves out 0, and counts as sure when Holm's p does too (at most 1 - level).
    """
    rows = {(row.a, row.role): row for row in comparisons[comparisons["type"] == "all"].itertuples()}
    tuned = "base-tuned" if ("base-tuned", "base") in rows or ("base-tuned", FLOOR) in rows else "barlow-tuned"
    claims = _Claims(metric, level)
    untouched = rows.get((tuned, tuned.removesuffix("-tuned")))
    floor, pretraining = rows.get((tuned, FLOOR)), rows.get(("barlow-tuned", "base-tuned"))
    parts = []
    if untouched is not None:
        parts.append("fine-tuning " + claims.against(untouched, f"the encoder it started from, {untouched.b}"))
    if floor is not None:
        who = "" if untouched is not None else f"{tuned} "
        parts.append(who + claims.against(floor, f"{floor.b}, the best lexical floor"))
    if pretraining is not None:
        parts.append("Barlow pretraining before it " + claims.effect(pretraining))
    text = _joined(parts) if parts else "no tuned system was evaluated beside another, so there is nothing to compare"
    first = next((finding for finding in in_order(findings) if finding.severity == "error"), None)
    if first is not None:
        text += f". The first cause to mend is {first.code}: {one_line(first.sentence).rstrip('.')}"
    return text[0].upper() + text[1:] + "."


def _joined(parts: list[str]) -> str:
    return " and ".join(parts[:2]) + "".join(f"; {part}" for part in parts[2:])


class _Claims:
    """Words for a difference. The metric and the level are named at the first one only."""

    def __init__(self, metric: str, level: float) -> None:
        self.metric, self.level, self.is_first = metric, level, True

    def against(self, row: "pd.Series", other: str) -> str:
        if math.isnan(row.low) or row.low <= 0 <= row.high:
            return f"shows no difference from {other}, that {self._by_all(row)}"
        verb = "beats" if row.difference > 0 else "loses to"
        return f"{verb} {other}, by {self._points(row)}{self._doubt(row)}"

    def effect(self, row: "pd.Series") -> str:
        if math.isnan(row.low) or row.low <= 0 <= row.high:
            return f"makes no difference that {self._by_all(row)}"
        return f"{'adds' if row.difference > 0 else 'costs'} {self._points(row)}{self._doubt(row)}"

    def _by_all(self, row: "pd.Series") -> str:
        return f"{plural(row.n_queries, 'test query').replace('querys', 'queries')} can show{self._interval(row, 1)}"

    def _points(self, row: "pd.Series") -> str:
        sign = 1 if row.difference > 0 else -1
        unit = f" points of {self.metric}" if self.is_first else " points"
        return f"{abs(100 * row.difference):.1f}{unit}{self._interval(row, sign)}"

    def _interval(self, row: "pd.Series", sign: int) -> str:
        low, high = sorted((100 * sign * row.low, 100 * sign * row.high))
        name = f"{per_cent(self.level)} interval " if self.is_first else ""
        self.is_first = False
        return "" if math.isnan(row.low) else f" ({name}{low:.1f} to {high:.1f})".replace("-", MINUS)

    def _doubt(self, row: "pd.Series") -> str:
        return "" if row.p_holm <= 1 - self.level + 1e-12 else ", not surely after correction for all comparisons"
