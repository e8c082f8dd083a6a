"""Trials by a process that stands for `dvc exp run`: told, followed, pruned, resumed, and given up."""

import json
import os
import sys
import threading
import time
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from whyrank.commands import experiment
from whyrank.commands.search import trials
from whyrank.commands.search.space import Space
from whyrank.core.errors import UserError
from whyrank.training.engine import trackers

# Writes dev metrics as a training does, and its result where the experiment is looked for.
RUN = """
import json, os, sys, time
name, x, folder = sys.argv[1], float(sys.argv[2]), sys.argv[3]
def follow(value):
    with open(os.environ["WHYRANK_FOLLOWED"], "a") as file:
        file.write(json.dumps({"dev/map@10_all": value}) + "\\n")
if x > 9:
    sys.exit("error: the rate is too high")
for i in range(3):
    follow(x * (i + 1) / 3)
    time.sleep(5 if x < 0 else 0.3)
with open(os.path.join(folder, name), "w") as file:
    json.dump({"dev_map@10_all": x, "steps_run": 3}, file)
"""
VARIED = {"x": FloatDistribution(0.0, 1.0)}
SPACE = Space("toy", "Which x?", "base-tuned", "base", "map@10_all", {}, VARIED, {})


@pytest.fixture
def search(tmp_path, monkeypatch):
    """Of a new study, or of the same one again; experiments are files in `done`."""
    done = tmp_path / "done"
    done.mkdir()
    (tmp_path / "run.py").write_text(RUN)

    def command(name, question, settings, targets=()):
        assert targets == ["finetune_rank@base"] and question == "Which x?"
        return [sys.executable, str(tmp_path / "run.py"), name, settings[0].partition("=")[2], str(done)]

    def committed(name, path):
        assert path == "metrics/finetune_rank/base.json"
        return (done / name).read_text() if (done / name).exists() else None

    monkeypatch.setattr(experiment, "command", command)
    monkeypatch.setattr(experiment, "committed", committed)
    monkeypatch.setattr(experiment, "refs", lambda: {file.name: f"refs/exps/{file.name}" for file in done.iterdir()})
    monkeypatch.setattr(experiment, "clear", lambda name: None)
    monkeypatch.setattr(experiment, "remove", lambda name: (done / name).unlink())
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def make(pruner=None, **how):
        study = optuna.create_study(
            study_name="toy", storage=f"sqlite:///{tmp_path}/study.db", load_if_exists=True, direction="maximize",
            sampler=optuna.samplers.RandomSampler(seed=1), pruner=pruner or optuna.pruners.NopPruner(),
        )  # fmt: skip
        return trials.Search(SPACE, study, tmp_path / "logs", **how), study, done

    return make


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_study_has_as_many_trials_as_asked_each_with_the_value_of_its_experiment(search, jobs, capfd):
    own, study, done = search()
    own.run(4, jobs)
    found = study.get_trials()
    assert [trial.state for trial in found] == [TrialState.COMPLETE] * 4
    assert sorted(path.name for path in done.iterdir()) == [f"search-toy-{i:04d}" for i in range(4)]
    for trial in found:
        assert trial.value == pytest.approx(trial.params["x"], rel=1e-3)
        assert list(trial.intermediate_values) == [0, 1, 2] and (own.folder / f"{own.name(trial.number)}.log").exists()
    assert "4 done" in capfd.readouterr().err
    own.run(4, jobs)
    assert len(study.get_trials()) == 4


def test_an_experiment_that_a_study_of_before_left_gives_way(search):
    own, study, done = search()
    (done / own.name(0)).write_text(json.dumps({"dev_map@10_all": 0.99}))
    own.run(1, 1)
    assert study.best_value == pytest.approx(study.best_params["x"], rel=1e-3) and study.best_value != 0.99


def test_a_trial_below_the_others_is_stopped_while_it_runs_and_counts(search):
    own, study, done = search(optuna.pruners.ThresholdPruner(lower=0.0))
    study.enqueue_trial({"x": 0.5})
    # Out of the range, as Optuna lets a queued trial be.
    with pytest.warns(UserWarning, match="out of range"):
        study.enqueue_trial({"x": -1.0})
        started = time.monotonic()
        own.run(2, 1)
    assert [trial.state for trial in study.get_trials()] == [TrialState.COMPLETE, TrialState.PRUNED]
    assert time.monotonic() - started < 12 and len(list(done.iterdir())) == 1


def test_after_a_kill_no_trial_is_lost_and_none_counts_twice(search, capfd):
    own, study, done = search()
    own.run(1, 1)
    # Two that a killed search left running: of one the experiment was made, of the other not.
    for value in (0.25, None):
        trial = study.ask(VARIED)
        trial.set_user_attr(trials.PROCESS, [os.uname().nodename, 2**22 + 1])
        if value is not None:
            (done / own.name(trial.number)).write_text(json.dumps({"dev_map@10_all": value}))
    interrupted = study.get_trials()[2].params
    again, study, _ = search()
    again.run(4, 1)
    found = study.get_trials()
    assert [trial.state.name for trial in found] == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert found[1].value == 0.25 and found[3].params == interrupted
    assert "trial 2 was interrupted; it runs again" in capfd.readouterr().err


