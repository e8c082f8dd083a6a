"""Every DVC command that the project promises, for real, in a temporary clone."""

import csv
import hashlib
import html.parser
import json
import math
import shlex
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import safetensors.torch
import yaml

pytestmark = pytest.mark.slow

STAGES = [
    "prepare",
    "pretrain_barlow",
    "finetune_rank@base",
    "finetune_rank@barlow",
    "evaluate@tfidf",
    "evaluate@bm25",
    "evaluate@base",
    "evaluate@barlow",
    "evaluate@base-tuned",
    "evaluate@barlow-tuned",
    "evaluate@nearest-query",
    "evaluate@classifier",
    "evaluate@fusion",
    "diagnose",
]
AFTER_TUNING = {"evaluate@fusion", "diagnose"}
TRAINING = {"pretrain_barlow", "finetune_rank@base", "finetune_rank@barlow"}
RESULTS = ("data/prepared", "data/runs", "models", "metrics")
TUNED = "evaluate/barlow-tuned"
SUMMARY = "metrics/summary.json"
# Without a new head the encoder's rate is the one that decides.
RATE, STEEPER = "encoder_learning_rate", 0.002
# `dvc metrics diff` fits a screen, `dvc exp show` a table that one can read.
MOST_ROWS, MOST_COLUMNS, MOST_WIDTH = 40, 60, 200
ROOT = Path(__file__).parents[2]
# An equals sign would end the value of a setting.
LAUNCHERS = {
    "torchrun": "torchrun --standalone --nproc-per-node 2",
    # It means processes by that, with or without GPUs; without it one is started where there are none.
    "accelerate": "accelerate launch --multi_gpu --num_processes 2 --main_process_port 0",
}
SCENARIO = {
    "name": "no-pretraining",
    "question": "What is left of 'pretraining' when it takes no step, and does it cost $5?",
    "overrides": {"pretrain_barlow.steps": 0},
    "expected": ["barlow-single-answer-batches"],
    "unexpected": ["pretraining-helps", "pretraining-hurts"],
}


@pytest.fixture(scope="module")
def long_runs(ran, tmp_path_factory):
    """The long runs, each in a clone of its own, two at a time: name -> future of the clone and of what was printed."""
    works = {
        "steeper": steeper_rate,
        "again": again_by_force,
        "scenario": without_pretraining,
        "pairs": sentence_pairs,
        "queue": two_queued,
    } | {name: partial(with_two_processes, name) for name in LAUNCHERS}
    with ThreadPoolExecutor(2) as pool:
        folder = tmp_path_factory.mktemp("long")
        yield {name: pool.submit(lambda do, to: do(ran.copy(to)), do, folder / name) for name, do in works.items()}
        # With `-k` some of them are not asked for.
        pool.shutdown(cancel_futures=True)


def steeper_rate(clone):
    setting = f"finetune_rank.{RATE}={STEEPER}"
    return clone, clone.done("dvc", "exp", "run", "-n", "steeper", "-m", "Does a steeper rate help?", "-S", setting)


def again_by_force(clone):
    # Without the vectors that the first run kept: encoding has to give the same, too.
    return clone, clone.done("dvc", "repro", "--force", WHYRANK_CACHE=str(clone.folder.parent / "no-vectors-yet"))


def without_pretraining(clone):
    (clone.folder / "scenarios/no-pretraining.yaml").write_text(yaml.safe_dump(SCENARIO))
    file = clone.folder / "params.yaml"
    file.write_text(file.read_text().replace("level: 0.95", "level: 0.5") + "\n# of an earlier experiment\n")
    return clone, clone.run(sys.executable, "-m", "whyrank", "scenario", "no-pretraining")


def sentence_pairs(clone):
    # The tiny encoder knows 24 words, and of these pairs so few that the preflight would rightly end the run.
    anyhow = ["-S", "preflight.stop_on=never"]
    return clone, clone.run(sys.executable, "-m", "whyrank", "scenario", "pairs-sample", *anyhow)


def two_queued(clone):
    # These change the report only, so that no training has to be waited for.
    for level in ("0.9", "0.8"):
        clone.done("dvc", "exp", "run", "--queue", "-n", f"level-{level[2:]}", "-S", f"diagnose.level={level}")
    waiting = clone.done("dvc", "queue", "status")
    try:
        clone.done("dvc", "exp", "run", "--run-all")
    finally:
        clone.run("dvc", "queue", "stop", "--kill")
    return clone, waiting


