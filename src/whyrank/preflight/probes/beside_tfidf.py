"""How an encoder ranks training queries beside TF-IDF, as far as it is surely worse."""

import pandas as pd

from whyrank.findings.finding import Evidence
from whyrank.findings.records import DataRecords
from whyrank.measure.significance.resampling import Interval
from whyrank.measure.significance.statistics import mean_interval

# Answers from which an interval says something, and reciprocal rank: damaged encoders were 0.11 to 0.6 behind.
LEAST_ANSWERS, BEHIND = 20, 0.08
LEVEL, RESAMPLES = 0.99, 2000


def behind_tfidf(data: DataRecords) -> Interval | None:
    """Reciprocal rank of training queries, less that of TF-IDF; None where it is not surely far below 0."""
    table = data.table("encoder_readings")
    if len(table) < LEAST_ANSWERS:
        return None
    found = interval(table, table["used"] - table["shared_words"])
    return found if found.high < 0 and found.mean <= -BEHIND else None


def worse_by(queries: Interval) -> str:
    bounds = f"[{100 * queries.low:.0f}, {100 * queries.high:.0f}]"
    return f"{-100 * queries.mean:.0f} points of MRR {bounds} worse"


def measured_behind(queries: Interval) -> Evidence:
    return Evidence("MRR of training queries, less that of TF-IDF", queries.mean)


def interval(table: pd.DataFrame, difference: pd.Series) -> Interval:
    """Of the mean difference, clustered by answer."""
    return mean_interval(difference, table["answer_id"], resamples=RESAMPLES, seed=0, level=LEVEL)
