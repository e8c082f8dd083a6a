"""The steps of the fix plan, one after the other: each runs in a temporary copy, and stays only where it helped.

`python -m whyrank fix` tries the next one, `--all` goes on until nothing is left or nothing helps. What was tried is
recorded in logs/fix/tried.json, with the data that it was tried on: no fix is tried twice on the same data.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from whyrank.commands import effect
from whyrank.core import checksums, io
from whyrank.core.errors import UserError
from whyrank.core.options import overrides, params
from whyrank.core.options.yaml_files import PARAMS, read_yaml
from whyrank.findings.finding import CORRECTIONS, Fix
from whyrank.findings.systems import Systems

RESULTS, DIAGNOSIS, RUNS, LOCK = Path("logs/fix"), Path("metrics/diagnose"), Path("data/runs"), Path("dvc.lock")
TRIED, PLAN = RESULTS / "tried.json", "plan.json"

Step = dict[str, Any]  # of `plan.json`
Trial = dict[str, Any]


class Runner(Protocol):
    """`experiment`, or what stands for it in a test."""

    def run(self, name: str, question: str, settings: Sequence[str]) -> None: ...
    def fetch(self, name: str, path: str, target: Path) -> bool: ...


@dataclass(frozen=True)
class State:
    """A run that a fix starts from.

    name       of its experiment; empty for that of the workspace
    settings   those that turn the committed params.yaml into its own;  values   its params.yaml
    diagnosis, runs   copies of metrics/diagnose and data/runs
    """

    name: str
    settings: tuple[str, ...]
    values: Mapping[str, Any]
    diagnosis: Path
    runs: Path

    @property
    def steps(self) -> list[Step]:
        return list(io.read_json(self.diagnosis / PLAN)["steps"])


def fix(runner: Runner, number: int | None, *, everything: bool, ask: Callable[[Step], bool]) -> list[Trial]:
    """Try the step `number` of the plan, the next one that was not tried, or all; what was tried, in order.

    ask   whether to run a step. Raises UserError without a diagnosis, for a step that is not there, or that has no
    command.
    """
    state, tried, made = start(), read_tried(), list[Trial]()
    state = _resumed(state, tried) if everything else state
    while (step := _chosen(state, tried, number)) is not None:
        print(f"\nstep {step['step']}: {step['code']} ({', '.join(step['systems'])}): {step['sentence']}\n"
              f"  {step['command']}", file=sys.stderr)  # fmt: skip
        if not ask(step):
            break
        trial, after = _tried(runner, state, step)
        tried.append(trial)
        made.append(trial)
        io.write_json(TRIED, tried)
        print(f"{trial['told']}", file=sys.stderr)
        state = after if after is not None and trial["kept"] else state
        if not everything:
            break
    return made


def start() -> State:
    """The run of the workspace. Raises UserError where it was not diagnosed."""
    checksums.verify(DIAGNOSIS)
    return State("", tuple(overrides.of_run()), read_yaml(PARAMS), DIAGNOSIS, RUNS)


def read_tried() -> list[Trial]:
    """Raises UserError for a file that is none of ours."""
    return list(io.read_json(TRIED)) if TRIED.exists() else []


def _chosen(state: State, tried: Sequence[Trial], number: int | None) -> Step | None:
    steps = state.steps
    if number is not None:
        step = next((one for one in steps if one["step"] == number), None)
        if step is None:
            raise UserError(f"the fix plan has no step {number}; it has {len(steps)}: `python -m whyrank verdict`")
        if not step["command"]:
            raise UserError(f"step {number} has no command: {step['action']}")
        return step
    known = {one["id"] for one in tried}
    return next((one for one in steps if one["command"] and _id(state, one) not in known), None)


def _id(state: State, step: Step) -> str:
    """Of a fix on the data of a run: the data may be another one once rows were corrected."""
    own = {key: value for key, value in step["params"].items() if key != CORRECTIONS}
    rows = step["code"] if step["rows"] else ""
    corrections = state.values["prepare"].get("corrections", "")
    return _digest(own, rows, corrections, _data())


def _digest(*told: Any) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _data() -> list[str]:
    """Checksums of what `prepare` read in the run of the workspace, less our code."""
    stages = read_yaml(str(LOCK))["stages"] if LOCK.exists() else {}
    read = stages.get("prepare", {}).get("deps", [])
    return [str(one.get("md5")) for one in read if not str(one["path"]).startswith(("src/", "stages/"))]


def _tried(runner: Runner, state: State, step: Step) -> tuple[Trial, State | None]:
    """Run one step; the record of it, and the run after it where it did not fail."""
    if step["rows"]:
        _copy_rows(runner, state, step)
    settings = Fix(step["params"], run=state.settings).all_settings
    trial: Trial = {"id": _id(state, step), "start": list(state.settings), "settings": list(settings)}
    trial["of"] = _digest(state.values, _data())
    trial |= {"name": f"fix-{step['code']}-{trial['id'][:4]}", "code": step["code"], "kept": False}
    try:
        runner.run(trial["name"], f"does the fix of {step['code']} help?", settings)
    except UserError as error:
        return trial | {"outcome": "failed", "told": f"it failed: {error}"}, None
    after = _fetched(runner, trial["name"], settings, state)
    options = params.section(dict(state.values), "diagnose", params.Diagnose)
    draw = {"resamples": options.resamples, "seed": params.seed(dict(state.values))}
    found = effect.measure(state.runs, after.runs, state.values, step["systems"], level=options.level, **draw)
    outcome = effect.outcome(found, step["stake"])
    kept = outcome == "helped" or step["changes_data"]
    aside = "; kept: it changes the data, and so what the metric measures" if step["changes_data"] else ""
    told = f"{found.spoken}: {outcome}{aside}" if found else f"{outcome}: no test row is in both runs{aside}"
    bounds = [found.difference.mean, found.difference.low, found.difference.high, found.n] if found else []
    return trial | {"outcome": outcome, "told": told, "difference": bounds, "kept": kept}, after


def _copy_rows(runner: Runner, state: State, step: Step) -> None:
    """The rows of a step where its command has them: the run that applies them writes their file anew."""
    target = Path(step["params"][CORRECTIONS])
    target.parent.mkdir(parents=True, exist_ok=True)
    if not state.name:
        shutil.copyfile(step["rows"], target)
    elif not runner.fetch(state.name, step["rows"], target):
        raise UserError(f"the experiment {state.name} has no {step['rows']}; run `python -m whyrank fix` again")


def _fetched(runner: Runner, name: str, settings: Sequence[str], before: State) -> State:
    """What later steps need of the results of an experiment."""
    folder = RESULTS / name
    shutil.rmtree(folder, ignore_errors=True)
    runner.fetch(name, str(DIAGNOSIS), folder / "diagnose")
    runner.fetch(name, PARAMS, folder / PARAMS)
    file = effect.file_of(before.values)
    for system in Systems.of(before.values).encoders:
        runner.fetch(name, f"{RUNS}/{system}/{file}", folder / "runs" / system / file)
    return _of_results(name, settings)


def _of_results(name: str, settings: Sequence[str]) -> State:
    folder = RESULTS / name
    return State(name, tuple(settings), read_yaml(str(folder / PARAMS)), folder / "diagnose", folder / "runs")


def _resumed(state: State, tried: Sequence[Trial]) -> State:
    """The run after the steps that earlier calls kept, from the same start."""
    for trial in _chain(state, tried):
        print(f"{trial['name']} stays: {trial['told']}", file=sys.stderr)
        state = _of_results(trial["name"], trial["settings"])
    return state


def diagnosed(trials: Sequence[Trial]) -> Path:
    """What `diagnose` wrote in the run after the trials, which is that of the workspace where none of them stayed."""
    kept = [one for one in trials if one["kept"]]
    return _of_results(kept[-1]["name"], kept[-1]["settings"]).diagnosis if kept else DIAGNOSIS


def ending(trials: Sequence[Trial], tried: Sequence[Trial], left: Sequence[Step]) -> str:
    """What was tried, and the one command that holds all that stayed.

    trials   of this call;  tried   of earlier ones too;  left   steps of the plan that need a person
    """
    lines = [f"- {one['code']}: {one['told']}" for one in trials] or ["Nothing is left to try."]
    lines += [f"- by hand: {one['code']}: {one['action']}" for one in left if not one["command"]]
    kept = [one for one in trials if one["kept"]] or _chain(start(), tried)
    if kept:
        lines += ["", f"All that helped, as one command (or `dvc exp apply {kept[-1]['name']}`):", ""]
        lines.append(overrides.command(kept[-1]["settings"]))
    return "\n".join(lines)


def _chain(state: State, tried: Sequence[Trial]) -> list[Trial]:
    """The steps that stayed, from a run on; none of a run with other parameters, or on other data."""
    chain = list[Trial]()
    for one in tried:
        is_next = one["kept"] and one.get("of") == _digest(state.values, _data())
        if is_next and (RESULTS / one["name"] / PARAMS).exists():
            chain.append(one)
            state = _of_results(one["name"], one["settings"])
    return chain
