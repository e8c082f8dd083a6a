"""A case: one fault, or none, on one set drawn by one seed; and what came of it."""

import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.faults import harm, pipeline, processes, sets, truth
from benchmarks.faults.fault import Fault, Task

# The run without a fault on the same set and seed, against which harm is measured.
TWIN = "none"


@dataclass(frozen=True)
class Case:
    """kind     development | held-out | blind | blind-2 | healthy | twin
    queries     size of the set, where it is another than usual
    settings    overrides of a healthy run; those of a fault are its own
    """

    kind: str
    fault: Fault
    set: str
    seed: int
    queries: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def task(self) -> Task:
        return self.fault.task

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.fault.name}/{self.task}/{self.set}/{self.seed}"

    @property
    def twin(self) -> "Case":
        none = Fault(TWIN, "data", "nothing is wrong", "", task=self.task)
        return Case("twin", none, self.set, self.seed)

    @property
    def folder(self) -> str:
        return self.key.replace("/", "_")


def run(case: Case, work: Path, keep: bool = False) -> dict[str, Any]:
    """Run a case in a folder of its own below `work`; the twin of one with a fault has been run before.

    Stays where it is with `keep`; of a twin the folder stays.
    """
    began = time.monotonic()
    folder = work / case.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["WHYRANK_CACHE"] = str(work.parent / "cache")
    is_compared = case.kind not in ("twin", "healthy")
    clean = work / case.twin.folder / "clean" if is_compared else folder / "clean"
    if not is_compared:
        clean.mkdir()
        sets.build(case.task, case.set, case.seed, clean, case.queries)
    values = pipeline.arrange(case.fault, clean, folder, case.seed, case.settings)
    if is_compared and case.task != "barlow":
        # Without steps, and so the same in each run.
        (folder / "metrics").mkdir()
        shutil.copytree(work / case.twin.folder / "metrics/pretrain_barlow", folder / "metrics/pretrain_barlow")
        shutil.copyfile(
            work / case.twin.folder / "metrics/pretrain_barlow.json", folder / "metrics/pretrain_barlow.json"
        )
    said = processes.alone(lambda: pipeline.run(folder, values, case.fault.code), folder / "said.json")
    row = {
        "key": case.key, "kind": case.kind, "fault": case.fault.name, "about": case.fault.about, "task": case.task,
        "set": case.set, "seed": case.seed, "mendable": case.fault.mendable,
    } | said  # fmt: skip
    if case.kind != "healthy" and not said.get("failed"):
        row |= measured(case, folder, work, clean)
    if not keep and case.kind != "twin":
        shutil.rmtree(folder, ignore_errors=True)
    elif not keep:
        shutil.rmtree(folder / "models", ignore_errors=True)
    return row | {"took": round(time.monotonic() - began, 1)}


def measured(case: Case, folder: Path, work: Path, clean: Path) -> dict[str, Any]:
    """What the systems are worth, and whether the fault did harm."""
    import torch

    torch.set_num_threads(1)
    twin = folder if case.kind == "twin" else work / case.twin.folder
    skipped = ("barlow",) if case.task != "barlow" else ()
    own = truth.true(folder, case.task, clean, twin / "data/prepared", skipped)
    recorded = truth.recorded(folder, case.task, clean)
    if case.kind == "twin":
        (folder / "measured.json").write_text(json.dumps({"true": own, "recorded": recorded}), encoding="utf-8")
        healthy = {"true": own, "recorded": recorded}
    else:
        healthy = json.loads((twin / "measured.json").read_text(encoding="utf-8"))
    return {
        "true": {name: round(harm.mean(units), 4) for name, units in own.items()},
        "recorded": {name: round(harm.mean(units), 4) for name, units in recorded.items()},
        "harm": harm.harms(own, recorded, healthy["true"], healthy["recorded"]),
        "healthy": round(harm.mean(healthy["true"].get(harm.best_tuned(healthy["true"]), {})), 4),
    }
