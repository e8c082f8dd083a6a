"""How fast mean column Spearman, the measure of ratings, is beside scipy called for each column.

python benchmarks/correlations.py [--rows 6000] [--columns 30]
"""

import argparse
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

from whyrank.measure.metrics import correlation

ROUNDS = 31


class Speed(NamedTuple):
    ours: float  # milliseconds of one processor for all columns, the shortest of all rounds
    theirs: float
    apart: float  # largest difference of two correlations


def measure(rows: int = 6000, columns: int = 30) -> Speed:
    """Both on the same lists, in turn: predictions without ties, labels of nine grades."""
    random = np.random.default_rng(0)
    label_NC = random.integers(0, 9, (rows, columns)) / 8
    prediction_NC = label_NC + random.normal(size=(rows, columns))

    def ours() -> list[float | None]:
        return [one.value for one in correlation.columns(prediction_NC, label_NC)]

    def theirs() -> list[float]:
        return [stats.spearmanr(prediction_NC[:, c], label_NC[:, c]).statistic for c in range(columns)]

    apart = float(np.abs(np.subtract(ours(), theirs())).max())
    both_R2 = [[milliseconds(work) for work in (ours, theirs)] for _ in range(ROUNDS)]
    return Speed(*np.min(both_R2, axis=0).tolist(), apart)


def milliseconds(work: Callable[[], object]) -> float:
    # Processor time: both work on one thread, and a busy machine makes neither slower.
    started = time.process_time()
    work()
    return 1000 * (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=6000)
    parser.add_argument("--columns", type=int, default=30)
    options = parser.parse_args()
    speed = measure(options.rows, options.columns)
    sys.stdout.write(
        f"{options.columns} columns of {options.rows:,} rows: {speed.ours:.2f} ms, scipy {speed.theirs:.2f} ms, "
        f"{speed.theirs / speed.ours:.1f} times as fast; apart by at most {speed.apart:.0e}\n"
    )


if __name__ == "__main__":
    main()
