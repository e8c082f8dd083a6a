"""dvc.lock: what each stage read and wrote, and so whether a result is of what stands there now."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from whyrank.core.errors import UserError
from whyrank.core.options.yaml_files import parsed

LOCK = "dvc.lock"


def stages(root: Path) -> dict[str, Any]:
    """What dvc.lock says of each stage. Raises UserError where it is torn."""
    try:
        found: dict[str, Any] = parsed((root / LOCK).read_bytes(), LOCK)["stages"]
    except (UserError, LookupError, TypeError):
        raise UserError(f"{LOCK} is torn or was edited, and no YAML any more; run `dvc repro`") from None
    return found


def made_by(stages: Mapping[str, Any], path: str) -> list[str]:
    """Names of the stages of dvc.lock that led to `path` or to what lies in it, in the order in which they ran."""
    last = [name for name, stage in stages.items() if any(_is_in(out, path) for out in hashes(stage, "outs"))]
    before = [name for stage in last for dep in hashes(stages[stage], "deps") for name in made_by(stages, dep)]
    return list(dict.fromkeys([*before, *last]))


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def hashes(stage: Mapping[str, Any], kind: str) -> dict[str, str]:
    """Path to MD5 of what a stage of dvc.lock read (`deps`) or wrote (`outs`)."""
    return {entry["path"]: entry.get("md5", "") for entry in stage.get(kind, [])}


def check_read(stages: Mapping[str, Any], readers: Iterable[str]) -> None:
    """Raises UserError where one of these stages read another version of a file than was written last."""
    written = {path: md5 for stage in stages.values() for path, md5 in hashes(stage, "outs").items()}
    for name in readers:
        for path, md5 in hashes(stages[name], "deps").items():
            if written.get(path, md5) != md5:
                raise UserError(f"{path} was made anew after {name} had read it; run `dvc repro`")


def check(path: str, root: Path) -> None:
    """Raises UserError where what led to `path` was made anew since; of what DVC did not make nothing is known."""
    if (root / LOCK).exists():
        recorded = stages(root)
        check_read(recorded, made_by(recorded, path))
