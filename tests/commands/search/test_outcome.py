"""What a search says in the end: the best few over seeds, the winner on test, and how much the dev set flattered."""

import dataclasses
from argparse import Namespace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
import yaml
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from whyrank.commands import effect
from whyrank.commands.search import outcome, run
from whyrank.commands.search.space import Space
from whyrank.core import io
from whyrank.core.errors import UserError
from whyrank.measure.significance.resampling import Interval

VARIED = {
    "finetune_rank.learning_rate": FloatDistribution(0.0, 1.0),
    "finetune_rank.candidates": CategoricalDistribution(["all", "batch"]),
}
PARAMS = yaml.safe_load((Path(__file__).parents[3] / "params.yaml").read_text())
SPACE = Space("toy", "Which rate?", "base-tuned", "base", "map@10_all", {"finetune_rank.train": "head"}, VARIED, PARAMS)


@pytest.fixture
def study():
    made = optuna.create_study(direction="maximize")
    for value, rate in ((0.5, 0.1), (0.7, 0.2), (0.7, 0.3), (0.6, 0.40404)):
        params = dict(zip(VARIED, (rate, "all"), strict=True))
        made.add_trial(create_trial(params=params, distributions=VARIED, value=value))
    pruned = create_trial(params=params, distributions=VARIED, state=TrialState.PRUNED)
    made.add_trial(pruned)
    return made


def test_the_best_few_are_by_dev_the_earlier_first_and_pruned_ones_never(study):
    assert [trial.number for trial in outcome.best(study, 3)] == [1, 2, 3]
    assert [trial.number for trial in outcome.best(study, 9)] == [1, 2, 3, 0]


def test_the_mean_over_seeds_has_the_trial_and_the_seeds_after_it(study):
    asked = []
    value_of = lambda trial, seed: asked.append((trial.number, seed)) or (0.1 if trial.number == 1 else 0.7)  # noqa: E731
    found = outcome.repeated(outcome.best(study, 2), 3, 7, value_of)
    assert found == pytest.approx({1: (0.7 + 0.2) / 3, 2: 0.7})
    assert asked == [(1, 8), (1, 9), (2, 8), (2, 9)]


class Runner:
    """Leaves runs in which the winner answers `gained` more of 200 test queries than the start."""

    metric = "map@10_all"

    def __init__(self, gained):
        self.gained, self.ran = gained, {}

    def run(self, name, question, settings):
        self.ran[name] = list(settings)

    def fetch(self, name, path, target):
        if path == "data/runs":
            right = 80 + self.gained * name.endswith("-best")
            table = pd.DataFrame({"query_id": map(str, range(200)), "cluster": range(200)})
            table["map@10"] = (np.arange(200) < right).astype(float)
            table["accuracy@1"] = 0.0
            io.write_table(target / "base-tuned/queries.parquet", table)
            # Another tuned system, which the search is not about.
            io.write_table(target / "barlow-tuned/queries.parquet", table.assign(**{"map@10": 0.5}))
        elif path.endswith(".json"):
            io.write_json(target, {f"dev_{self.metric}": 0.5})
        return True


@pytest.mark.parametrize(("gained", "overfits"), [(0, True), (2, True), (40, False)])
def test_the_winner_is_compared_with_the_start_once_and_told_where_dev_flattered(study, tmp_path, gained, overfits):
    runner, trial = Runner(gained), outcome.best(study, 1)[0]
    winner = outcome.compared(runner, SPACE, trial, {1: 0.65}, tmp_path)
    assert list(runner.ran) == ["search-toy-start", "search-toy-best"]
    assert runner.ran["search-toy-start"] == ["finetune_rank.train=head"]
    assert "finetune_rank.learning_rate=0.2" in runner.ran["search-toy-best"]
    # By the metric of the dev set, whatever `diagnose.metric` is.
    assert winner.test.difference.mean == pytest.approx(gained / 200) and winner.test.n == 200 and winner.is_same
    assert "map@10 of base-tuned" in winner.test.spoken
    assert winner.gain == pytest.approx(0.2) and winner.overfits == overfits
    text = outcome.told(SPACE, study, winner)
    assert (outcome.OVERFITS in text) == overfits
    assert "4 trials ended, 1 were pruned" in text and "+20.0 points above the start" in text
    assert (
        "dvc exp run -S finetune_rank.train=head -S finetune_rank.learning_rate=0.2 -S finetune_rank.candidates=all"
        in text
    )


