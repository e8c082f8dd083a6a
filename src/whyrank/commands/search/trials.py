"""The trials of a search: each a named experiment of DVC in a temporary copy, followed while it trains.

What a study knows is in Optuna's storage. A search that was killed goes on where it was: a trial whose experiment is
there counts, one whose experiment is not there runs again with the same values, under the next number.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from whyrank.commands import experiment
from whyrank.commands.search.space import Space, said
from whyrank.core.errors import UserError
from whyrank.training.engine.trackers import DEV, FOLLOWED

# What a trial has in the storage: the host and process of its search, and the process of its experiment.
PROCESS, CHILD = "process", "child"
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
# One after the other, without one that ended well between them: the space or the data do not run.
MOST_FAILURES = 5
SECONDS_BETWEEN = 0.2


class Ended(NamedTuple):
    """How the run of an experiment ended. code: that of the process; None where it was stopped."""

    code: int | None
    pruned: bool = False


class Search:
    """Runs the trials of a study.

    folder      takes the log of each trial
    is_listed   only trials that are queued in the study run: the points of a grid
    """

    def __init__(self, space: Space, study: optuna.Study, folder: Path, *, is_listed: bool = False) -> None:
        self.space, self.study, self.folder, self.is_listed = space, study, folder, is_listed
        self.asking, self.stopped = threading.Lock(), threading.Event()
        self.failures = 0

    def run(self, count: int, jobs: int) -> None:
        """Until the study has so many trials that ended well, or were pruned; those of other machines count, too.

        Raises UserError where one after the other fails.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.recover()
        with ThreadPoolExecutor(jobs) as pool:
            working = [pool.submit(self.work, count) for _ in range(jobs)]
            try:
                for one in working:
                    one.result()
            except BaseException:
                self.stopped.set()
                raise

    def work(self, count: int) -> None:
        while not self.stopped.is_set() and (trial := self.next(count)) is not None:
            try:
                self.told(trial, self.followed(trial))
            except BaseException:
                self.stopped.set()
                raise

    def next(self, count: int) -> Trial | None:
        with self.asking:
            states = [one.state for one in self.study.get_trials(deepcopy=False)]
            if sum(state in (*FINISHED, TrialState.RUNNING) for state in states) >= count:
                return None
            if self.is_listed and TrialState.WAITING not in states:
                return None
            trial = self.study.ask(dict(self.space.varied))
            trial.set_user_attr(PROCESS, [socket.gethostname(), os.getpid()])
            return trial

    def name(self, number: int) -> str:
        return f"search-{self.space.name}-{number:04d}"

    def followed(self, trial: Trial) -> Ended:
        """Run the experiment of a trial; stop it where its dev metrics so far are below those of others."""
        name = self.name(trial.number)
        evaluations = self.folder / f"{name}.jsonl"
        evaluations.unlink(missing_ok=True)
        for old in experiment.refs():
            if old == name or old.startswith(f"{name}-seed-"):
                experiment.remove(old)  # of a study that is gone, under whatever seed: this trial is new
        command = experiment.command(
            name, self.space.question, self.space.settings(trial.params), targets=[self.space.stage]
        )
        environment = os.environ | {FOLLOWED: str(evaluations.resolve())}
        with open(self.folder / f"{name}.log", "w", encoding="utf-8") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True
            )
        trial.set_user_attr(CHILD, process.pid)
        seen = 0
        try:
            while process.poll() is None:
                for value in values_of(evaluations, self.space.metric)[seen:]:
                    trial.report(value, seen)
                    seen += 1
                    if trial.should_prune():
                        return Ended(None, pruned=True)
                if self.stopped.wait(SECONDS_BETWEEN):
                    return Ended(None)
            return Ended(process.returncode)
        finally:
            stop(process.pid, lambda: process.poll() is None)
            experiment.clear(name)

    def told(self, trial: Trial, ended: Ended) -> None:
        """Tell the study, and the user in a line."""
        name, value = self.name(trial.number), None
        if ended.code == 0:
            value = result(self.space, name)
        if value is not None:
            self.study.tell(trial, value)
        elif ended.pruned:
            self.study.tell(trial, state=TrialState.PRUNED)
        elif not self.stopped.is_set():
            self.study.tell(trial, state=TrialState.FAIL)
        self.say(trial, value, ended)

    def say(self, trial: Trial, value: float | None, ended: Ended) -> None:
        if self.stopped.is_set() and value is None and not ended.pruned:
            print(f"trial {trial.number} was stopped; the same command runs it again", file=sys.stderr, flush=True)
            return
        log = self.folder / f"{self.name(trial.number)}.log"
        how = "pruned" if ended.pruned else f"failed: {last_line(log)} ({log})" if value is None else f"{value:.4f}"
        done = [one for one in self.study.get_trials(deepcopy=False) if one.state in FINISHED]
        complete = [one for one in done if one.state == TrialState.COMPLETE]
        best = f", best {self.study.best_value:.4f} (trial {self.study.best_trial.number})" if complete else ""
        chosen = ", ".join(f"{key.rpartition('.')[2]}={said(item)}" for key, item in trial.params.items())
        print(f"trial {trial.number}: {self.space.metric} {how}; {chosen}; {len(done)} done{best}",
              file=sys.stderr, flush=True)  # fmt: skip
        self.failures = 0 if value is not None or ended.pruned else self.failures + 1
        if self.failures >= MOST_FAILURES:
            raise UserError(
                f"{MOST_FAILURES} trials failed one after the other, the last with: {last_line(log)}; see {log}"
            )

    def recover(self) -> None:
        """Settle the trials that a killed search of this machine left running."""
        for trial in self.study.get_trials(states=[TrialState.RUNNING]):
            host, pid = trial.user_attrs.get(PROCESS, [socket.gethostname(), 0])
            if host == socket.gethostname() and (pid == os.getpid() or not is_alive(pid, "search")):
                self.settle(trial)

    def settle(self, trial: FrozenTrial) -> None:
        name = self.name(trial.number)
        child = trial.user_attrs.get(CHILD, 0)
        stop(child, lambda: is_alive(child, name))
        experiment.clear(name)
        value = result(self.space, name)
        if value is not None:
            self.study.tell(trial.number, value)
            return
        self.study.tell(trial.number, state=TrialState.FAIL)
        self.study.enqueue_trial(trial.params)
        print(f"trial {trial.number} was interrupted; it runs again under another number", file=sys.stderr)


