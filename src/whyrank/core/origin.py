"""Of which experiment and which commit a run is, in words that repeat: every clone of a commit says the same."""

import os
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from typing import NamedTuple

# What a run is made of. A commit of anything else, as of the results themselves or of a command that no stage calls,
# leaves what is said as it is: else a report would not be that of its clone though DVC has nothing to run.
BESIDE = (":(exclude)src/whyrank/commands", ":(exclude)src/whyrank/__main__.py")
CODE = ("dvc.yaml", "stages", "src", *BESIDE)
MADE_OF = (*CODE, "params.yaml", "data")
DIGITS = 8  # of a commit: as many as Git abbreviates to depends on the clone


class Origin(NamedTuple):
    """experiment   its name; no branch stands for it, since a checkout of the same commit may have none
    commit, date   the last one that changed what the run is made of
    has_changed  whether the code of the workspace is another than the committed one
    settings     what turns the committed params.yaml into that of the run
    Empty where Git has none.
    """

    experiment: str = ""
    commit: str = ""
    date: str = ""
    has_changed: bool = False
    settings: tuple[str, ...] = ()


NO_ORIGIN = Origin()


def origin() -> Origin:
    """Of the run in this workspace. DVC tells the stages of an experiment its name, and the commit it began from."""
    experiment = os.environ.get("DVC_EXP_NAME", "")
    start = os.environ.get("DVC_EXP_BASELINE_REV", "HEAD")
    commit, _, date = _git("log", "-1", "--format=%H %cs", start, "--", *MADE_OF).partition(" ")
    return Origin(experiment, commit[:DIGITS], date, bool(_git("status", "--porcelain", "--", *CODE)))


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Of libraries, less what says which processor they were built for. A report with them is the same on each machine.

    The version of Python is left out: two of its patches give the same figures.
    """
    return {name: version(name).partition("+")[0] for name in packages}


def committed(file: str) -> str:
    """The text of a file of this folder as the last commit has it; empty where it has none."""
    return _git("show", f"HEAD:./{file}")


def _git(*arguments: str) -> str:
    """What Git says; empty where it fails."""
    try:
        ran = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, errors="replace")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return ran.stdout.strip()
