"""A task is an entry of `finetune.TASKS`: no other code names one, and a loss is found by the name of its options."""

import ast
import subprocess
import sys
from dataclasses import fields

import pytest
import yaml

from whyrank.core.options.objectives import WeightedLoss
from whyrank.core.options.params import FinetuneRank
from whyrank.training.finetune import TASKS

from .imports import ROOT, SOURCE, nodes

NAMES = {task.name for task in TASKS}
# Rooms of a task in any layer, beside the options with a section for each.
ROOMS = {"ranking", "pairs", "ratings", "barlow", "pretraining"}
# Where the word is no name of a task, and the one place that says which task the heads of a system serve.
OTHER_MEANING = {
    "model/heads/task_heads.py": {"rank"},  # RANK
    "core/prepared.py": {"ratings"},  # a table
    "preflight/figures/label_agreement.py": {"similarity"},  # a column
    "commands/examine.py": {"similarity"},  # a key of a system of vectors
    "preflight/figures/judgements.py": {"rank"},  # a column
    "preflight/figures/soundness.py": {"rank"},  # a column
    "diagnosis/compare/worst.py": {"rank"},  # a column
    "commands/ask.py": {"rank"},  # a column
    "diagnosis/unusual.py": {"rank"},  # of LoRA
}
# Of tasks with one loss at a time, which no weight chooses.
ONE_LOSS = ("classification", "views")
# Layers in which a record, a section of the report or a check before training is about a task.
ABOUT_TASKS = ("findings", "preflight/probes", "diagnosis/report")


def test_no_code_outside_the_rooms_names_a_task():
    found = {}
    for file in [*(SOURCE / "whyrank").rglob("*.py"), *(ROOT / "stages").glob("*.py")]:
        place = str(file.relative_to(SOURCE / "whyrank" if SOURCE in file.parents else ROOT))
        if ROOMS & set(file.parts) or place.startswith(("core/options/", *ABOUT_TASKS)):
            continue
        words = {node.value for node in nodes(file) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        if named := words & NAMES - OTHER_MEANING.get(place, set()):
            found[place] = named
    assert found == {}


def test_every_task_has_a_section_and_every_section_a_task():
    (kind,) = [field.type for field in fields(FinetuneRank) if field.name == "objectives"]
    assert [task.name for task in TASKS] == [field.name for field in fields(kind)]


@pytest.mark.parametrize("task", [task for task in TASKS if task.name not in ONE_LOSS], ids=lambda task: task.name)
def test_every_loss_of_the_options_is_a_function_of_its_room(task, options):
    module = sys.modules[task.objective.__module__].losses
    section = task.section(options("finetune_rank", FinetuneRank))
    losses = section.losses()
    assert losses and all(isinstance(loss, WeightedLoss) for loss in losses.values())
    assert all(callable(getattr(module, name)) for name in losses)


@pytest.mark.slow
def test_a_loss_of_ratings_or_pairs_reruns_neither_prepare_nor_pretraining(tmp_path):
    """`dvc status` after a stand-in run: what a lock file of these parameters says is changed by others."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    stages = {}
    for name in ("prepare", "pretrain_barlow"):
        (tmp_path / f"{name}.py").write_text(f"open({name + '.out'!r}, 'w').write('done')")
        stages[name] = {
            "cmd": f"{sys.executable} {name}.py",
            "params": pipeline["stages"][name]["params"],
            "outs": [f"{name}.out"],
        }
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    dvc = [sys.executable, "-m", "dvc"]

    def run(*command):
        return subprocess.run([*dvc, *command], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    def write():
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))

    write()
    run("init", "--no-scm", "--quiet")
    run("repro", "--quiet")
    objectives = values["finetune_rank"]["objectives"]
    for loss in (objectives["ratings"], objectives["similarity"], objectives["similarity"]["mse"], objectives["rank"]):
        loss["weight"] = 0.37
    objectives["ratings"]["focal"]["gamma"] = 3.0
    write()
    assert "up to date" in run("status")
    objectives["similarity"]["positive_from"] = 0.8
    write()
    assert "prepare" in run("status")
