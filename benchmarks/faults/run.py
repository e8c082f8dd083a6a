"""Which cases there are, and running them side by side; results are lines of JSON, and a case that is there is kept."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.faults import cases, fix, healthy, kinds, processes, sets
from benchmarks.faults.cases import Case
from benchmarks.faults.fault import Fault

# Sets and seeds that thresholds are set on, and those that they are measured on.
SEEDS = {"development": (1, 2, 3), "held-out": (11, 12, 13), "blind": (21, 22, 23), "blind-2": (31, 32, 33)}
LIMIT = 400.0


def planned(kind: str, only: Sequence[str] = (), seeds: int = 3) -> list[Case]:
    """kind    one of SEEDS, or healthy;  only    parts of names of faults or sets;  seeds   of each

    A fault runs with every seed, each on the next of the sets of its task, so that each set has its turn.
    """
    if kind == "healthy":
        found = list(healthy.runs())
    else:
        found = [
            Case(kind, fault, own[(number + at) % len(own)], seed)
            for number, fault in enumerate(kinds.faults(kind))
            for own in [sets_of(fault)]
            for at, seed in enumerate(SEEDS[kind][:seeds])
        ]
    return [one for one in found if not only or any(word in one.key for word in only)]


def sets_of(fault: Fault) -> list[str]:
    return [name for name in sets.SETS[fault.task] if sets.is_there(fault.task, name)]


def version() -> str:
    """Of the code that a result depends on: two commits that differ in a page alone have the same."""
    files = [sets.ROOT / "params.yaml", sets.ROOT / "dvc.yaml"]
    files += [file for folder in ("src", "stages") for file in sorted((sets.ROOT / folder).rglob("*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:10]


def run(found: Iterable[Case], work: Path, out: Path, *, at_once: int = 2) -> None:
    """Append a row for each case that `out` has not yet, twins first."""
    work.mkdir(parents=True, exist_ok=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    done = {row["key"] for row in rows(out)}
    left = [one for one in found if one.key not in done]
    twins = {one.twin.key: one.twin for one in left if one.kind != "healthy"}
    missing = [
        one for one in twins.values() if one.key not in done or not (work / one.folder / "measured.json").exists()
    ]
    with tqdm(total=len(missing) + len(left), unit="case") as bar, open(out, "a", encoding="utf-8") as stream:
        for batch in (missing, left):
            for case, row in finished(batch, work, at_once):
                row = {"key": case.key, "kind": case.kind, "fault": case.fault.name, "about": case.fault.about} | row
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
                stream.flush()
                bar.set_postfix_str(case.fault.name)
                bar.update()


def mend(found: Iterable[Case], work: Path, out: Path, *, at_once: int = 2) -> None:
    """Append a row for each case of `out` that did harm and can be mended: what the steps of its fix plans brought."""
    told = {row["key"]: row for row in rows(out)}
    harmed = {key for key, row in told.items() if row.get("mendable") and row.get("harm")}
    left = [one for one in found if one.key in harmed and f"fix/{one.key}" not in told]
    jobs = [(one, lambda one=one: fix.mend(one, work)) for one in left]
    done = processes.side_by_side(jobs, work, at_once=at_once, limit=4 * LIMIT)
    with tqdm(total=len(left), unit="case") as bar, open(out, "a", encoding="utf-8") as stream:
        for case, row in done:
            row = {"key": f"fix/{case.key}", "kind": "fix", "fault": case.fault.name, "about": case.fault.about} | row
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
            stream.flush()
            bar.update()


def finished(batch: Sequence[Case], work: Path, at_once: int) -> Iterator[tuple[Case, dict[str, Any]]]:
    jobs = [(one, lambda one=one: cases.run(one, work)) for one in batch]
    yield from processes.side_by_side(jobs, work, at_once=at_once, limit=LIMIT)


def rows(out: Path) -> list[dict[str, Any]]:
    """What was recorded, the last of each case."""
    if not out.exists():
        return []
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines() if line]
    return list({row["key"]: row for row in found}.values())
