"""Ratings below a ridge: where the checks begin, and what they propose."""

from dataclasses import replace
from typing import Any

import pytest

from whyrank.diagnosis.compare.ratings import compare_ratings
from whyrank.findings.records import Records

from ....preflight.probes.test_encoder import another_pooling
from ....preflight.probes.test_rating_labels import wasted_tokens
from ... import rated
from ..faults import TUNED, of, planted
from .test_lessons import RISING


@planted("separate-encoders-lose-interaction", of("separate-encoders-lose-interaction", *TUNED))
def sides_apart(lab: Any, healthy: Records, separate: float = 3.2) -> Records:
    """Question and answer are read apart, and the frozen encoders rate worse for it than for the two as one text."""
    spoilt = rated.with_ratings(healthy, is_separate=True)
    table = rated.layouts(separate=separate)
    runs = {name: replace(spoilt.runs[name], rating_layouts=table) for name in ("base", "barlow")}
    return replace(spoilt, runs=spoilt.runs | runs)


@planted("last-layer-drops-surface", of("last-layer-drops-surface", *TUNED))
def surface_dropped(lab: Any, healthy: Records, blocks: float = 1.0, **columns: int) -> Records:
    """All blocks of the frozen encoders rate better than their last one, and than what was tuned on it."""
    spoilt = rated.with_ratings(healthy)
    table = rated.long(rated.predictions(blocks))
    runs = {name: replace(spoilt.runs[name], rating_blocks=table) for name in ("base", "barlow")}
    finetune = {
        init: replace(record, history=record.history.assign(**columns)) for init, record in spoilt.finetune.items()
    }
    return replace(spoilt, runs=spoilt.runs | runs, finetune=finetune)


def test_a_healthy_run_that_reads_the_sides_apart_without_loss_is_examined_in_silence(healthy, findings):
    assert findings(rated.with_ratings(healthy, is_separate=True)) == {}


def test_where_ratings_are_all_that_was_trained_a_share_of_tokens_weighs_what_it_tells(lab, healthy, findings):
    both = wasted_tokens(lab, another_pooling(lab, rated.with_ratings(healthy)))
    found = findings(both)
    floors = compare_ratings(both, level=0.95, resamples=100, seed=7).systems.set_index("system")["fold_mean"]
    share = found["fixed-allocation-truncates", "ratings"].evidence
    points = (share[0].value - share[1].value) * floors.drop(list(TUNED)).max()
    assert found["fixed-allocation-truncates", "ratings"].weight == pytest.approx(points)
    # Measured in points of a ranking that nobody trained for.
    pooling = found["pooling-mismatch", "prepare"]
    assert pooling.weight == 0
    assert pooling.severity == "info"
    assert pooling.sentence.startswith("In ranking, which was not trained: With `cls` pooling")


@pytest.mark.parametrize(("separate", "speaks"), [(2.4, False), (2.41, False), (3.2, True)])
def test_sides_apart_speak_from_one_point_on(separate, speaks, lab, healthy, findings):
    found = findings(sides_apart(lab, healthy, separate))
    assert set(found) == (of("separate-encoders-lose-interaction", *TUNED) if speaks else set())


def test_a_joint_run_is_not_told_to_be_joint(lab, healthy, findings):
    spoilt = sides_apart(lab, healthy)
    assert findings(replace(spoilt, data=replace(spoilt.data, ratings=rated.prepared()))) == {}


def test_the_gain_of_reading_as_one_text_is_the_difference_of_the_means_with_its_interval(lab, healthy, findings):
    found = findings(sides_apart(lab, healthy))["separate-encoders-lose-interaction", "base-tuned"]
    joint, apart, difference = (evidence.value for evidence in found.evidence)
    assert difference == pytest.approx(100 * (joint - apart)) and found.weight == difference
    assert 1 < found.interval[0] < difference < found.interval[1]
    assert found.fix.params == {
        "prepare.ratings.layout": "joint",
        "finetune_rank.objectives.ratings.encoders": "one",
    }


