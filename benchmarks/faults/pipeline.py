"""The stages of the pipeline in this process, one after another, in a folder of their own; and what they recorded."""

import importlib
import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.faults import text_vectors
from benchmarks.faults.configurations import applied, settings
from benchmarks.faults.fault import Fault
from benchmarks.faults.sets import ROOT
from whyrank.core.errors import UserError, lines_of
from whyrank.core.options.yaml_files import read_yaml
from whyrank.model.encoder import source, vector_cache

NAMES = ("prepare", "pretrain_barlow", "finetune_rank", "evaluate", "diagnose")
# Files of the cache that many cases share.
KEPT_FILES = 2000


@cache
def stages() -> Mapping[str, ModuleType]:
    """Their scripts, which take over the signals of the process that imports them."""
    return {name: importlib.import_module(f"stages.{name}") for name in NAMES}


def adapt() -> None:
    """Change this process, and those forked from it, for many cases; not on import, so that tests may import this."""
    vector_cache.KEPT_FILES = KEPT_FILES
    text_vectors.install()
    # Nobody reads the reports, and their figures take longer than the training; the last lines are read off them.
    diagnose: Any = stages()["diagnose"]
    diagnose.files.write = lambda *_, **__: ""
    diagnose.ending = lambda *_: ""


def arrange(fault: Fault, raw_folder: Path, folder: Path, seed: int, more: Mapping[str, Any]) -> dict[str, Any]:
    """A folder to run the fault in: the raw set and the encoder with it, dvc.yaml and params.yaml; returns the params.

    more   further overrides, which give way to those of the fault
    """
    random = np.random.default_rng(seed)
    own = folder / "raw"
    shutil.copytree(raw_folder, own)
    if fault.data:
        fault.data(own, random)
    overrides = {"seed": seed} | settings(fault.task, own) | dict(more)
    if fault.encoder:
        shutil.copytree(source.embedded_folder(), folder / "encoder")
        fault.encoder(folder / "encoder", random)
        overrides["encoder.source"] = str(folder / "encoder")
    values = applied(read_yaml(str(ROOT / "params.yaml")), fault.task, overrides | dict(fault.settings))
    (folder / "params.yaml").write_text(json.dumps(values, indent=1), encoding="utf-8")
    shutil.copyfile(ROOT / "dvc.yaml", folder / "dvc.yaml")
    (folder / "data").mkdir()
    (folder / "data/raw").symlink_to(ROOT / "data/raw")
    # A fix writes into it.
    shutil.copytree(ROOT / "data/corrections", folder / "data/corrections")
    (folder / "src").symlink_to(ROOT / "src")
    return values


def plan(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(stage, argument) in order; pretraining is left out where an earlier run has said that it has no steps."""
    pretraining = [] if Path("metrics/pretrain_barlow").exists() else [("pretrain_barlow", "")]
    tuned = [("finetune_rank", init) for init in values["inits"]]
    scored = [("evaluate", system) for system in values["systems"]]
    return [("prepare", ""), *pretraining, *tuned, *scored, ("diagnose", "")]


def run(folder: Path, values: Mapping[str, Any], patch: Callable[[], None] | None) -> dict[str, Any]:
    """Run the stages in `folder`; what was said before and after training, and how it ended."""
    import torch

    os.chdir(folder)
    torch.set_num_threads(1)
    said: dict[str, Any] = {"seconds": {}, "refused": "", "crashed": "", "stage": ""}
    try:
        if patch is not None:
            os.environ[text_vectors.SUSPECT] = "1"
            patch()
        for name, argument in plan(values):
            said["stage"] = f"{name}@{argument}" if argument else name
            sys.argv = [f"stages/{name}.py", *([argument] if argument else [])]
            began = time.monotonic()
            stages()[name].main()
            said["seconds"][said["stage"]] = round(time.monotonic() - began, 2)
        said["stage"] = ""
    except UserError as error:
        said["refused"] = " | ".join(lines_of(error))
    except Exception:
        said["crashed"] = traceback.format_exc(limit=-4)[-1500:]
    return said | {
        "preflight": findings(folder / "metrics/prepare/findings.json"),
        "findings": findings(folder / "metrics/diagnose/findings.json"),
        "plan": steps(folder / "metrics/diagnose/plan.json"),
    }


def findings(file: Path) -> list[dict[str, Any]]:
    """In the order in which the report shows them; none where the stage did not get so far."""
    if not file.exists():
        return []
    found = json.loads(file.read_text(encoding="utf-8"))
    kept = ("code", "severity", "layer", "is_root", "explained_by", "step", "systems", "sentence", "cause")
    return [{key: row[key] for key in kept if key in row} | {"sets": list(row["fix"]["params"])} for row in found]


def steps(file: Path) -> list[dict[str, Any]]:
    """Of the fix plan, in order."""
    if not file.exists():
        return []
    kept = ("step", "code", "systems", "params", "rows", "action", "stake", "changes_data")
    return [{key: row[key] for key in kept} for row in json.loads(file.read_text(encoding="utf-8"))["steps"]]
