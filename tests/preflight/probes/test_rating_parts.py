"""Raters with a zero of their own, and rows with one number in all columns: planted, healthy, sorted and few."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from whyrank.core.prepared import Prepared
from whyrank.findings.records import Records
from whyrank.preflight.figures import rating_rows
from whyrank.preflight.probes.rating_parts import one_rating_for_all_targets, raters_differ

from ...diagnosis.probes.faults import of, planted
from .test_row_shifts import rated, with_tables

TARGETS = ["mood", "steps", "refund"]


def tables(prepared: Prepared) -> dict[str, Any]:
    return {
        "rating_levels": rating_rows.rating_levels(prepared),
        "ratings_alike": rating_rows.ratings_alike(prepared),
    }


def with_ratings(prepared: Prepared, label_NT: np.ndarray) -> Prepared:
    ratings = prepared.ratings.copy()
    ratings[TARGETS] = np.clip(label_NT, 0, 1)
    return replace(prepared, ratings=ratings)


def by_raters(rows: int, lift: float = 0.5) -> Prepared:
    """Each of so many rows in turn has a level of its own."""
    prepared = rated()
    label_NT = prepared.ratings[TARGETS].to_numpy()
    own = np.random.default_rng(5).choice([-lift, 0, lift], len(label_NT) // rows + 1)
    return with_ratings(prepared, label_NT + np.repeat(own, rows)[: len(label_NT), None])


def overall(share: float) -> Prepared:
    prepared = rated()
    label_NT = prepared.ratings[TARGETS].to_numpy().copy()
    chosen = np.random.default_rng(6).random(len(label_NT)) < share
    label_NT[chosen] = label_NT[chosen].mean(axis=1, keepdims=True)
    return with_ratings(prepared, label_NT)


@planted("raters-differ", of("raters-differ", "ratings"))
def raters(lab: Any, healthy: Records) -> Records:
    return with_tables(healthy, {"rating_levels": tables(by_raters(6))["rating_levels"]})


@planted("one-rating-for-all-targets", of("one-rating-for-all-targets", "ratings"))
def one_rating(lab: Any, healthy: Records) -> Records:
    return with_tables(healthy, {"ratings_alike": tables(overall(0.3))["ratings_alike"]})


@pytest.mark.parametrize("rows", [6, 8, 12])
def test_levels_of_raters_are_seen_in_the_row_beside(rows, healthy):
    (found,) = raters_differ(with_tables(healthy, tables(by_raters(rows))).data)
    assert found.severity == "error" and "in all columns at once" in found.sentence


def test_levels_that_differ_little_are_a_warning(healthy):
    (found,) = raters_differ(with_tables(healthy, tables(by_raters(8, lift=0.2))).data)
    assert found.severity == "warning"


@pytest.mark.parametrize("share", [0.1, 0.7])
def test_rows_of_one_rating_are_counted_and_listed(share, healthy):
    records = with_tables(healthy, tables(overall(share)))
    (found,) = one_rating_for_all_targets(records.data)
    assert found.severity == ("error" if share > 0.5 else "warning")
    assert found.evidence[0].value == len(records.data.tables["ratings_alike"]) == pytest.approx(300 * share, rel=0.3)


def test_ratings_in_their_place_and_sorted_ones_are_no_fault(healthy):
    prepared = rated()
    order = prepared.ratings[TARGETS].mean(axis=1).argsort().to_numpy()
    label_NT = prepared.ratings[TARGETS].to_numpy()[order]
    # What a file is sorted by stands in all columns.
    halo = label_NT + np.linspace(0, 0.6, len(label_NT))[:, None]
    for one in (prepared, with_ratings(prepared, halo)):
        records = with_tables(healthy, tables(one))
        assert list(raters_differ(records.data)) == list(one_rating_for_all_targets(records.data)) == []


def test_levels_of_targets_that_do_not_move_together_are_no_rater_s(healthy):
    levels = tables(by_raters(8))["rating_levels"]
    assert list(raters_differ(with_tables(healthy, {"rating_levels": levels}).data))
    apart = with_tables(healthy, {"rating_levels": levels.assign(common=0.2)})
    assert not list(raters_differ(apart.data))


def test_few_rows_and_two_values_tell_nothing():
    prepared = rated(rows=50)
    assert rating_rows.rating_levels(prepared).empty
    binary = with_ratings(rated(), (rated().ratings[TARGETS].to_numpy() > 0.3).astype(float))
    found = rating_rows.ratings_alike(binary)
    assert found.empty or len(found) < 4 * found["expected"].iloc[0]
