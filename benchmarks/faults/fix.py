"""Whether the steps of a fix plan bring the metric back: applied in process, one after another, at most three.

As `python -m whyrank fix --all` does: a step stays where it helped on the test rows, or changes the data, and is taken
back otherwise. A step by hand alone is not applied. After one that stays, the run is diagnosed anew, and the next step
is that of the new plan which was not tried yet.
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
from whyrank.commands import effect
from whyrank.commands.fix import RUNS
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
    aim = harm.mean(healthy.get(judged_by(case, healthy), {}))
    reached, tried, kept, faults = [value(case, folder, twin)], list[Step](), list[Step](), list[str]()
    while len(tried) < limit and (step := following(said["plan"], tried)) is not None:
        faults += refused(step, values, kept)
        tried.append(step)
        changed = applied(values, case.task, step["params"])
        after, does_stay = attempt(case, folder, values, changed, step)
        reached.append(value(case, folder, twin))
        if does_stay:
            kept.append(step)
            values, said = changed, after
    shutil.rmtree(folder, ignore_errors=True)
    return {
        "key": f"fix/{case.key}", "kind": "fix", "fault": case.fault.name, "about": case.fault.about,
        "healthy": round(aim, 4), "reached": [round(one, 4) for one in reached],
        "back": max(reached[1:], default=0.0) >= BACK * aim, "had_to": reached[0] < BACK * aim,
        "steps": [
            {"code": one["code"], "params": one["params"], "rows": one["rows"], "kept": one in kept} for one in tried
        ],
        "faults": faults, "refused": said.get("refused", ""), "failed": said.get("failed", ""),
    }  # fmt: skip


def attempt(
    case: Case, folder: Path, values: Mapping[str, Any], changed: Mapping[str, Any], step: Step
) -> tuple[dict[str, Any], bool]:
    """What the run with the changed parameters said, and whether the step stays; the folder is that of this run."""
    if step["rows"]:
        (folder / step["params"][CORRECTIONS]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / step["rows"], folder / step["params"][CORRECTIONS])
    (folder / "params.yaml").write_text(json.dumps(changed, indent=1), encoding="utf-8")
    before = folder / "runs_before"
    shutil.rmtree(before, ignore_errors=True)
    if (folder / RUNS).exists():
        shutil.copytree(folder / RUNS, before)
    said = run(case, folder, changed)
    diagnose = values["diagnose"]
    found = effect.measure(before, folder / RUNS, values, step["systems"], level=diagnose["level"],
                           resamples=diagnose["resamples"], seed=values["seed"])  # fmt: skip
    # A run that was refused before has nothing to compare with: what comes after it can only be more.
    is_first = found is None and "failed" not in said
    return said, step["changes_data"] or is_first or effect.outcome(found, step["stake"]) == "helped"


def run(case: Case, folder: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    for name in ("data/prepared", "data/runs", "models", "metrics", "logs"):
        shutil.rmtree(folder / name, ignore_errors=True)
    found = processes.alone(lambda: pipeline.run(folder, values, case.fault.code), folder / "said.json")
    return {"plan": []} | found


def value(case: Case, folder: Path, twin: Path) -> float:
    """Of the system that a case is judged by, on the clean test data; 0 without one."""
    import torch

    torch.set_num_threads(1)
    own = truth.true(folder, case.task, twin / "clean", twin / "data/prepared", ("base", "barlow"))
    return harm.mean(own.get(judged_by(case, own), {}))


def judged_by(case: Case, measure: truth.Measure) -> str:
    """The best tuned system; a fault of pretraining touches one alone, beside which the other is as good as ever."""
    return "barlow-tuned" if case.task == "barlow" else harm.best_tuned(measure)


def following(plan: Sequence[Step], tried: Sequence[Step]) -> Step | None:
    """The first step with parameters that was not tried."""
    known = [one["params"] for one in tried if not one["rows"]]
    return next((one for one in plan if one["params"] and (one["rows"] or one["params"] not in known)), None)


def refused(step: Step, values: Mapping[str, Any], kept: Sequence[Step]) -> list[str]:
    """What a step may not be: set already, or another value than an earlier one that stayed."""
    found = []
    before = {key: value for one in kept for key, value in one["params"].items()}
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
