"""Whole rows of scores, looked at in tiles, against the definition."""

import numpy as np
import pytest

from whyrank.scoring.search import tiles


def rows_of(kind, random):
    """(90, 700) float32 scores."""
    shape = (90, 700)
    score_QA = {
        "random": random.standard_normal(shape),
        "few values": random.integers(-3, 4, shape) / 7,
        "mostly zero": random.random(shape) * (random.random(shape) < 0.05),
        "collapsed": 1 + 6e-8 * random.integers(-4, 3, shape),
        "negative": -5 - random.random(shape),
        "many magnitudes": random.standard_normal(shape) * 10.0 ** random.integers(-7, 1, shape),
    }[kind]
    return score_QA.astype(np.float32)


@pytest.mark.parametrize("kind", ["random", "few values", "mostly zero", "collapsed", "negative", "many magnitudes"])
@pytest.mark.parametrize(("rows", "columns", "part", "threads"), [(512, 8192, 64, 2), (40, 96, 16, 3), (50, 60, 7, 1)])
def test_rows_in_tiles_are_found_as_the_definition_says(
    kind, rows, columns, part, threads, monkeypatch, by_definition, same, make_pairs
):
    score_QA, pairs = rows_of(kind, np.random.default_rng(0)), make_pairs(90, 700, 5)
    for name, value in (("ROWS", rows), ("COLUMNS", columns), ("PART", part), ("THREADS", threads)):
        monkeypatch.setattr(tiles, name, value)
    for keep in (1, 50, 700):
        same(tiles.find_in_rows(score_QA, pairs, keep), by_definition(score_QA, pairs, keep))
