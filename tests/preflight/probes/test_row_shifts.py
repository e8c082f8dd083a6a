"""Numbers that have slipped by a row, halves at chance, exchanged and copied columns: planted, healthy and too few."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from whyrank.core.prepared import Prepared
from whyrank.findings.probe import registered
from whyrank.findings.records import DataRecords, Records
from whyrank.preflight.figures import rating_parts, row_shifts

from ...diagnosis.probes.faults import of, planted

N = 400


def pair_tables(shift: int = 0, *, rows: int = N, chance_from: int = N, spread: float = 0.7) -> dict[str, pd.DataFrame]:
    """Cosines of pairs, and labels that have slipped by `shift`; from a row on they are drawn by chance."""
    random = np.random.default_rng(0)
    truth = random.random(rows)
    label = np.roll(truth, shift)
    label[chance_from:] = random.random(max(0, rows - chance_from))
    pairs = pd.DataFrame({"source": "sts", "use": "train", "label": label})
    judged = pairs.assign(encoder=truth + spread * random.standard_normal(rows) * 0.4)
    return {"pair_shifts": row_shifts.pair_shifts(judged, pairs)}


def rated(shift: int = 0, rows: int = 300) -> Prepared:
    """Ratings of three targets by the words of a row; each target has a distribution of its own."""
    random = np.random.default_rng(1)
    words = np.array(["good", "bad", "steps", "refund", "angry", "calm"])
    has = random.random((rows, 6)) < 0.4
    texts = [" ".join([*words[row], f"filler{i % 17}", "and so on"]) for i, row in enumerate(has)]
    noise = 0.1 * random.random((rows, 3))
    label = np.stack([0.6 * has[:, 0] + 0.3 * has[:, 4], 0.1 * has[:, 2] + 0.05 * has[:, 1], 0.9 - 0.2 * has[:, 3]], 1)
    table = pd.DataFrame({"rating_id": np.arange(rows), "use": "train", "group": -1, "fold": np.arange(rows) % 5})
    table = table.assign(title="", body=texts, answer="", first=0, second=-1)
    columns = dict(zip(("mood", "steps", "refund"), np.roll(label + noise, shift, 0).T, strict=True))
    return Prepared(pd.DataFrame(), pd.DataFrame(), pd.DataFrame(), ratings=table.assign(**columns))


def exchanged(prepared: Prepared, inside: Any) -> Prepared:
    ratings = prepared.ratings.copy()
    ratings.loc[inside, ["mood", "steps"]] = ratings.loc[inside, ["steps", "mood"]].to_numpy()
    return replace(prepared, ratings=ratings)


def rating_tables(prepared: Prepared) -> dict[str, pd.DataFrame]:
    return {
        "rating_shifts": row_shifts.rating_shifts(prepared),
        "rating_parts": rating_parts.rating_parts(prepared),
        "rating_copies": rating_parts.rating_copies(prepared),
    }


def with_tables(healthy: Records, tables: dict[str, pd.DataFrame]) -> Records:
    return replace(healthy, data=replace(healthy.data, tables=healthy.data.tables | tables))


@planted("pair-scores-shifted", of("pair-scores-shifted", "pairs of sts"))
def slipped_labels(lab: Any, healthy: Records) -> Records:
    return with_tables(healthy, pair_tables(1))


@planted("pairs-at-chance", of("pairs-at-chance", "pairs of sts"))
def half_at_chance(lab: Any, healthy: Records) -> Records:
    return with_tables(healthy, pair_tables(chance_from=N // 2))


@planted("rating-rows-shifted", of("rating-rows-shifted", "ratings") | of("ratings-at-chance", "ratings"))
def slipped_ratings(lab: Any, healthy: Records) -> Records:
    return with_tables(healthy, rating_tables(rated(2)))


def in_any_order(prepared: Prepared) -> Prepared:
    ratings = prepared.ratings.copy()
    names = ["mood", "steps", "refund"]
    ratings[names] = ratings[names].to_numpy()[np.random.default_rng(3).permutation(len(ratings))]
    return replace(prepared, ratings=ratings)


@planted("ratings-at-chance", of("ratings-at-chance", "ratings"))
def shuffled_ratings(lab: Any, healthy: Records) -> Records:
    return with_tables(healthy, {"rating_shifts": row_shifts.rating_shifts(in_any_order(rated()))})


@planted("ratings-contradict", of("ratings-contradict", "ratings"))
def turned_half(lab: Any, healthy: Records) -> Records:
    prepared = rated()
    ratings = prepared.ratings.copy()
    ratings.loc[150:, ["mood", "steps", "refund"]] = 1 - ratings.loc[150:, ["mood", "steps", "refund"]]
    return with_tables(healthy, {"rating_shifts": row_shifts.rating_shifts(replace(prepared, ratings=ratings))})


@planted("target-columns-permuted", of("target-columns-permuted", "ratings"))
def columns_of_a_fold(lab: Any, healthy: Records) -> Records:
    prepared = rated()
    return with_tables(
        healthy, {"rating_parts": rating_parts.rating_parts(exchanged(prepared, prepared.ratings["fold"] == 2))}
    )


@planted("duplicate-targets", of("duplicate-targets", "ratings"))
def copied_target(lab: Any, healthy: Records) -> Records:
    prepared = rated()
    ratings = prepared.ratings.assign(refund=prepared.ratings["mood"])
    return with_tables(healthy, {"rating_copies": rating_parts.rating_copies(replace(prepared, ratings=ratings))})


def told(code: str, data: DataRecords, tables: dict[str, pd.DataFrame]) -> list[Any]:
    (probe,) = [one for one in registered("preflight") if one.code == code]
    return list(probe.find(replace(data, tables=data.tables | tables)))


@pytest.mark.parametrize("code", ["pair-scores-shifted", "pairs-at-chance"])
def test_pairs_in_their_place_pass_and_few_of_them_tell_nothing(healthy, code):
    assert [one.status for one in told(code, healthy.data, pair_tables())] == ["passed"]
    assert [one.status for one in told(code, healthy.data, pair_tables(rows=90))] == ["not enough data"]


@pytest.mark.parametrize("shift", [1, -1, 3])
def test_the_rows_by_which_labels_slipped_are_named_with_the_way_back(healthy, shift):
    (found,) = told("pair-scores-shifted", healthy.data, pair_tables(shift))
    assert f"slipped by {abs(shift)} row" in found.sentence and f"by {-shift:+d} rows" in found.fix.action


def test_labels_that_slip_from_the_middle_on_are_found_in_the_second_half(healthy):
    random = np.random.default_rng(0)
    truth = random.random(N)
    label = np.concatenate([truth[: N // 2], np.roll(truth[N // 2 :], 1)])
    pairs = pd.DataFrame({"source": "sts", "use": "train", "label": label})
    judged = pairs.assign(encoder=truth + 0.2 * random.standard_normal(N))
    (found,) = told("pair-scores-shifted", healthy.data, {"pair_shifts": row_shifts.pair_shifts(judged, pairs)})
    assert "in the second half of the file" in found.sentence


def test_labels_by_chance_have_slipped_nowhere(healthy):
    assert [one.status for one in told("pair-scores-shifted", healthy.data, pair_tables(chance_from=0))] == [
        "not enough data"
    ]


@pytest.mark.parametrize(
    "code",
    ["rating-rows-shifted", "ratings-at-chance", "ratings-contradict", "target-columns-permuted", "duplicate-targets"],
)
def test_healthy_ratings_pass(healthy, code):
    assert [one.status for one in told(code, healthy.data, rating_tables(rated()))] == ["passed"]


def test_few_ratings_have_no_table_and_the_check_does_not_apply(healthy):
    table = row_shifts.rating_shifts(rated(rows=80))
    assert table.empty
    assert [one.status for one in told("rating-rows-shifted", healthy.data, {"rating_shifts": table})] == [
        "not applicable"
    ]


def test_ratings_of_texts_without_words_have_no_table():
    prepared = rated()
    ratings = prepared.ratings.assign(body=[":-) " * (1 + i % 9) for i in range(300)])
    assert row_shifts.rating_shifts(replace(prepared, ratings=ratings)).empty


def halves_in_two_languages(prepared: Prepared) -> Prepared:
    body = prepared.ratings["body"]
    other = [" ".join(f"{word}en" for word in text.split()) for text in body]
    return replace(prepared, ratings=prepared.ratings.assign(body=[*body[:150], *other[150:]]))


def with_targets_of_one_value(prepared: Prepared) -> Prepared:
    return replace(prepared, ratings=prepared.ratings.assign(mood=0.5, steps=0.5, refund=0.5))


@pytest.mark.parametrize("change", [halves_in_two_languages, with_targets_of_one_value])
@pytest.mark.parametrize("code", ["ratings-contradict", "ratings-at-chance", "rating-rows-shifted"])
def test_ratings_that_words_cannot_compare_raise_nothing(healthy, code, change):
    table = row_shifts.rating_shifts(change(rated()))
    assert table["spearman"].notna().all()
    found = told(code, healthy.data, {"rating_shifts": table})
    assert {one.status for one in found} <= {"passed", "not applicable", "not enough data"}


@pytest.mark.parametrize("labels", [[3.0] * N, [1.0, 2.0]], ids=["of one value", "of few rows"])
def test_pairs_whose_far_rows_tell_nothing_give_no_warning(labels):
    pairs = pd.DataFrame({"source": "sts", "use": "train", "label": labels})
    judged = pairs.assign(encoder=np.linspace(0, 1, len(pairs)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = row_shifts.pair_shifts(judged, pairs)
    assert table["chance_std"].isna().all()


def test_few_ratings_may_be_at_chance_by_chance(healthy):
    tables = rating_tables(in_any_order(rated(rows=150)))
    assert [one.status for one in told("ratings-at-chance", healthy.data, tables)] == ["not enough data"]


@pytest.mark.parametrize("shift", [7, -9])
def test_ratings_that_slipped_by_many_rows_are_found(shift, healthy):
    (found,) = told("rating-rows-shifted", healthy.data, rating_tables(rated(shift)))
    assert f"slipped by {abs(shift)} rows" in found.sentence


def test_columns_that_were_exchanged_in_a_half_are_named_by_what_they_hold(healthy):
    prepared = rated()
    tables = {"rating_parts": rating_parts.rating_parts(exchanged(prepared, prepared.ratings.index >= 150))}
    (found,) = told("target-columns-permuted", healthy.data, tables)
    assert "half of the file" in found.sentence and "'mood' holds 'steps'" in found.sentence


def test_a_part_whose_ratings_are_merely_higher_has_no_exchanged_columns(healthy):
    prepared = rated()
    later = prepared.ratings.index >= 150
    ratings = prepared.ratings.assign(mood=prepared.ratings["mood"].where(~later, prepared.ratings["mood"] * 0.5 + 0.5))
    assert rating_parts.rating_parts(replace(prepared, ratings=ratings)).empty