def test_without_a_test_row_in_both_runs_it_says_so_and_claims_nothing(study):
    winner = outcome.Winner(outcome.best(study, 1)[0], {1: 0.7}, 0.5, None, True)
    assert "No test row is in both runs" in outcome.told(SPACE, study, winner) and not winner.overfits
    unsure = effect.Measured("accuracy@1 of base-tuned", 9, Interval(0.1, -0.3, 0.5), "points")
    assert not winner._replace(test=unsure).overfits


def test_a_winner_whose_dev_metric_is_0_lost_what_the_start_had(study):
    trial = create_trial(params=study.best_trial.params, distributions=VARIED, value=0.0)
    assert outcome.Winner(trial, {4: 0.0}, 0.25, None, True).gain == -0.25


@pytest.mark.parametrize("metric", ["map@10_question", "ratings_spearman"])
def test_without_the_metric_of_dev_on_test_the_shipped_one_compares_and_no_flattery_is_claimed(study, tmp_path, metric):
    runner = Runner(0)
    runner.metric = metric
    space = dataclasses.replace(SPACE, metric=metric)
    winner = outcome.compared(runner, space, outcome.best(study, 1)[0], {1: 0.65}, tmp_path)
    assert "accuracy@1 of base-tuned" in winner.test.spoken and not winner.is_same and not winner.overfits


def test_the_table_has_a_row_for_each_trial(study):
    table = outcome.table(study)
    assert table["state"].tolist() == ["complete"] * 4 + ["pruned"]
    assert table["finetune_rank.learning_rate"].tolist()[:4] == [0.1, 0.2, 0.3, 0.40404]


def test_every_picture_is_drawn_of_alike_trials_too(study, tmp_path):
    alike = optuna.create_study(direction="maximize")
    for trial in study.get_trials()[1:3]:
        alike.add_trial(trial)
    for number, one in enumerate((study, alike)):
        (tmp_path / str(number)).mkdir()
        outcome.draw(one, tmp_path / str(number))
        files = {path.name: path.read_bytes()[:4] for path in (tmp_path / str(number)).iterdir()}
        assert files == dict.fromkeys(outcome.PICTURES, b"\x89PNG")


def asked(tmp_path, **changes):
    return Namespace(**{"storage": "", "sampler": "tpe", "jobs": 1, "space": tmp_path / "toy.yaml"} | changes)


def test_a_study_is_opened_again_but_not_with_another_space(tmp_path):
    first = run.opened(SPACE, asked(tmp_path), tmp_path, 7)
    first.enqueue_trial({"finetune_rank.learning_rate": 0.5})
    assert len(run.opened(SPACE, asked(tmp_path, sampler="random"), tmp_path, 7).get_trials()) == 1
    other = dataclasses.replace(SPACE, metric="mrr_all")
    with pytest.raises(UserError, match=r"toy\.yaml: a study 'toy' with another space is there already"):
        run.opened(other, asked(tmp_path), tmp_path, 7)


def test_a_storage_that_cannot_be_opened_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"^--storage cannot be opened: "):
        run.opened(SPACE, asked(tmp_path, storage="sqlite:////nowhere/at/all.db"), tmp_path, 7)


def test_a_grid_is_queued_once_in_an_order_of_its_seed(tmp_path):
    varied = {
        "finetune_rank.last_layers": IntDistribution(1, 3, step=1),
        "finetune_rank.candidates": CategoricalDistribution(["all", "batch"]),
    }
    space = dataclasses.replace(SPACE, varied=varied)
    for _ in range(2):
        queued = run.opened(space, asked(tmp_path, sampler="grid"), tmp_path, 7).get_trials()
    points = [tuple(trial.system_attrs["fixed_params"].values()) for trial in queued]
    assert sorted(points) == [(layers, way) for layers in (1, 2, 3) for way in ("all", "batch")] != points


def test_the_file_is_looked_for_where_the_user_stands(tmp_path, monkeypatch):
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"below/mine\.yaml"):
        run.search(asked(tmp_path, space=Path("mine.yaml"), overrides=[]), tmp_path / "below", tmp_path / "logs")
