"""An experiment of DVC in a temporary copy of the repository: params.yaml and all results of the workspace stay.

It starts from the committed params.yaml, whatever an earlier experiment left in that of the workspace.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from whyrank.core.errors import UserError
from whyrank.core.options import overrides
from whyrank.core.options.yaml_files import PARAMS, read_yaml, starting_params

# A dependency in dvc.yaml that params.yaml names, of the whole pipeline or of each entry of a section.
NAMED = re.compile(r"\$\{([\w.]+)\}")
# What a stage reads and dvc.yaml cannot name: the encoder, whose files `prepare` shows to DVC in another folder, and
# cross-encoders. Each is a folder, a hub id or a word; the second may be empty, and few systems have the third.
MODELS = ("${encoder.source}", "${finetune_rank.reranker.model}", "${item.model}")
# Another command of DVC may hold its lock, at the start and the end of an experiment: several run side by side.
DVC = [sys.executable, "-m", "dvc", "--wait-for-lock"]
# Where DVC says of each experiment in which copy it runs, of the queue and else. The copies lie beside these folders.
RECORDED = (".dvc/tmp/exps/run", ".dvc/tmp/exps/standalone/run")


def run(name: str, question: str, settings: Sequence[str], targets: Sequence[str] = ()) -> None:
    """Run it with these overrides; its results are what `fetch` gives. targets: as of `command`.

    An earlier experiment of the name gives way. Raises UserError where DVC fails.
    """
    start = overrides.to_committed()
    given_keys = {overrides.key_of(setting) for setting in settings}
    keys = dict.fromkeys(key for setting in start if (key := overrides.key_of(setting)) not in given_keys)
    if keys:
        print(f"{PARAMS} is taken as committed, without the changes of {', '.join(keys)}", file=sys.stderr)
    remove(name)
    clear(name)
    try:
        code = followed(command(name, question, settings, targets))
    finally:
        clear(name)
    if code:
        raise UserError(f"experiment {name}: `dvc exp run` failed; its message stands above")


def command(name: str, question: str, settings: Sequence[str], targets: Sequence[str] = ()) -> list[str]:
    """What runs it from the committed params.yaml. targets: the stages it is about, with what they need; none: all."""
    given = [part for setting in (*overrides.to_committed(), *settings) for part in ("-S", setting)]
    beside = [part for path in unknown_to_git(settings) for part in ("-C", path)]
    return [*DVC, "exp", "run", "--temp", "-n", name, "-m", question, *given, *beside, *targets]


def remove(name: str) -> None:
    """Let an earlier experiment of the name give way: forcing the name would also force every stage to run again."""
    subprocess.run([*DVC, "exp", "remove", name], check=False, capture_output=True)


def committed(name: str, path: str) -> str | None:
    """The text of a file that Git keeps of an experiment; None where there is none."""
    ref = refs().get(name)
    return ref and (_git("show", f"{ref}:{path}") or None)


def refs() -> dict[str, str]:
    """Where Git keeps each experiment, by its name."""
    found = _git("for-each-ref", "--format=%(refname)", "refs/exps").split()
    return {ref.rpartition("/")[2]: ref for ref in reversed(found)}


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=False, capture_output=True, text=True).stdout


def followed(command: Sequence[str]) -> int:
    """The exit code of a command; what interrupts us interrupts it and all that it started, and is waited for."""
    # DVC itself ignores Ctrl-C while a stage runs: the signal has to reach the stage.
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            return process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGINT)
            # After Ctrl-C the block itself waits for a quarter of a second.
            process.wait()
            raise


def clear(name: str) -> None:
    """Remove the temporary copies that interrupted experiments of this name left; DVC leaves them for good."""
    for run in (found for folder in RECORDED for found in Path(folder).glob("*")):
        # Other experiments that run now write theirs, and take them away.
        with suppress(OSError, ValueError, KeyError):
            copy = json.loads((run / f"{run.name}.run").read_text(encoding="utf-8"))
            if copy["name"] == name and copy["location"] == "tempdir":
                shutil.rmtree(copy["root_dir"], ignore_errors=True)
                shutil.rmtree(run, ignore_errors=True)


def fetch(name: str, path: str, target: Path) -> bool:
    """Copy a file or folder of the results of an experiment or a commit; False where there is none.

    False, too, where the results are in no cache of this machine.
    """
    # Imported only here: it takes a second.
    from dvc.api import DVCFileSystem

    files = DVCFileSystem(rev=name)
    if not files.exists(path):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        files.get(path, str(target), recursive=files.isdir(path))
    except Exception as error:
        # The index of DVC wraps the loss of a whole folder in an error of its own.
        if not isinstance(error.__cause__ or error, FileNotFoundError):
            raise
        return False
    return True


def unknown_to_git(settings: Sequence[str]) -> list[str]:
    """What the stages of a run with these overrides depend on, and a copy would lack: neither Git nor DVC tracks it."""
    values, pipeline = starting_params(), read_yaml("dvc.yaml")
    tracked = set(git("ls-files"))
    found: dict[str, None] = {}
    for dependency in dependencies(pipeline):
        named = NAMED.fullmatch(dependency)
        paths = list(looked_up(values, settings, named[1])) if named else [dependency]
        for path in filter(is_inside, paths):
            others = git("ls-files", "--others", "--exclude-standard", "--", path)
            if named and not any(PurePosixPath(one).is_relative_to(path) for one in tracked):
                others = [] if is_tracked_by_dvc(path, tracked) else [path]
            found |= dict.fromkeys(with_its_folder(other, tracked) for other in others)
    return [path for path in found if found.keys().isdisjoint(map(str, PurePosixPath(path).parents))]


def dependencies(pipeline: dict[str, Any]) -> Iterator[str]:
    """As they stand in dvc.yaml, each once, less those with a name in them, which stages write; and `MODELS`."""
    yield from MODELS
    stages = (stage.get("do", stage) for stage in pipeline["stages"].values())
    for path in dict.fromkeys(path for stage in stages for path in stage["deps"]):
        if "${" not in path or NAMED.fullmatch(path):
            yield path


def looked_up(values: Any, settings: Sequence[str], key: str) -> Iterator[str]:
    """The value of a dotted key after the settings; of `item.…` that of each system."""
    given = overrides.given(one for one in settings if not one.startswith("~"))
    first, _, rest = key.partition(".")
    if first == "item":
        yield from (str(system[rest]) for system in values["systems"].values() if rest in system)
        own = {name: value for name, value in given.items() if name.startswith("systems.")}
        yield from (str(value) for name, value in own.items() if name.endswith(f".{rest}"))
        yield from (str(value[rest]) for value in own.values() if isinstance(value, dict) and rest in value)
    elif key in given:
        yield str(given[key])
    else:
        for part in key.split("."):
            values = values[part]
        yield str(values)


def is_inside(path: str) -> bool:
    """Whether it is in the repository; what lies elsewhere is read where it is."""
    is_relative = path != "" and not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts
    return is_relative and Path(path).exists()


def is_tracked_by_dvc(path: str, tracked: set[str]) -> bool:
    """A pointer that Git does not know brings nothing into a copy."""
    from dvc.api import DVCFileSystem

    above = [path, *map(str, PurePosixPath(path).parents)]
    pointers = [f"{one}.dvc" for one in above if Path(f"{one}.dvc").exists()]
    return DVCFileSystem().isdvc(path) and all(pointer in tracked for pointer in pointers)


def with_its_folder(path: str, tracked: set[str]) -> str:
    """`path`; of a file in a folder of which Git tracks nothing that folder, since DVC makes none for a file."""
    above = PurePosixPath(path).parent
    is_there = any(PurePosixPath(name).is_relative_to(above) for name in tracked)
    return path if is_there or Path(path).is_dir() else str(above)


def git(command: str, *arguments: str) -> list[str]:
    """The paths that a command of Git lists; none where there is no Git."""
    listed = subprocess.run(["git", command, "-z", *arguments], check=False, capture_output=True, text=True).stdout
    return [name for name in listed.split("\0") if name]
