"""Learning rates by short trainings: which are tried, which is taken, and that the whole training starts anew."""

import pandas as pd
import pytest
import torch

from whyrank.core.errors import UserError
from whyrank.core.options.params import Encoder, FinetuneRank
from whyrank.model import system
from whyrank.training import finetune, range_test

METRIC = "map@10_all"


@pytest.fixture
def tuned(topics, make_encoder, options, shipped_params):
    def run(**changes):
        torch.manual_seed(0)
        base = {"epochs": 2.0, "batch_size": 8, "learning_rate": 1e-2, "range_test.steps": 4, "train": "head"}
        chosen = options("finetune_rank", FinetuneRank, base | changes)
        start = system.untrained(make_encoder().eval())
        return finetune.finetune_rank(start, topics, chosen, Encoder(**shipped_params["encoder"]), 7)

    return run


@pytest.mark.parametrize("train", ["head", "last"])
def test_the_training_is_the_one_at_the_best_of_the_rates_that_were_tried(tuned, train):
    found = tuned(**{"range_test.factors": [10.0, 1e-6, 1.0], "train": train})
    tried = found.range_test
    assert tried["factor"].tolist() == [1e-6, 1.0, 10.0]
    best = tried.loc[tried[METRIC].idxmax()]
    assert tried[METRIC].max() > tried[METRIC].min() and best["factor"] > 1e-6
    rates = {name: float(best[name]) for name in ("learning_rate", "encoder_learning_rate")}
    assert rates["learning_rate"] == pytest.approx(1e-2 * best["factor"])
    alone = tuned(train=train, **rates)
    pd.testing.assert_frame_equal(found.history.steps, alone.history.steps)
    pd.testing.assert_frame_equal(found.history.evaluations, alone.history.evaluations)
    assert len(found.history.steps) == 12 and alone.range_test is None
    assert "range_test.csv" in found.records() and "range_test.csv" not in alone.records()


def test_a_factor_is_on_the_own_rates_of_objectives_too(options):
    chosen = options("finetune_rank", FinetuneRank, {"objectives.rank.learning_rate": 1e-3, "learning_rate": 1e-2})
    objectives = range_test.with_rates(chosen, 3.0).objectives
    assert objectives.rank.learning_rate == pytest.approx(3e-3) and objectives.similarity.learning_rate == 0


@pytest.mark.parametrize("key", ["learning_rate", "encoder_learning_rate", "objectives.rank.learning_rate"])
def test_a_factor_that_makes_a_rate_above_1_is_a_user_error_that_names_it(options, key):
    changes = {"range_test.factors": [1.0, 200.0], "learning_rate": 1e-3, key: 1e-2}
    with pytest.raises(UserError, match=r"range_test\.factors` has 200, .*of 0\.01 more than 1"):
        options("finetune_rank", FinetuneRank, changes)


def test_a_short_training_is_as_long_as_asked_and_judged_after_its_last_step(tuned, monkeypatch):
    whole, given = finetune.finetune_rank, []

    def noted(*arguments, **named):
        short = whole(*arguments, **named)
        given.append((len(short.history.steps), short.history.evaluations["step"].tolist()))
        return short

    monkeypatch.setattr(finetune, "finetune_rank", noted)
    tuned(**{"range_test.factors": [0.5, 2.0], "range_test.steps": 3, "early_stopping.eval_steps": 1})
    assert given[:2] == [(3, [0, 3]), (3, [0, 3])] and given[2][0] > 3


def test_of_equal_values_the_smaller_rate_is_taken(tuned):
    found = tuned(**{"range_test.factors": [1e-9, 1e-8]})
    assert found.range_test[METRIC].max() == found.range_test[METRIC].min()
    assert found.history.steps["learning_rate"].max() <= 1.001e-2 * 1e-9


def test_factors_scale_all_rates_and_end_the_test(options):
    chosen = options("finetune_rank", FinetuneRank, {"range_test.factors": [3.0], "encoder_learning_rate": 1e-5})
    scaled = range_test.with_rates(chosen, 3.0)
    assert (scaled.learning_rate, scaled.encoder_learning_rate) == pytest.approx((3e-3, 3e-5))
    assert scaled.range_test.factors == []


def test_without_a_metric_to_compare_by_it_is_a_user_error(options):
    changes = {"range_test.factors": [1.0], "early_stopping.metric": ""}
    with pytest.raises(
        UserError, match=r"range_test\.factors` is \[1\.0\], and `early_stopping\.metric` names nothing"
    ):
        options("finetune_rank", FinetuneRank, changes)
