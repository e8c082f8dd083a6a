"""The post-mortem: which scenarios it runs, what each run keeps, and the table of what each change brought."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from whyrank import __main__
from whyrank.commands import post_mortem, scenario
from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.core.options.overrides import put, written
from whyrank.findings.systems import Systems

from ..overrides import applied
from ..shipped import SHIPPED

ROOT = Path(__file__).parents[2]
ROWS, TARGETS = 60, ["score", "views"]
RUNS = ["x-seed", "x-seed-joint", "x-seed-rate", "x-fixed"]
CHOSEN = post_mortem.Parts(RUNS[0], RUNS[1:3], RUNS[3], "base-tuned", "tfidf", "base")
NOISE = {"x-seed": 3.0, "x-seed-joint": 3.0, "x-seed-rate": 0.5, "x-fixed": 0.1}


def ratings(noise, seed, rows=ROWS):
    """A long table as `evaluate` records it: labels that are the same for all, and predictions with noise."""
    label_NT = np.random.default_rng(0).uniform(size=(rows, len(TARGETS)))
    prediction_NT = label_NT + noise * np.random.default_rng(seed).normal(size=label_NT.shape)
    return pd.DataFrame(
        [
            (f"r{i:03}", i % 5, i // 2, target, label_NT[i, t], prediction_NT[i, t], prediction_NT[i, t])
            for i in range(rows)
            for t, target in enumerate(TARGETS)
        ],
        columns=["rating_id", "fold", "group", "target", "label", "prediction", "snapped"],
    )


def evaluated(runs, noise_by_system, rows=ROWS):
    """data/runs as it stands after a run of the pipeline."""
    for seed, (system, noise) in enumerate(noise_by_system.items(), start=1):
        (runs / system).mkdir(parents=True, exist_ok=True)
        ratings(noise, seed, rows).to_parquet(runs / system / "ratings.parquet")


def results(runs):
    """Copies files from there, as `experiment.fetch` does from the results of an experiment."""

    def fetch(path, target):
        source = runs / Path(path).relative_to("data/runs")
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        return source.exists()

    return fetch


@pytest.fixture
def folder(tmp_path):
    """What `keep` leaves of four runs."""
    for number, name in enumerate(RUNS):
        runs = tmp_path / f"runs-{number}"
        evaluated(runs, {"base-tuned": NOISE[name], "tfidf": 1.0, "base": 2.0})
        post_mortem.keep(CHOSEN, name, results(runs), tmp_path / "kept")
    return tmp_path / "kept"


def mean_spearman(table):
    found = [stats.spearmanr(rows["prediction"], rows["label"]).statistic for _, rows in table.groupby("target")]
    return np.mean(found)


def test_a_topic_is_the_seed_what_changes_one_thing_of_it_and_what_fixes_all():
    names = ["other-seed", "x-fixed", "x-seed", "x-seed-joint", "x-seed-rate"]
    assert post_mortem.of_topic("x", names, SHIPPED) == CHOSEN
    assert CHOSEN.all == RUNS


@pytest.mark.parametrize("missing", ["x-seed", "x-fixed", "x-seed-joint"])
def test_a_topic_that_lacks_a_scenario_is_refused(missing):
    names = [name for name in ("x-fixed", "x-seed", "x-seed-joint") if name != missing]
    with pytest.raises(UserError, match="no post-mortem of 'x': it takes scenarios x-seed, x-seed-… and x-fixed"):
        post_mortem.of_topic("x", names, SHIPPED)


def test_runs_do_without_the_floors_that_the_seed_has_scored():
    assert post_mortem.settings(CHOSEN, "x-seed", SHIPPED) == []
    rivals = ["~systems.nearest-query", "~systems.classifier", "~systems.fusion"]
    assert post_mortem.settings(CHOSEN, "x-seed-joint", SHIPPED) == ["~systems.tfidf", "~systems.base", *rivals]
    assert post_mortem.settings(CHOSEN, "x-fixed", SHIPPED) == ["~systems.base", *rivals]


def test_every_run_has_systems_that_go_together(shipped_params):
    chosen = post_mortem.of_topic("ratings", scenario.names(ROOT / "scenarios"), SHIPPED)
    # A rival that is made of another one.
    reranker = {"kind": "reranker", "role": "rival", "made_of": "data/scores/fusion", "model": "org/model"}
    values = put(shipped_params, {"systems.reranker": reranker})
    for name in chosen.all:
        own = scenario.read(name, ROOT / "scenarios").overrides
        settings = [key if key.startswith("~") else f"{key}={written(value)}" for key, value in own.items()]
        params.check(applied(values, [*settings, *post_mortem.settings(chosen, name, Systems.of(values))]))


def test_the_table_has_the_means_of_scipy_and_their_differences_from_the_seed_and_from_words(folder):
    table = post_mortem.table(CHOSEN, folder, level=0.95, resamples=2000, seed=7).set_index("run")
    assert list(table.index) == ["tfidf", "base", *RUNS]
    files = {name: folder / name / "base-tuned.parquet" for name in RUNS} | {
        name: folder / "x-seed" / f"{name}.parquet" for name in ("tfidf", "base")
    }
    expected = {name: mean_spearman(pd.read_parquet(file)) for name, file in files.items()}
    for name, value in expected.items():
        assert table.loc[name, "value"] == pytest.approx(value)
        assert table.loc[name, "low"] < value < table.loc[name, "high"]
        if name != "x-seed":
            assert table.loc[name, "gain"] == pytest.approx(value - expected["x-seed"])
        if name != "tfidf":
            assert table.loc[name, "over"] == pytest.approx(value - expected["tfidf"])
    assert np.isnan(table.loc["x-seed", "gain"]) and np.isnan(table.loc["tfidf", "over"])


def test_a_change_that_did_nothing_has_an_interval_around_0_and_one_that_did_has_not(folder):
    table = post_mortem.table(CHOSEN, folder, level=0.95, resamples=2000, seed=7).set_index("run")
    # The very same noise: the run changed nothing.
    assert table.loc["x-seed-joint", ["gain", "gain_low", "gain_high"]].tolist() == [0.0, 0.0, 0.0]
    assert table.loc["x-seed-rate", "gain_low"] > 0 and table.loc["x-seed-rate", "p_holm"] < 0.01


def test_holm_counts_the_changes_and_no_floor(folder):
    table = post_mortem.table(CHOSEN, folder, level=0.95, resamples=2000, seed=7).set_index("run")
    assert table["p_holm"].notna().tolist() == [False, False, False, True, True, True]
    lowest = table.loc[RUNS[1:], "p"].min()
    assert table.loc[RUNS[1:], "p_holm"].min() == pytest.approx(3 * lowest)


def test_runs_on_other_rows_are_not_compared(folder, tmp_path):
    evaluated(tmp_path / "other", {"base-tuned": 1.0}, rows=ROWS - 2)
    post_mortem.keep(CHOSEN, "x-seed-joint", results(tmp_path / "other"), folder)
    with pytest.raises(UserError, match="x-seed-joint rated other rows than x-seed"):
        post_mortem.table(CHOSEN, folder, level=0.95, resamples=100, seed=7)


def test_floors_that_an_ablation_left_out_are_not_taken_from_an_earlier_run(folder):
    assert [file.stem for file in (folder / "x-seed-joint").iterdir()] == ["base-tuned"]


@pytest.mark.parametrize("system", ["tfidf", "base-tuned"])
def test_a_run_in_which_a_system_rated_nothing_is_refused(system, tmp_path):
    evaluated(tmp_path, {name: 1.0 for name in ("base-tuned", "tfidf", "base") if name != system})
    with pytest.raises(UserError, match=f"scenario x-seed: {system} rated nothing"):
        post_mortem.keep(CHOSEN, "x-seed", results(tmp_path), tmp_path / "kept")


@pytest.fixture
def workspace(tmp_path, monkeypatch, shipped_params):
    """Scenarios of a topic x, experiments that rate with the noise of their name; gives what they were run with."""
    scenarios = tmp_path / "scenarios"
    scenarios.mkdir()
    for name in RUNS:
        content = {"name": name, "question": "Why?", "overrides": {"seed": 1}, "expected": [], "unexpected": []}
        (scenarios / f"{name}.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(shipped_params))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(__main__, "SCENARIOS", scenarios)
    monkeypatch.setattr(sys, "argv", ["whyrank", "post-mortem", "x", "-S", "finetune_rank.epochs=1"])
    commands = []

    def run(name, question, settings):
        commands.append((name, settings))
        level = 0.5 if "diagnose.level=0.5" in settings else 0.95
        values = shipped_params | {"seed": 1, "diagnose": shipped_params["diagnose"] | {"level": level}}
        floors = {"tfidf": 1.0, "base": 2.0}
        scored = {system: noise for system, noise in floors.items() if f"~systems.{system}" not in settings}
        evaluated(tmp_path / name / "data/runs", {"base-tuned": NOISE[name]} | scored)
        (tmp_path / name / "params.yaml").write_text(yaml.safe_dump(values))
        (tmp_path / name / "metrics/diagnose").mkdir(parents=True, exist_ok=True)
        found = [{"code": "underfitted"}] if name == "x-seed" else []
        (tmp_path / name / "metrics/diagnose/findings.json").write_text(json.dumps(found))

    def fetch(name, path, target):
        source = tmp_path / name / path
        if not source.exists():
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)
        return True

    monkeypatch.setattr(__main__.experiment, "run", run)
    monkeypatch.setattr(__main__.experiment, "fetch", fetch)
    return commands


def test_the_command_runs_all_of_them_and_compares_what_they_rate(workspace, capsys):
    __main__.main()
    assert [name for name, _ in workspace] == RUNS
    # The user's own setting comes last and wins.
    assert all(settings[-1] == "finetune_rank.epochs=1" for _, settings in workspace)
    text = (__main__.POST_MORTEMS / "x" / "table.md").read_text()
    assert text in capsys.readouterr().out
    assert "- x-seed: underfitted\n- x-seed-joint: nothing found\n" in text
    table = pd.read_csv(__main__.POST_MORTEMS / "x" / "table.csv")
    assert table["run"].tolist() == ["tfidf", "base", *RUNS]


def test_what_an_earlier_experiment_left_in_the_parameters_is_no_reason_to_refuse(
    workspace, monkeypatch, shipped_params
):
    # Without its lexical baseline there would be nothing to compare with.
    systems = {name: system for name, system in shipped_params["systems"].items() if name not in ("tfidf", "bm25")}
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "test@example.org")
    for command in (["init", "--quiet"], ["add", "params.yaml"], ["commit", "--quiet", "--message", "All"]):
        subprocess.run(["git", *command], check=True)
    Path("params.yaml").write_text(yaml.safe_dump(shipped_params | {"systems": systems}))
    __main__.main()
    assert [name for name, _ in workspace] == RUNS


def test_its_own_table_is_of_the_level_that_was_asked_for(workspace, monkeypatch):
    __main__.main()
    monkeypatch.setattr(sys, "argv", ["whyrank", "post-mortem", "x", "-S", "diagnose.level=0.5"])
    wide = pd.read_csv(__main__.POST_MORTEMS / "x" / "table.csv")
    __main__.main()
    narrow = pd.read_csv(__main__.POST_MORTEMS / "x" / "table.csv")
    assert (narrow["high"] - narrow["low"] < 0.6 * (wide["high"] - wide["low"])).all()
    assert "50 %" in (__main__.POST_MORTEMS / "x" / "table.md").read_text()
