"""Learning curves for Git: whole where they are short, thinned where they are long."""

import pandas as pd
import pytest

from whyrank.training.engine import trained
from whyrank.training.engine.loop import History


def history(steps, evaluations):
    tables = (pd.DataFrame({"step": range(1, n + 1), "rank_loss": 1.0}) for n in (steps, evaluations))
    return History(*tables, best_step=1, speed=pd.DataFrame())


def test_a_short_training_is_kept_as_it_is():
    made = history(20, 3)
    assert trained.curves(made)["history.csv"].equals(made.steps)
    assert trained.curves(made)["evaluations.csv"].equals(made.evaluations)


@pytest.mark.parametrize("steps", [trained.CURVE + 1, 1_000_000])
def test_of_a_long_one_evenly_spread_steps_are_kept_with_the_first_and_the_last(steps):
    kept = trained.curves(history(steps, 3))["history.csv"]["step"]
    assert len(kept) == trained.CURVE and kept.iloc[0] == 1 and kept.iloc[-1] == steps
    assert kept.diff().max() <= 2 * kept.diff().min()


def test_what_was_not_evaluated_has_no_file_and_what_made_no_step_an_empty_one():
    made = History(pd.DataFrame(columns=["step"]), pd.DataFrame(), best_step=0, speed=pd.DataFrame())
    assert list(trained.curves(made)) == ["history.csv"] and trained.curves(made)["history.csv"].empty
