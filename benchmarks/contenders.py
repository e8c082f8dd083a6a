"""Who is measured, and the rounds in which they take turns.

Every measurement is a process of its own. A round runs each contender once; the next round runs them in the opposite
order, so that a machine that grows slower or faster is not taken for a difference.
"""

import argparse
import os
import re
import subprocess
import sys
import time
import venv
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from task import Task

from whyrank.core import io

FOLDER = Path(__file__).parent
REQUIREMENTS = FOLDER / "requirements-peers.txt"
TOKENS_TO_ENCODE = 256  # where the embedded encoder cuts texts by itself
LEARNING_RATE = 2e-5
EPOCHS_FROZEN = 10
LIBRARY = f"sentence-transformers {version('sentence-transformers')}"
# Its pinned version stands in one place.
ANGLE = re.findall(r"^angle_emb==.*", REQUIREMENTS.read_text(encoding="utf-8"), re.M)[0].replace("==", " ")
BEST: dict[str, Any] = {"grouped": True, "attention_dropout": 0.0}


class Contender(NamedTuple):
    shown: str
    script: str
    work: str
    options: dict[str, Any]


CONTENDERS = {
    "ours": Contender("whyrank", "ours.py", "finetune", {"train": "all"}),
    "theirs": Contender(f"{LIBRARY}, as it comes", "peers.py", "finetune", {}),
    "theirs, best": Contender(f"{LIBRARY}, lengths grouped, no attention dropout", "peers.py", "finetune", BEST),
    "theirs, bf16": Contender(
        f"{LIBRARY}, bfloat16, lengths grouped", "peers.py", "finetune", {"bf16": True, "grouped": True}
    ),
    "theirs, bf16, best": Contender(
        f"{LIBRARY}, bfloat16, lengths grouped, no attention dropout", "peers.py", "finetune", {"bf16": True} | BEST
    ),
    "angle": Contender(ANGLE, "peers.py", "angle", {}),
    "ours, frozen": Contender("whyrank", "ours.py", "finetune", {"train": "head"}),
    "theirs, frozen": Contender(f"{LIBRARY}, a Dense head", "peers.py", "frozen", {}),
    "ours, last": Contender("whyrank", "ours.py", "finetune", {"train": "last"}),
    "ours, encode": Contender("whyrank", "ours.py", "encode", {}),
    "theirs, encode": Contender(f"{LIBRARY}, as it comes", "peers.py", "encode", {}),
    "theirs, encode bf16": Contender(f"{LIBRARY}, bfloat16 autocast", "peers.py", "encode", {"bf16": True}),
}
# What a brief run compares: the training of the whole encoder beside the peer's best settings.
BRIEF = ("ours", "theirs, best", "theirs, bf16, best")
# Those that train the whole encoder, as "ours" does.
TUNED = [name for name, one in CONTENDERS.items() if one.script == "peers.py" and one.work in ("finetune", "angle")]

Results = dict[str, list[dict[str, Any]]]


class Left(NamedTuple):
    """Contenders that do not run, by name, each with the reason; and the Python of angle_emb."""

    reasons: dict[str, str]
    python: Path


def left_out(*, has_bf16: bool, quick: bool, brief: bool) -> Left:
    needing = [name for name, one in CONTENDERS.items() if one.options.get("bf16")]
    reasons = {} if has_bf16 else dict.fromkeys(needing, "not run: no faster than float32 on this processor")
    if brief:
        others = [name for name in CONTENDERS if name not in BRIEF]
        return Left(dict.fromkeys(others, "not run: --brief") | reasons, Path(sys.executable))
    if quick:
        return Left(reasons | {"angle": "not run: --quick"}, Path(sys.executable))
    try:
        return Left(reasons, environment())
    except subprocess.CalledProcessError as error:
        return Left(reasons | {"angle": f"cannot be installed: {last_line(error.stderr)}"}, Path(sys.executable))


def environment() -> Path:
    """The Python of benchmarks/.venv-peers, which is made anew when the requirements have changed.

    Raises CalledProcessError where they cannot be installed.
    """
    folder = FOLDER / ".venv-peers"
    python, installed = folder / "bin" / "python", folder / "installed.txt"
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
        venv.create(folder, with_pip=True, clear=True)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        command = [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(REQUIREMENTS)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        installed.write_text(wanted, encoding="utf-8")
    return python


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1][:160]


def run_rounds(task: Task, options: argparse.Namespace, left: Left) -> Results:
    """Results of every round by contender; a peer that fails is added to those left out, with its last words."""
    results: Results = {name: [] for name in CONTENDERS}
    for number in range(options.repeats):
        for name in list(CONTENDERS)[:: -1 if number % 2 else 1]:
            if name in left.reasons:
                continue
            started = time.monotonic()
            try:
                results[name].append(run(name, task, options, number, left.python))
            except subprocess.CalledProcessError as error:
                if CONTENDERS[name].script == "ours.py":
                    sys.exit(error.stderr)
                left.reasons[name] = f"does not run: {last_line(error.stderr)}"
            seconds = time.monotonic() - started
            print(f"round {number + 1} of {options.repeats}: {name}, {seconds:.0f} s", file=sys.stderr, flush=True)
    return results


def run(name: str, task: Task, options: argparse.Namespace, number: int, python: Path) -> dict[str, Any]:
    """The seconds that a contender measured, with `vectors`, the file of its vectors."""
    one = CONTENDERS[name]
    folder = task.folder / f"{name} {number}"
    folder.mkdir()
    whole = one.options.get("train") == "head"
    job = {
        "task": str(task.folder),
        "work": one.work,
        "options": one.options,
        "seed": options.seed + number,
        "batch": options.batch,
        "tokens": TOKENS_TO_ENCODE if one.work == "encode" else options.tokens,
        "learning_rate": LEARNING_RATE,
        "warm_up": options.warm_up,
        # The peers note where steps begin, so that one step more closes the last one that is timed.
        "steps": round(EPOCHS_FROZEN * task.pairs / options.batch) if whole else options.warm_up + options.steps + 1,
    }
    io.write_json(folder / "job.json", job)
    command = [str(python if one.work == "angle" else sys.executable), str(FOLDER / one.script), str(folder)]
    # Vectors that another run has left would be found in the cache instead of computed.
    environment = os.environ | {"WHYRANK_CACHE": str(folder / "cache")}
    subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return io.read_json(folder / "result.json") | {"vectors": folder / "vectors.npy"}