def test_a_new_trial_takes_no_experiment_of_a_study_that_is_gone_under_any_seed(search):
    own, study, done = search()
    old = ["search-toy-0000", "search-toy-0000-seed-8", "search-toy-0000-seed-9"]
    others = ["search-toy-0001-seed-8", "search-toy-2-0000-seed-8", "search-toy-00001"]
    for name in (*old, *others):
        (done / name).write_text("{}")
    own.run(1, 1)
    assert sorted(file.name for file in done.iterdir()) == sorted([old[0], *others])
    assert study.get_trials()[0].state == TrialState.COMPLETE


def test_of_a_list_no_more_runs_than_is_queued(search):
    own, study, _ = search(is_listed=True)
    for x in (0.25, 0.5):
        study.enqueue_trial({"x": x})
    own.run(5, 2)
    assert sorted(trial.params["x"] for trial in study.get_trials()) == [0.25, 0.5]


def test_a_trial_that_an_interruption_stopped_is_no_failure_and_runs_again(search, capfd):
    own, study, _ = search()
    threading.Timer(1.0, own.stopped.set).start()
    own.run(3, 1)
    assert study.get_trials()[-1].state == TrialState.RUNNING
    said = capfd.readouterr().err
    assert "was stopped; the same command runs it again" in said and "failed" not in said
    again, study, _ = search()
    again.run(2, 1)
    states = [trial.state for trial in study.get_trials()]
    assert states.count(TrialState.COMPLETE) == 2 and TrialState.RUNNING not in states


def test_trials_of_another_machine_that_still_run_are_left_alone_and_count(search):
    own, study, _ = search()
    trial = study.ask(VARIED)
    trial.set_user_attr(trials.PROCESS, ["elsewhere", os.getpid()])
    own.run(2, 1)
    assert [one.state for one in study.get_trials()] == [TrialState.RUNNING, TrialState.COMPLETE]


def test_without_ps_as_in_a_small_container_the_same_is_known(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert trials.is_alive(os.getpid(), "python") and not trials.is_alive(os.getpid(), "no such word")
    assert not trials.is_alive(2**22 + 1, "") and not trials.is_alive(0, "")


def test_what_is_left_of_a_killed_trial_is_ended_before_it_runs_again(search, tmp_path):
    own, study, _ = search()
    import subprocess

    name = own.name(0)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", name], start_new_session=True)
    trial = study.ask(VARIED)
    trial.set_user_attr(trials.PROCESS, [os.uname().nodename, 2**22 + 1])
    trial.set_user_attr(trials.CHILD, child.pid)
    own.recover()
    assert child.wait(timeout=10) != 0
    assert [one.state for one in study.get_trials()] == [TrialState.FAIL, TrialState.WAITING]


def test_when_one_after_the_other_fails_the_search_ends_with_what_the_last_one_said(search, monkeypatch):
    own, study, _ = search()
    monkeypatch.setattr(trials, "MOST_FAILURES", 2)
    with pytest.warns(UserWarning, match="out of range"):
        for _ in range(3):
            study.enqueue_trial({"x": 10.0})
        with pytest.raises(UserError, match=r"2 trials failed one after the other.*error: the rate is too high"):
            own.run(3, 1)
    states = [trial.state for trial in study.get_trials()]
    assert states == [TrialState.FAIL, TrialState.FAIL, TrialState.WAITING]


def test_a_metric_that_fine_tuning_does_not_record_is_named_with_those_it_does(search):
    _, _, done = search()
    (done / "one").write_text(json.dumps({"dev_mrr_all": 0.5, "steps_run": 3}))
    with pytest.raises(UserError, match="`metric` is 'map@10_all'; the dev set has mrr_all"):
        trials.result(SPACE, "one")


def test_a_training_leaves_its_dev_metrics_where_a_search_follows_them(tmp_path, monkeypatch):
    file = tmp_path / "followed.jsonl"
    monkeypatch.setenv(trackers.FOLLOWED, str(file))
    report = trackers.Trackers("fine-tune")
    report(1, {"loss": 1.0})
    report(1, {"dev/map@10_all": 0.5, "dev/step": 1})
    report(2, {"dev/map@10_all": 0.6, "dev/step": 2})
    with open(file, "a") as begun:
        begun.write('{"dev/map@10_all": 0.')
    assert trials.values_of(file, "map@10_all") == [0.5, 0.6]
    assert trials.values_of(Path("nowhere"), "map@10_all") == []