def test_all_blocks_are_to_be_read_where_they_rate_better_than_the_last_and_than_what_was_tuned(lab, healthy, findings):
    one = findings(surface_dropped(lab, healthy))["last-layer-drops-surface", "base-tuned"]
    assert one.fix.params == {"finetune_rank.objectives.ratings.layer_means": True}
    assert one.weight == pytest.approx(one.evidence[-1].value) and one.interval[0] > 0


def test_where_all_blocks_were_trained_the_last_ones_are_to_be_trained_alone(lab, healthy, findings):
    one = findings(surface_dropped(lab, healthy, moved_block_0=0.1))["last-layer-drops-surface", "base-tuned"]
    assert one.fix.params["finetune_rank.train"] == "last"


@pytest.mark.parametrize(
    ("blocks", "columns"),
    # Better than the last block, but not than what was tuned on it; and what the layer reads already.
    [(2.0, {}), (1.0, {"ratings_layer_means": 6})],
)
def test_blocks_that_tuning_has_overtaken_or_reads_are_passed_in_silence(blocks, columns, lab, healthy, findings):
    assert findings(surface_dropped(lab, healthy, blocks, **columns)) == {}


@pytest.mark.parametrize(
    ("budgets", "tokens"),
    [([26, 260, 223], {}), ([26, 260, 224], {"title": 25, "body": 259, "answer": 223}), ([26, 484, 510], None)],
)
def test_fields_that_one_text_has_no_room_for_share_what_there_is(budgets, tokens, lab, healthy, findings):
    spoilt = sides_apart(lab, healthy)
    fields = spoilt.data.tables["rating_fields"].assign(budget=budgets)
    tables = spoilt.data.tables | {"rating_fields": fields}
    found = findings(replace(spoilt, data=replace(spoilt.data, tables=tables)))
    params = found["separate-encoders-lose-interaction", "base-tuned"].fix.params
    shared = {name.removeprefix("prepare.ratings.tokens."): value for name, value in params.items() if "tokens" in name}
    assert shared == ({"title": 12, "body": 241, "answer": 254} if tokens is None else tokens)
    assert sum(shared.values()) <= 509


def below_words(healthy, **changes):
    return rated.with_ratings(healthy, noise={"base-tuned": 3.4, "barlow-tuned": 3.4}, **changes)


def test_ratings_below_those_of_words_are_told_instead_of_the_ranking_that_was_not_trained(healthy, findings):
    found = findings(below_words(healthy))
    assert set(found) == of("worse-than-lexical", *TUNED)
    one = found["worse-than-lexical", "base-tuned"]
    assert "rates worse than tfidf" in one.sentence and one.severity == "warning"
    assert one.weight == pytest.approx(-one.evidence[2].value) and one.interval[1] < 0
    assert one.fix.params == {"finetune_rank.train": "all"}


def test_the_causes_are_named_in_order_of_weight_and_fixed_together(lab, healthy, findings):
    spoilt = below_words(healthy, is_separate=True)
    table = rated.layouts(separate=3.2)
    apart = {name: replace(spoilt.runs[name], rating_layouts=table) for name in ("base", "barlow")}
    rising = rated.training(held_out=0.15, train=0.16, curve=RISING)
    spoilt = replace(spoilt, runs=spoilt.runs | apart, finetune=dict.fromkeys(("base", "barlow"), rising))
    found = findings(spoilt)
    one = found["worse-than-lexical", "base-tuned"]
    causes = [found[code, "base-tuned"] for code in ("separate-encoders-lose-interaction", "underfitted")]
    named = ", ".join(f"`{cause.code}`" for cause in sorted(causes, key=lambda cause: -cause.weight))
    assert one.cause.startswith(f"Explained by {named}. ")
    assert one.fix.params == causes[0].fix.params | causes[1].fix.params


def test_an_untuned_ridge_below_words_is_for_information(healthy, findings):
    found = findings(rated.with_ratings(healthy, noise={"base": 3.4, "barlow": 3.4}))
    assert set(found) == of("worse-than-lexical", "base", "barlow")
    assert {finding.severity for finding in found.values()} == {"info"}
