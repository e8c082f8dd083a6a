"""Token vectors pooled in a way that the encoder was not made for."""

from collections.abc import Iterator

from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.records import DataRecords
from whyrank.measure.significance.statistics import mean_interval

# Reciprocal rank. Another pooling always changes some ranks; a point is nobody's reason to change anything.
LEAST_EFFECT = 0.01
# Of the interval, which is the usual one however the final comparisons are made.
LEVEL, RESAMPLES = 0.95, 2000


def pooling_mismatch(data: DataRecords) -> Iterator[Finding]:
    """The pooling in use ranks training queries worse than the one that is declared or, where none is, than another."""
    table = data.tables.get("pooling")
    if table is None or table.empty:
        return
    used, declared = str(table["used"].iloc[0]), str(table["declared"].fillna("").iloc[0])
    means = table[["mean", "cls", "max"]].mean()
    better = declared or str(means.idxmax())
    # The best of two others was picked: half of the error is left for each.
    level = LEVEL if declared else 1 - (1 - LEVEL) / 2
    lost = mean_interval(table[better] - table[used], table["answer_id"], resamples=RESAMPLES, seed=0, level=level)
    # Also where the bounds are undefined, with one answer.
    if not (lost.low > 0 and lost.mean >= LEAST_EFFECT):
        return
    yield Finding(
        code="pooling-mismatch",
        severity="warning",
        system="prepare",
        sentence=f"Pooled by `{used}`, the encoder ranks {len(table)} training queries {100 * lost.mean:.1f} points "
        f"[{100 * lost.low:.1f}, {100 * lost.high:.1f}] of MRR below `{better}`"
        + (", which its files declare." if declared else "; its files declare none."),
        evidence=tuple(Evidence(f"MRR of the sample, pooled by {name}", float(mean)) for name, mean in means.items()),
        cause="An encoder learns to put the meaning of a text where its training reads it: in the first token, in the "
        "mean, or in the largest values. Read elsewhere it is there in part.",
        fix=Fix({"encoder.pooling": better}),
        reference="FE#283; AnglE#68; FastChat#2926",
        interval=(100 * lost.low, 100 * lost.high),
        weight=100 * lost.mean,
    )
