"""The pipeline's stages in this process, one after another, in a folder of their own: no DVC, no repository.

A folder that starts from another one links its outputs, and runs the first stage that a change concerns and all that
read what it makes, as DVC does.
"""

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import chdir
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from whyrank.commands.fix import DIAGNOSIS
from whyrank.core import io
from whyrank.core.errors import UserError
from whyrank.core.options import overrides
from whyrank.core.options.systems import Role
from whyrank.core.options.yaml_files import PARAMS, read_yaml
from whyrank.findings.systems import Systems

PIPELINE = "dvc.yaml"
# The stage that makes what `evaluate` scores.
MADE_BY: Mapping[Role, str] = {
    "baseline": "prepare", "zero-shot": "prepare", "pretrained": "pretrain_barlow", "tuned": "finetune_rank",
}  # fmt: skip

Step = tuple[str, str]  # stage, argument


@cache
def stages(root: Path) -> Mapping[str, Callable[[], None]]:
    """The main function of each stage of dvc.yaml, in order; with their imports, so once and before any fork."""
    found = {}
    for name in read_yaml(str(root / PIPELINE))["stages"]:
        spec = importlib.util.spec_from_file_location(f"stages.{name}", root / "stages" / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found[name] = module.main
    return found


def arrange(folder: Path, root: Path, values: Mapping[str, Any]) -> None:
    """What the stages need beside the data, in a new folder: params.yaml with these values, dvc.yaml, our code."""
    folder.mkdir(parents=True, exist_ok=True)
    io.write_text(folder / PARAMS, json.dumps(values, indent=1))
    shutil.copyfile(root / PIPELINE, folder / PIPELINE)
    # A fix writes into it.
    shutil.copytree(root / "data/corrections", folder / "data/corrections")
    if (root / "src").exists():  # not in a wheel
        (folder / "src").symlink_to(root / "src")


def link(start: Path, folder: Path, values: Mapping[str, Any]) -> None:
    """A folder with the data and outputs of another and other values. Stages replace files, and never change one."""
    shutil.copytree(start, folder, symlinks=True, copy_function=os.link)
    io.write_text(folder / PARAMS, json.dumps(values, indent=1))


def first_stage(changed: Iterable[str], root: Path) -> str:
    """The first stage of dvc.yaml that depends on one of the dotted keys of params.yaml."""
    keys = list(changed)
    for name, entry in read_yaml(str(root / PIPELINE))["stages"].items():
        sections = entry.get("do", entry)["params"]
        if any(f"{key}.".startswith(f"{section}.") for key in keys for section in sections):
            return str(name)
    raise UserError(f"params.yaml: no stage depends on {', '.join(keys)}")


def plan(values: Mapping[str, Any], root: Path, first: str = "prepare", *, diagnosed: bool = True) -> list[Step]:
    """The stages from `first` on, with their arguments, less those that read nothing which these make."""
    order = list(stages(root))
    systems = Systems.of(values)
    made_by = {name: MADE_BY[own.role] for name, own in systems.options.items() if name not in systems.rivals}
    waiting = list(systems.rivals)  # they read the runs of others, which come first
    while waiting:
        ready = [name for name in waiting if set(systems.made_of(name)) <= made_by.keys()]
        made_by |= {
            name: max((made_by[one] for one in systems.made_of(name)), key=order.index, default="prepare")
            for name in ready
        }
        waiting = [name for name in waiting if name not in ready]
    arguments = {
        "finetune_rank": list(values["inits"]),
        "evaluate": [name for name, stage in made_by.items() if order.index(stage) >= order.index(first)],
    }
    run = [name for name in order[order.index(first) :] if diagnosed or name != "diagnose"]
    return [(name, argument) for name in run for argument in arguments.get(name, [""])]


def run(folder: Path, root: Path, steps: Sequence[Step], tell: Callable[[str], None]) -> str:
    """Run stages in a folder; what preflight refused, or empty. The stages after it run all the same.

    tell   is called with the name of each stage that begins
    """
    refused = ""
    with chdir(folder):
        for name, argument in steps:
            tell(f"{name} {argument}".strip())
            sys.argv = [f"stages/{name}.py", *([argument] if argument else [])]
            try:
                stages(root)[name]()
            except UserError as error:
                # Preflight speaks last: all that `prepare` makes is there.
                if not str(error).startswith("preflight: "):
                    raise
                refused = str(error)
    return refused


class Fixes(NamedTuple):
    """What `fix` runs the steps of a plan with, in place of experiments of DVC.

    start   the folder of the run that is fixed;  after   that of the fixed run
    """

    root: Path
    start: Path
    after: Path
    tell: Callable[[str], None]

    def run(self, name: str, question: str, settings: Sequence[str]) -> None:
        changed = overrides.given(settings)
        values = overrides.put(read_yaml(str(self.start / PARAMS)), changed)
        link(self.start, self.after, values)
        shutil.rmtree(self.after / DIAGNOSIS, ignore_errors=True)
        steps = plan(values, self.root, first_stage(changed, self.root), diagnosed=False)
        run(self.after, self.root, steps, self.tell)

    def fetch(self, name: str, path: str, target: Path) -> bool:
        source = self.after / path
        if not source.exists():
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)
        return True
