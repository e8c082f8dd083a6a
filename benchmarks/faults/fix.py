"""Whether the steps of a fix plan bring the metric back: applied in process, one after another, at most three.

A step by hand alone is not applied. After each step the run is diagnosed anew, and the next step is that of the new
plan which was not tried yet.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.faults import harm, pipeline, processes, truth
from benchmarks.faults.cases import Case
from benchmarks.faults.configurations import applied
from whyrank.findings.finding import CORRECTIONS

STEPS = 3
# Of the healthy metric: a plan that reaches it has brought it back.
BACK = 0.95

Step = dict[str, Any]


def mend(case: Case, work: Path, limit: int = STEPS) -> dict[str, Any]:
    """Run a case that was found harmful, then the steps of its plans; what each was, and what the metric came to."""
    os.environ["WHYRANK_CACHE"] = str(work.parent / "cache")
    folder, twin = work / f"fix_{case.folder}", work / case.twin.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    values = pipeline.arrange(case.fault, twin / "clean", folder, case.seed, case.settings)
    said = run(case, folder, values)
    healthy = json.loads((twin / "measured.json").read_text(encoding="utf-8"))["true"]
    aim = harm.mean(healthy[harm.best_tuned(healthy)])
    reached, tried, faults = [value(case, folder, twin)], list[Step](), list[str]()
    while len(tried) < limit and (step := following(said["plan"], tried)) is not None:
        faults += refused(step, values, tried)
        if step["rows"]:
            (folder / step["params"][CORRECTIONS]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / step["rows"], folder / step["params"][CORRECTIONS])
        values = applied(values, case.task, step["params"])
        (folder / "params.yaml").write_text(json.dumps(values, indent=1), encoding="utf-8")
        tried.append(step)
        said = run(case, folder, values)
        reached.append(value(case, folder, twin))
    shutil.rmtree(folder, ignore_errors=True)
    return {
        "key": f"fix/{case.key}", "kind": "fix", "fault": case.fault.name, "about": case.fault.about,
        "healthy": round(aim, 4), "reached": [round(one, 4) for one in reached],
        "back": max(reached[1:], default=0.0) >= BACK * aim, "had_to": reached[0] < BACK * aim,
        "steps": [{"code": one["code"], "params": one["params"], "rows": one["rows"]} for one in tried],
        "faults": faults, "refused": said.get("refused", ""), "failed": said.get("failed", ""),
    }  # fmt: skip


def run(case: Case, folder: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    for name in ("data/prepared", "data/runs", "models", "metrics", "logs"):
        shutil.rmtree(folder / name, ignore_errors=True)
    found = processes.alone(lambda: pipeline.run(folder, values, case.fault.code), folder / "said.json")
    return {"plan": []} | found


def value(case: Case, folder: Path, twin: Path) -> float:
    """Of the best tuned system on the clean test data; 0 without one."""
    import torch

    torch.set_num_threads(1)
    own = truth.true(folder, case.task, twin / "clean", twin / "data/prepared", ("base", "barlow"))
    return harm.mean(own.get(harm.best_tuned(own), {}))


def following(plan: Sequence[Step], tried: Sequence[Step]) -> Step | None:
    """The first step with parameters that was not tried."""
    known = [one["params"] for one in tried if not one["rows"]]
    return next((one for one in plan if one["params"] and (one["rows"] or one["params"] not in known)), None)


def refused(step: Step, values: Mapping[str, Any], tried: Sequence[Step]) -> list[str]:
    """What a step may not be: set already, or the opposite of what an earlier one set."""
    found = []
    before = {key: value for one in tried for key, value in one["params"].items()}
    for key, wanted in step["params"].items():
        if key != CORRECTIONS and at(values, key) == wanted:
            found.append(f"already set: {key}={wanted} ({step['code']})")
        elif key != CORRECTIONS and key in before and before[key] != wanted:
            found.append(f"another value than before: {key}={before[key]}, then {wanted} ({step['code']})")
    return found


def at(values: Any, key: str) -> Any:
    for name in key.split("."):
        values = values.get(name) if isinstance(values, dict) else None
    return values
