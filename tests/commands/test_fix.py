"""The command `fix`: which step it tries, what it says of the effect, what stays, and that nothing is tried twice."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
import yaml

from whyrank import __main__
from whyrank.commands import effect, experiment, fix
from whyrank.core import checksums, io, workspace
from whyrank.core.errors import UserError
from whyrank.findings.diagnosis import checks

EPOCHS, RATE = "finetune_rank.epochs", "finetune_rank.learning_rate"
QUERIES = 200


def step(number, code, params=None, *, rows="", stake=None, systems=("base-tuned",)):
    command = "dvc exp run …" if params else ""
    return {
        "step": number, "code": code, "systems": list(systems), "sentence": f"{code}.", "params": params or {},
        "rows": rows, "action": "" if params else f"mend {code}", "command": command, "changes_data": bool(rows),
        "stake": stake, "settings": [],
    }  # fmt: skip


def queries(share, seed=0):
    """Test queries of which this share is answered."""
    right = np.random.default_rng(seed).random(QUERIES) < share
    return pd.DataFrame(
        {"query_id": [f"q{i}" for i in range(QUERIES)], "cluster": [f"a{i % 50}" for i in range(QUERIES)],
         "accuracy@1": right.astype(float)}
    )  # fmt: skip


class Runner:
    """Experiments that reach what `results` says of their settings; no DVC."""

    def __init__(self, values, results, plans):
        self.values, self.results, self.plans, self.ran = values, results, plans, []

    def run(self, name, question, settings):
        self.ran.append((name, tuple(settings)))
        if isinstance(self.results[frozenset(settings)], str):
            raise UserError(self.results[frozenset(settings)])

    def fetch(self, name, path, target):
        settings = dict(self.ran)[name]
        target.parent.mkdir(parents=True, exist_ok=True)
        if path == "metrics/diagnose":
            write_diagnosis(target, self.plans.get(frozenset(settings), []))
        elif path == "params.yaml":
            values = json.loads(json.dumps(self.values))
            for setting in settings:
                *way, last = setting.partition("=")[0].split(".")
                at = values
                for part in way:
                    at = at[part]
                at[last] = yaml.safe_load(setting.partition("=")[2])
            target.write_text(yaml.safe_dump(values))
        elif path.startswith("metrics/prepare/rows"):
            target.write_text("query_id,answer_id,becomes,why\nq1,,,later\n")
        elif path == "data/runs/base-tuned/queries.parquet":
            io.write_table(target, queries(self.results[frozenset(settings)], seed=1))
        else:
            return False
        return True


def write_diagnosis(folder, steps):
    with checksums.summed_folder(folder) as temporary:
        (temporary / "plan.json").write_text(json.dumps({"steps": steps, "left_out": []}))
        (temporary / "verdict.txt").write_text("All the same.\n")
        checks([], []).to_csv(temporary / "checks.csv", index=False)


@pytest.fixture
def lab(tmp_path, monkeypatch, shipped_params):
    """A workspace that answers 30 % of its queries; call it with the results of settings, and plans."""
    monkeypatch.chdir(tmp_path)
    for name in workspace.FILES:
        (tmp_path / name).touch()
    diagnose = {**shipped_params["diagnose"], "resamples": 200}
    values = {**shipped_params, "diagnose": diagnose}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    for system in ("base", "base-tuned"):
        io.write_table(tmp_path / f"data/runs/{system}/queries.parquet", queries(0.3))

    def make(steps, results, plans=None):
        write_diagnosis(tmp_path / "metrics/diagnose", steps)
        settings = {frozenset(key): value for key, value in results.items()}
        return Runner(values, settings, {frozenset(key): value for key, value in (plans or {}).items()})

    return make


def always(_):
    return True


def test_it_tries_the_next_step_says_that_it_helped_and_goes_on_with_the_one_after_it_at_the_next_call(lab):
    runner = lab(
        [step(1, "few", {EPOCHS: 9}), step(2, "by-hand"), step(3, "rate", {RATE: 5e-5})],
        {(f"{EPOCHS}=9",): 0.6, (f"{RATE}=5e-05",): 0.3},
    )
    (first,) = fix.fix(runner, None, everything=False, ask=always)
    assert (first["code"], first["outcome"], first["kept"]) == ("few", "helped", True)
    assert first["told"].startswith("accuracy@1 of base-tuned: +") and first["told"].endswith("]): helped")
    (second,) = fix.fix(runner, None, everything=False, ask=always)
    assert second["code"] == "rate" and second["outcome"] == "not enough data to tell" and not second["kept"]
    assert fix.fix(runner, None, everything=False, ask=always) == []
    assert [settings for _, settings in runner.ran] == [(f"{EPOCHS}=9",), (f"{RATE}=5e-05",)]


def test_all_builds_on_what_helped_leaves_the_rest_out_and_ends_with_one_command(lab, capsys):
    few, rate, loss = step(1, "few", {EPOCHS: 9}), step(1, "rate", {RATE: 5e-5}), step(2, "loss", {RATE: 1e-5})
    runner = lab(
        [few],
        {(f"{EPOCHS}=9",): 0.6, (f"{EPOCHS}=9", f"{RATE}=5e-05"): 0.1, (f"{EPOCHS}=9", f"{RATE}=1e-05"): 0.95},
        {(f"{EPOCHS}=9",): [rate, loss]},
    )
    made = fix.fix(runner, None, everything=True, ask=always)
    assert [(one["code"], one["outcome"]) for one in made] == [
        ("few", "helped"), ("rate", "made it worse"), ("loss", "helped")
    ]  # fmt: skip
    told = fix.ending(made, fix.read_tried(), [])
    assert told.splitlines()[-1] == f"dvc exp run -S {EPOCHS}=9 -S {RATE}=1e-05"
    # A later call goes on where the last one stopped.
    assert fix.fix(runner, None, everything=True, ask=always) == [] and len(runner.ran) == 3
    assert fix.ending([], fix.read_tried(), []).splitlines()[-1] == told.splitlines()[-1]


@pytest.mark.parametrize("changed", ["data", "parameters"])
def test_what_helped_another_run_is_no_start_and_no_advice(lab, tmp_path, shipped_params, changed):
    few, rate = step(1, "few", {EPOCHS: 9}), step(1, "rate", {RATE: 5e-5})
    results = {(f"{EPOCHS}=9",): 0.6, (f"{RATE}=5e-05",): 0.6, (f"{EPOCHS}=9", f"{RATE}=5e-05"): 0.6}
    runner = lab([few], results)
    assert [one["kept"] for one in fix.fix(runner, None, everything=True, ask=always)] == [True]
    if changed == "data":
        read = [{"path": "data/raw/mine", "md5": "another"}]
        (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": {"prepare": {"deps": read}}}))
    else:
        another = {**shipped_params, "encoder": {**shipped_params["encoder"], "source": "scratch"}}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(another))
    assert "dvc exp run" not in fix.ending([], fix.read_tried(), [])
    runner = lab([rate], results)
    (made,) = fix.fix(runner, None, everything=True, ask=always)
    assert made["settings"] == [f"{RATE}=5e-05"]
    assert "+" in made["told"]  # beside the run of the workspace, not one that had this gain already


def test_rows_are_copied_before_the_run_and_stay_since_they_mend_the_data(lab, tmp_path):
    rows, target = "metrics/prepare/rows_wrong.csv", "data/corrections/wrong-1.csv"
    (tmp_path / "metrics/prepare").mkdir(parents=True)
    (tmp_path / rows).write_text("query_id,answer_id,becomes,why\n")
    setting = f"prepare.corrections={target}"
    second = step(1, "copies", {"prepare.corrections": "data/corrections/copies-2.csv"}, rows=rows)
    runner = lab(
        [step(1, "wrong", {"prepare.corrections": target}, rows=rows)],
        {(setting,): 0.3, ("prepare.corrections=data/corrections/copies-2.csv",): 0.3},
        {(setting,): [second]},
    )
    made = fix.fix(runner, None, everything=True, ask=always)
    assert [one["kept"] for one in made] == [True, True] and "it changes the data" in made[0]["told"]
    assert (tmp_path / target).read_text() == "query_id,answer_id,becomes,why\n"
    # Those of the second step are of the run before it.
    assert "later" in (tmp_path / "data/corrections/copies-2.csv").read_text()


def test_a_step_that_fails_is_told_and_is_not_tried_again(lab):
    runner = lab([step(1, "few", {EPOCHS: 9})], {(f"{EPOCHS}=9",): "experiment: `dvc exp run` failed"})
    (trial,) = fix.fix(runner, None, everything=True, ask=always)
    assert trial["outcome"] == "failed" and "`dvc exp run` failed" in trial["told"]
    assert fix.fix(runner, None, everything=True, ask=always) == []


def test_an_interrupted_step_is_no_trial(lab):
    runner = lab([step(1, "few", {EPOCHS: 9})], {(f"{EPOCHS}=9",): 0.6})
    runner.run = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        fix.fix(runner, None, everything=True, ask=always)
    assert fix.read_tried() == []


def test_a_named_step_is_tried_again_and_one_that_is_not_there_is_refused(lab):
    runner = lab([step(1, "few", {EPOCHS: 9}), step(2, "by-hand")], {(f"{EPOCHS}=9",): 0.6})
    for _ in range(2):
        assert len(fix.fix(runner, 1, everything=False, ask=always)) == 1
    with pytest.raises(UserError, match="no step 7; it has 2"):
        fix.fix(runner, 7, everything=False, ask=always)
    with pytest.raises(UserError, match="step 2 has no command: mend by-hand"):
        fix.fix(runner, 2, everything=False, ask=always)


def test_nothing_runs_without_leave(lab):
    runner = lab([step(1, "few", {EPOCHS: 9})], {(f"{EPOCHS}=9",): 0.6})
    assert fix.fix(runner, None, everything=True, ask=lambda _: False) == [] and runner.ran == []


@pytest.mark.parametrize(("share", "code"), [(0.6, 0), (0.3, 1)])
def test_the_command_ends_with_1_where_no_step_stayed(share, code, lab, monkeypatch, capsys):
    runner = lab([step(1, "few", {EPOCHS: 9}), step(2, "by-hand")], {(f"{EPOCHS}=9",): share})
    monkeypatch.setattr(experiment, "run", runner.run)
    monkeypatch.setattr(experiment, "fetch", runner.fetch)
    monkeypatch.setattr(sys, "argv", ["whyrank", "fix", "--yes"])
    with pytest.raises(SystemExit) as exit:
        __main__.main()
    told = capsys.readouterr().out
    assert exit.value.code == code and "- few: accuracy@1" in told and "- by hand: by-hand: mend by-hand" in told
    assert (f"dvc exp run -S {EPOCHS}=9" in told) == (code == 0)
    # Of the run that the step left: its own where it stayed, else that of the workspace.
    place = f"logs/fix/fix-few-{fix.read_tried()[0]['id'][:4]}/diagnose" if code == 0 else "metrics/diagnose"
    assert told.endswith(f"\nverdict: All the same.\nchecks: none\nreport: {place}/report.html\n")


@pytest.mark.parametrize(
    ("low", "high", "stake", "said"),
    [
        (0.02, 0.08, None, "helped"),
        (-0.08, -0.02, None, "made it worse"),
        (-0.02, 0.005, None, "made no difference"),
        (-0.02, 0.03, None, "not enough data to tell"),
        # At most 3 of 30 points that were at stake.
        (-0.02, 0.03, 30.0, "made no difference"),
        (0.001, 0.008, None, "made no difference"),
    ],
)
def test_no_difference_is_claimed_only_where_the_interval_leaves_no_room_for_one(low, high, stake, said):
    found = effect.Measured("", 9, effect.Interval((low + high) / 2, low, high), "points")
    assert effect.outcome(found, stake) == said


def values_of(shipped_params, **weights):
    objectives = {name: {"weight": weights.get(name, 0.0)} for name in shipped_params["finetune_rank"]["objectives"]}
    return {**shipped_params, "finetune_rank": {"objectives": objectives}}


def test_ratings_and_pairs_are_compared_by_their_correlations(tmp_path, shipped_params):
    random = np.random.default_rng(0)
    label = random.random(300)
    noisy = [label + noise * random.standard_normal(300) for noise in (2.0, 0.2)]
    for at, prediction in zip(("before", "after"), noisy, strict=True):
        pairs = pd.DataFrame({"pair_id": np.arange(300), "source": np.repeat(["a", "b"], 150), "label": label})
        io.write_table(tmp_path / at / "base-tuned/pairs.parquet", pairs.assign(prediction=prediction))
        ratings = pd.DataFrame({"rating_id": np.arange(300), "fold": 0, "group": np.arange(300), "target": "t"})
        ratings = ratings.assign(label=label, prediction=prediction)
        io.write_table(tmp_path / at / "base-tuned/ratings.parquet", ratings)
    folders = tmp_path / "before", tmp_path / "after"
    draw = {"level": 0.95, "resamples": 200, "seed": 0}
    for task, unit in (("similarity", "mean Spearman of base-tuned over 2 lists"), ("ratings", "mean column Spearman")):
        found = effect.measure(*folders, values_of(shipped_params, **{task: 1.0}), ["data"], **draw)
        assert found.n == 300 and unit in found.spoken and effect.outcome(found, None) == "helped"
    assert effect.measure(*folders, values_of(shipped_params, rank=1.0), ["data"], **draw) is None
