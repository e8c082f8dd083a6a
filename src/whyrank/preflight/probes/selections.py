"""Which way to cut long texts the encoder ranks best with, where `prepare` compared them."""

from typing import NamedTuple

from whyrank.findings.finding import Evidence
from whyrank.findings.records import DataRecords
from whyrank.measure.significance.resampling import Interval
from whyrank.measure.significance.statistics import mean_interval

LEVEL, RESAMPLES = 0.95, 2000


class Better(NamedTuple):
    """way       that ranks best of those not in use
    used      the way in use
    gain      of MRR on dev queries of cut texts, at a level that allows for so many ways
    queries   these
    mrr       of the way in use, and of the best of the others
    """

    way: str
    used: str
    gain: Interval
    queries: int
    mrr: tuple[float, float]

    @property
    def is_sure(self) -> bool:
        return self.gain.low > 0

    @property
    def evidence(self) -> list[Evidence]:
        return [
            Evidence(f"MRR of dev queries by the untrained encoder, cut as by `{way}`", value)
            for way, value in zip((self.used, self.way), self.mrr, strict=True)
        ]

    @property
    def spoken(self) -> str:
        low, high = 100 * self.gain.low, 100 * self.gain.high
        return (
            f"on {self.queries} dev queries the untrained encoder ranks by {100 * self.gain.mean:+.1f} points of MRR "
            f"[{low:.1f}, {high:.1f}] otherwise with `{self.way}` than with `{self.used}`"
        )


def better(data: DataRecords, kind: str) -> Better | None:
    """None where nothing was compared, as where few texts of that kind are cut."""
    table = data.table("encoder_selections")
    table = table[table["kind"] == kind] if len(table) else table
    if table.empty:
        return None
    ways = table.pivot_table("reciprocal_rank", "query_id", "way")
    used = str(table.loc[table["is_used"], "way"].iloc[0])
    way = str(ways.drop(columns=used).mean().idxmax())
    level = 1 - (1 - LEVEL) / (len(ways.columns) - 1)
    clusters = table[table["way"] == used].set_index("query_id").loc[ways.index, "answer_id"]
    gain = mean_interval(ways[way] - ways[used], clusters, resamples=RESAMPLES, seed=0, level=level)
    return Better(way, used, gain, len(ways), (float(ways[used].mean()), float(ways[way].mean())))