def with_two_processes(launcher, clone):
    setting = f"launch={LAUNCHERS[launcher]}"
    return clone, clone.done("dvc", "exp", "run", "-n", launcher, "-S", setting, OMP_NUM_THREADS="1")


@pytest.fixture
def steeper(long_runs):
    """The clone after an experiment with another learning rate, whose results are in the workspace."""
    return long_runs["steeper"].result()[0]


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every result, by its path."""
    files = [file for place in RESULTS for file in sorted((folder / place).rglob("*")) if file.is_file()]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def leaves(value):
    """The values in nested dicts and lists."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    else:
        yield value


def recorded_numbers(folder: Path) -> set[str]:
    """The JSON files of numbers that stages write for Git."""
    locked = yaml.safe_load((folder / "dvc.lock").read_text())["stages"]
    outs = {out["path"] for stage in locked.values() for out in stage["outs"]}
    return {path for path in outs if path.startswith("metrics/") and path.endswith(".json")}


class PlotIds(html.parser.HTMLParser):
    """The ids of the plots that an index.html of DVC shows."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag == "div":
            self.ids += [value for name, value in attributes if name == "id"]


def plotted(folder: Path) -> list[list[str]]:
    """The files of each plot."""
    plots = yaml.safe_load((folder / "dvc.yaml").read_text())["plots"]
    return [list(settings["y"]) for plot in plots for settings in plot.values()]


def plots_declared(folder: Path) -> list[str]:
    plots = yaml.safe_load((folder / "dvc.yaml").read_text())["plots"]
    return [name for plot in plots for name in ([plot] if isinstance(plot, str) else plot)]


def as_id(name: str) -> str:
    """How DVC writes the name of a plot as an HTML id."""
    return "".join("_" if sign in r"!@#$%^&*()[]{};,<>?\/:.|`~=_+ " else sign for sign in name)


def test_dvc_repro_runs_every_stage_once_and_writes_all_that_dvc_yaml_declares(ran, first_run, stages_run):
    ran_stages = stages_run(first_run)
    assert sorted(ran_stages) == sorted(STAGES)
    assert ran_stages[0] == "prepare"
    assert ran_stages[-1] == "diagnose"
    locked = yaml.safe_load((ran.folder / "dvc.lock").read_text())["stages"]
    outs = [out["path"] for stage in STAGES for out in locked[stage]["outs"]]
    assert len(outs) == len(set(outs)) >= 2 * len(STAGES)
    assert [path for path in outs if not (ran.folder / path).exists()] == []


def test_results_that_git_keeps_are_committed_and_the_others_ignored(ran):
    # A copy of `ran` was committed after its run: what git neither tracks nor ignores would show up here.
    assert ran.done("git", "status", "--porcelain") == ""
    tracked = set(ran.done("git", "ls-files").splitlines())
    assert recorded_numbers(ran.folder) <= tracked
    assert {path for plot in plotted(ran.folder) for path in plot} <= tracked
    written = {name for name in tracked if name.startswith(("models/", "data/prepared/", "data/runs/"))}
    # The folder in which `prepare` links the encoder's files, without the links.
    assert written == {"models/source/.gitignore"}


def test_a_second_dvc_repro_runs_nothing_and_dvc_status_is_silent(ran, stages_run, tmp_path):
    clone = ran.copy(tmp_path / "clone")
    assert stages_run(clone.done("dvc", "repro")) == []
    assert clone.done("dvc", "status", "--quiet") == ""
    assert clone.parsed("dvc", "status", "--json") == {}
    assert clone.done("git", "status", "--porcelain") == ""


def test_an_experiment_runs_the_stages_that_its_parameter_reaches(long_runs, stages_run):
    _, output = long_runs["steeper"].result()
    assert sorted(stages_run(output)) == sorted(one for one in STAGES if "tune" in one or one in AFTER_TUNING)


def test_an_experiment_is_listed_with_its_message_its_parameter_and_its_metric(steeper):
    baseline = next(row for row in steeper.parsed("dvc", "exp", "show", "--json") if row["rev"] != "workspace")
    (experiment,) = [run for group in baseline["experiments"] for run in group["revs"] if run["name"] == "steeper"]
    assert experiment["data"]["params"]["params.yaml"]["data"]["finetune_rank"][RATE] == STEEPER
    shown = experiment["data"]["metrics"][SUMMARY]["data"]
    assert shown == steeper.metrics("summary")
    assert shown["barlow-tuned.accuracy@1_all"] == steeper.metrics(TUNED)["accuracy@1_all"]
    assert shown != baseline["data"]["metrics"][SUMMARY]["data"]
    message = steeper.done("git", "log", "-1", "--format=%s", experiment["rev"])
    assert message.strip() == "Does a steeper rate help?"


def test_the_csv_of_experiments_has_a_row_of_finite_metrics_for_each(steeper):
    rows = list(csv.DictReader(steeper.done("dvc", "exp", "show", "--csv").splitlines()))
    (row,) = [row for row in rows if row["Experiment"] == "steeper"]
    assert float(row["barlow-tuned.accuracy@1_all"]) == steeper.metrics(TUNED)["accuracy@1_all"]
    assert float(row[f"finetune_rank.{RATE}"]) == STEEPER


def test_dvc_metrics_show_gives_the_few_numbers_to_compare_in_finite_numbers(steeper):
    shown = steeper.parsed("dvc", "metrics", "show", "--json")[""]["data"]
    assert set(shown) == {SUMMARY}
    assert all(math.isfinite(value) for value in leaves(shown))
    assert len(shown[SUMMARY]["data"]) < MOST_ROWS


def test_what_is_no_metric_of_dvc_stays_in_a_file_that_git_keeps(steeper):
    files = recorded_numbers(steeper.folder)
    assert {f"metrics/{name}.json" for name in ("prepare", "findings", TUNED, "finetune_rank/base")} <= files
    for file in files:
        numbers = json.loads((steeper.folder / file).read_text())
        assert numbers and all(math.isfinite(value) for value in leaves(numbers)), file
    assert steeper.metrics(TUNED)["map@10_question"] > 0


def test_dvc_metrics_diff_shows_what_the_parameter_changed(steeper):
    diff = steeper.parsed("dvc", "metrics", "diff", "--json")
    assert set(diff) == {SUMMARY}
    for name, change in diff[SUMMARY].items():
        assert change["diff"] == pytest.approx(change["new"] - change["old"]), name
    assert all(math.isfinite(value) for value in leaves(diff) if value is not None)
    changed = {name.partition(".")[0] for name in diff[SUMMARY]}
    assert changed & {"base-tuned", "barlow-tuned"} and not changed & {"tfidf", "bm25", "base", "barlow"}


def test_a_diff_and_a_table_of_experiments_are_short_enough_to_read(steeper):
    assert 1 < len(steeper.done("dvc", "metrics", "diff").splitlines()) <= MOST_ROWS
    header, *_ = csv.reader(steeper.done("dvc", "exp", "show", "--only-changed", "--csv").splitlines())
    assert f"finetune_rank.{RATE}" in header and len(header) <= MOST_COLUMNS
    lines = (ROOT / "docs/experiments.md").read_text(encoding="utf-8").splitlines()
    shown = next(line for line in lines if line.startswith("dvc exp show"))
    table = steeper.done(*shlex.split(shown, comments=True))
    assert f"finetune_rank.{RATE}" in table
    assert max(map(len, table.splitlines())) <= MOST_WIDTH


@pytest.mark.parametrize(("command", "revisions"), [("show", {"workspace"}), ("diff", {"HEAD", "workspace"})])
def test_dvc_plots_draws_every_plot_that_dvc_yaml_declares(steeper, command, revisions, tmp_path):
    steeper.done("dvc", "plots", command, "-o", str(tmp_path))
    page = (tmp_path / "index.html").read_text()
    names = plots_declared(steeper.folder)
    assert names
    assert set(PlotIds(page).ids) == {as_id(name) for name in names}
    assert all(f'"rev": "{revision}"' in page for revision in revisions)


def test_in_a_fresh_clone_every_plot_and_every_metric_is_there_without_a_cache(ran, tmp_path):
    ran.done("git", "clone", "--quiet", str(ran.folder), str(tmp_path / "clone"))
    clone = type(ran)(tmp_path / "clone")
    assert "failed to load" not in clone.done("dvc", "plots", "diff", "-o", str(tmp_path / "plots"))
    page = (tmp_path / "plots/index.html").read_text()
    assert set(PlotIds(page).ids) == {as_id(name) for name in plots_declared(clone.folder)}
    assert clone.parsed("dvc", "metrics", "show", "--json")[""]["data"][SUMMARY]["data"] == ran.metrics("summary")


def test_queued_experiments_run_succeed_and_are_listed(long_runs):
    clone, waiting = long_runs["queue"].result()
    assert waiting.count("Queued") == 2
    status = [line.split() for line in clone.done("dvc", "queue", "status").splitlines() if "level-" in line]
    assert sorted((line[1], line[-1]) for line in status) == [("level-8", "Success"), ("level-9", "Success")]
    rows = list(csv.DictReader(clone.done("dvc", "exp", "show", "--csv").splitlines()))
    levels = {row["Experiment"]: float(row["diagnose.level"]) for row in rows if row["Experiment"]}
    assert levels == {"level-9": 0.9, "level-8": 0.8}
    # The queue works in folders of its own; the workspace stays as it was.
    assert clone.done("git", "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("file", "stale"),
    [
        ("src/whyrank/diagnosis/probes/ranking/collapse.py", {"diagnose"}),
        ("src/whyrank/preflight/probes/encoder.py", {"diagnose", "prepare"}),
        ("src/whyrank/training/engine/loop.py", TRAINING),
        ("src/whyrank/training/pairs/losses.py", {"finetune_rank@base", "finetune_rank@barlow"}),
        ("stages/finetune_rank.py", {"finetune_rank@base", "finetune_rank@barlow"}),
        ("README.md", set()),
    ],
)
def test_an_edited_file_makes_exactly_the_stages_stale_that_use_it(ran, file, stale, tmp_path):
    clone = ran.copy(tmp_path / "clone")
    assert (clone.folder / file).exists()
    with open(clone.folder / file, "a") as content:
        content.write("\n# One line more.\n")
    assert set(clone.parsed("dvc", "status", "--json")) == stale


def test_new_weights_in_the_folder_of_the_encoder_run_prepare_again(ran, tiny_folder, stages_run, tmp_path):
    clone, encoder = ran.copy(tmp_path / "clone"), tmp_path / "encoder"
    shutil.copytree(tiny_folder, encoder)
    clone.done("dvc", "exp", "run", "-S", f"encoder.source={encoder}", "prepare")
    assert clone.parsed("dvc", "status", "--json", "prepare") == {}
    weights = safetensors.torch.load_file(encoder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][5:] *= 1.5
    safetensors.torch.save_file(weights, encoder / "model.safetensors", metadata={"format": "pt"})
    assert set(clone.parsed("dvc", "status", "--json", "prepare")) == {"prepare"}
    assert stages_run(clone.done("dvc", "repro", "prepare")) == ["prepare"]
    assert (clone.folder / "models/base/model.safetensors").read_bytes() == (encoder / "model.safetensors").read_bytes()


def test_editing_a_probe_runs_no_training_again(ran, stages_run, tmp_path):
    clone = ran.copy(tmp_path / "clone")
    with open(clone.folder / "src/whyrank/diagnosis/probes/ranking/collapse.py", "a") as content:
        content.write("\n# One line more.\n")
    assert stages_run(clone.done("dvc", "repro")) == ["diagnose"]
    # A comment changes no result, but the report says of what code it is.
    before, after = hashes(ran.folder), hashes(clone.folder)
    told = {f"metrics/diagnose/{name}" for name in ("report.md", "report.html", "SHA256SUMS")}
    assert before.keys() == after.keys() and {name for name in before if before[name] != after[name]} == told
    assert "code changed since" in (clone.folder / "metrics/diagnose/report.md").read_text()


def test_the_same_seed_gives_the_same_bytes_in_models_runs_and_metrics(ran, long_runs, stages_run):
    clone, output = long_runs["again"].result()
    assert sorted(stages_run(output)) == sorted(STAGES)
    before, after = hashes(ran.folder), hashes(clone.folder)
    assert len(before) > 60
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} == set()
    assert (clone.folder / "dvc.lock").read_bytes() == (ran.folder / "dvc.lock").read_bytes()


def test_scenarios_are_listed_and_one_that_surprises_says_so_and_ends_with_1(long_runs):
    clone, result = long_runs["scenario"].result()
    assert result.returncode == 1, result.stderr
    *_, surprise, verdict, checks, report = result.stdout.strip().splitlines()
    assert surprise == "expected barlow-single-answer-batches, which no probe raised"
    assert verdict.startswith("verdict: ") and checks.startswith("checks: ")
    assert report == "report: logs/scenario/no-pretraining/report.html"
    assert (clone.folder / "logs/scenario/no-pretraining/report.html").exists()
    # It ran on the committed parameters, in a copy: what an earlier experiment left is untouched.
    assert (clone.folder / "params.yaml").read_text().endswith("\n# of an earlier experiment\n")
    assert clone.done("git", "status", "--porcelain", "dvc.lock", "metrics") == ""
    assert SCENARIO["question"] in result.stdout.splitlines()
    assert "no-pretraining" in clone.done("dvc", "exp", "list")
    listed = clone.done(sys.executable, "-m", "whyrank", "scenario")
    assert f"{'no-pretraining':24} {SCENARIO['question']}" in listed.splitlines()


def test_without_pretraining_steps_the_encoder_is_copied_bit_for_bit(long_runs, tmp_path):
    clone = long_runs["scenario"].result()[0].copy(tmp_path / "clone")
    clone.done("git", "checkout", "params.yaml")
    clone.done("dvc", "exp", "apply", "no-pretraining")
    base, barlow = (clone.folder / "models" / name for name in ("base", "barlow"))
    for file in ("model.safetensors", "tokenizer.json", "heads.safetensors"):
        assert (barlow / file).read_bytes() == (base / file).read_bytes(), file
    # Hence the same results from both starts.
    assert clone.metrics("evaluate/barlow") == clone.metrics("evaluate/base")
    assert clone.metrics("evaluate/barlow-tuned") == clone.metrics("evaluate/base-tuned")
    assert clone.metrics("pretrain_barlow")["steps"] == 0
    found = {finding["code"] for finding in json.loads((clone.folder / "metrics/diagnose/findings.json").read_text())}
    assert not found & set(SCENARIO["unexpected"])


def test_sentence_pairs_are_trained_on_beside_ranking_and_every_system_is_scored_on_them(ran, long_runs):
    clone, result = long_runs["pairs"].result()
    assert result.returncode == 0, result.stderr
    clone.done("dvc", "exp", "apply", "pairs-sample")
    with open(clone.folder / "metrics/finetune_rank/base/history.csv") as file:
        steps = list(csv.DictReader(file))
    for row in steps:
        shares = [float(row[f"{name}_gradient_share"]) for name in ("rank", "similarity")]
        assert sum(shares) == pytest.approx(1.0) and min(shares) > 0
        assert -1 <= float(row["rank_similarity_gradient_cosine"]) <= 1
    for name in ("tfidf", "base", "barlow", "base-tuned", "barlow-tuned"):
        metrics = clone.metrics(f"evaluate/{name}")
        assert metrics["sts_n"] == 60 and 0.2 < metrics["sts_spearman"] <= 1
    assert "sts_n" not in clone.metrics("evaluate/bm25")
    # The untouched system ranks as it does without pairs.
    without = ran.metrics("evaluate/base")
    assert {name: clone.metrics("evaluate/base")[name] for name in without} == without


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_launcher_runs_both_training_stages_and_one_process_writes(ran, long_runs, stages_run, launcher):
    clone, output = long_runs[launcher].result()
    assert set(stages_run(output)) >= TRAINING
    assert clone.done("dvc", "status").strip() == "Data and pipelines are up to date."
    assert set(hashes(clone.folder)) == set(hashes(ran.folder))
    # The same steps on the same batches; dropout in the encoder is drawn anew in each process, so losses are alike.
    for init in ("base", "barlow"):
        file = f"metrics/finetune_rank/{init}/history.csv"
        one, two = (list(csv.DictReader((c.folder / file).open())) for c in (ran, clone))
        assert [row["rows"] for row in one] == [row["rows"] for row in two]
        first, of_two = (float(rows[0]["rank_loss"]) for rows in (one, two))
        assert of_two == pytest.approx(first, rel=0.3) and of_two != first