def result(space: Space, name: str) -> float | None:
    """The dev metric of an experiment; None where it is not there.

    Raises UserError for a metric that fine-tuning does not record.
    """
    text = experiment.committed(name, space.result)
    if text is None:
        return None
    metrics = json.loads(text)
    if f"dev_{space.metric}" not in metrics:
        known = ", ".join(key.removeprefix("dev_") for key in metrics if key.startswith("dev_"))
        raise UserError(f"{space.name}: `metric` is {space.metric!r}; the dev set has {known}")
    return float(metrics[f"dev_{space.metric}"])


def values_of(file: Path, metric: str) -> list[float]:
    """Of the evaluations so far; a line that is being written is not there yet."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")[:-1]
    except OSError:
        return []
    return [row[DEV + metric] for line in lines if DEV + metric in (row := json.loads(line))]


def is_alive(pid: int, word: str) -> bool:
    """Whether a process of that number runs whose command has the word: numbers are used again."""
    if pid <= 0:
        return False
    if Path("/proc/self").exists():  # Linux, where a container may have no `ps`
        try:
            return word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
    told = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], check=False, capture_output=True, text=True)
    return word in told.stdout


def stop(group: int, is_running: Callable[[], bool]) -> None:
    """End a group of processes: Ctrl-C first, so that a training keeps its state, after half a minute by force."""
    for number, seconds in ((signal.SIGINT, 30.0), (signal.SIGKILL, 5.0)):
        if not is_running():
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
        until = time.monotonic() + seconds
        while is_running() and time.monotonic() < until:
            time.sleep(SECONDS_BETWEEN)


def last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return ([*errors[:1], *lines[::-1]] or ["no message"])[0][:200]
