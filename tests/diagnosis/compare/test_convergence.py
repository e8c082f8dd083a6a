from dataclasses import replace

import pandas as pd
import pytest

from whyrank.core.errors import UserError
from whyrank.diagnosis.compare.ranking import convergence
from whyrank.findings.records import TrainingRecord


def trained(dev, kept=None):
    looks = pd.DataFrame({"step": range(0, 10 * len(dev), 10), "mrr_all": dev})
    return TrainingRecord({"best_step": 10 * dev.index(max(dev)) if kept is None else kept}, pd.DataFrame(), looks)


def table_of(recorded, **dev):
    return convergence(replace(recorded, finetune={name: trained(values) for name, values in dev.items()}), "mrr")


def test_row_worked_by_hand(recorded):
    # 0.9 x 0.8 = 0.72 is reached at the fourth look, step 30; the best look is the fifth.
    row = table_of(recorded, base=[0.2, 0.5, 0.71, 0.72, 0.9, 0.8]).iloc[0]
    assert row.tolist() == ["base", 0.2, 0.8, 0.9, 30, 40, 50]


def test_the_step_shown_is_the_one_that_was_kept_also_where_another_has_more_of_this_metric(recorded):
    kept = replace(recorded, finetune={"base": trained([0.2, 0.9, 0.7, 0.8], kept=20)})
    assert convergence(kept, "mrr").loc[0, ["best", "best_step"]].tolist() == [0.7, 20]


def test_start_that_is_already_there_takes_no_steps(recorded):
    assert table_of(recorded, barlow=[0.79, 0.7, 0.8])["steps_to_90"].tolist() == [0]


def test_run_that_ends_at_nothing_never_converges(recorded):
    assert table_of(recorded, base=[0.1, 0.0])["steps_to_90"].isna().all()


def test_one_row_per_initial_encoder_and_none_without_tuning(recorded):
    assert table_of(recorded, base=[0.1, 0.2], barlow=[0.0, 0.3])["init"].tolist() == ["base", "barlow"]
    assert table_of(recorded).empty


def test_metric_that_training_did_not_record_is_refused_with_the_choices(recorded):
    with pytest.raises(UserError, match=r"'map@3', not recorded while tuning; choose one of accuracy@1, mrr"):
        convergence(recorded, "map@3")
