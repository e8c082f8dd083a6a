"""`whyrank init`: a DVC repository that runs on the installed package, in a folder of the user's."""

import argparse
import hashlib
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from whyrank.commands import template
from whyrank.commands.experiment import DVC
from whyrank.core import io
from whyrank.core.errors import UsageError, UserError
from whyrank.core.options import overrides
from whyrank.core.options.yaml_files import PARAMS, read_yaml
from whyrank.core.rerun import PIPELINE

# On it every stage depends, in place of the sources of the package.
CODE = "whyrank.json"
SOURCES = re.compile(r"( *- )src/whyrank/\S+\n")
SAMPLE, PAIRS, RATINGS = "data/raw/sample", "data/raw/pairs", "data/raw/ratings"
OF_SAMPLE = "data/raw/ratings/sample.csv"
IGNORED = "__pycache__/\n*.pyc\n.venv/\n"
OUTPUTS = "/data/prepared/\n/data/runs/\n/models/*\n!/models/source/\n/logs/\n"
DATA = """corpus.jsonl      one answer a line: {"_id": "reset", "title": "Reset your password", "text": "Open ..."}
queries.jsonl     one query a line: {"_id": "q17", "text": "cant get in anymore", "metadata": {"type": "question"}}
qrels/train.tsv   query-id, corpus-id and score in the first line; below it which answer is relevant to which query
"""
NOT_USED = "{} go here; params.yaml says how to read them.\n"


READING = "prepare.files."


def run(asked: argparse.Namespace) -> str:
    """What `whyrank init` with these arguments did, and what to do next. Raises UserError as what it calls does."""
    if asked.upgrade:
        written, kept = upgrade(asked.folder or Path())
        changed = f"; changed by you, and kept: {', '.join(kept)}" if kept else ""
        return f"written: {', '.join(written) or 'nothing, all is as the installed package has it'}{changed}"
    if asked.table is None and asked.folder is None:
        raise UsageError("name a folder for the repository, or a table with --from; `whyrank init --help` says more")
    data = re.sub(r"\W+", "-", asked.table.name.split(".")[0]).strip("-") or "mine" if asked.table else "mine"
    target = (asked.folder or Path()) / "data/raw" / data
    told = [_converted(asked, target)] if asked.table else []
    if asked.folder is None:
        return "\n".join([*told, f"next: whyrank check {shlex.quote(str(target))}"])
    is_new = PARAMS in init(asked.folder, data, sample=asked.sample and not asked.table)
    if not asked.table and not asked.sample:
        told.append(f"{target / 'README.txt'} says which files to put there")
    steps = "git add . && git commit -m Start && dvc repro"
    if not is_new:
        source = f"prepare.source={overrides.written(f'data/raw/{data}')}"
        steps = overrides.command([source]) if asked.table else "dvc repro"
    return "\n".join(
        [*told, f"{asked.folder} is a repository of whyrank", f"next: cd {shlex.quote(str(asked.folder))} && {steps}"]
    )


def _converted(asked: argparse.Namespace, target: Path) -> str:
    """Turn tables into a set in BEIR layout; how many rows of each there are."""
    # Imported only here: it needs pandas.
    from whyrank.commands import from_table
    from whyrank.core.options.checking import typed
    from whyrank.core.options.files import Files

    if not (asked.query and asked.answer and asked.answers):
        raise UsageError("--from needs --query, --answer and --answers; `whyrank init --help` says more")
    changed = overrides.given(asked.overrides)
    if others := [key for key in changed if not key.startswith(READING)]:
        raise UsageError(f"-S {others[0]}: only {READING}* says how the tables are read")
    values = read_yaml(str(template.root() / PARAMS))["prepare"]["files"]
    how = typed(Files, values | {key.removeprefix(READING): one for key, one in changed.items()}, READING[:-1])
    columns = from_table.Columns(asked.query, asked.answer, asked.type, asked.id, asked.answers_id, asked.answers_text)
    made = from_table.convert(asked.table, asked.answers, columns, how, target, skip=asked.skip_bad_rows)
    skipped = f"; {made.skipped} rows with a fault left out" if made.skipped else ""
    return f"{target}: {made.answers} answers, {made.queries} queries, {made.judgements} judgements{skipped}"


def init(folder: Path, data: str, *, sample: bool) -> list[str]:
    """Make the repository, and bring what is missing into one that is there; the files that were written.

    data     name of the folder of the data, below data/raw
    sample   the bundled sample lies there in place of an explanation
    Raises UserError for a folder with a pipeline that `init` did not make.
    """
    if (folder / PIPELINE).exists() and not (folder / CODE).exists():
        raise UserError(f"{folder / PIPELINE} is another pipeline, which stays as it is; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    written = [name for name, content in files(data, sample=sample).items() if _write(folder / name, content)]
    _repository(folder)
    return written


def upgrade(folder: Path) -> tuple[list[str], list[str]]:
    """Let the stages run with the installed package; the files that were written, and those that the user changed.

    Raises UserError for a folder that `init` did not make.
    """
    if not (folder / CODE).exists():
        raise UserError(f"{folder / CODE} does not exist; `whyrank init {folder}` makes a repository")
    before = io.read_json(folder / CODE)["files"]
    written, kept = [], []
    for name, content in of_package().items():
        there = _digest((folder / name).read_bytes()) if (folder / name).exists() else ""
        if there == _digest(content):
            continue
        # That of whyrank.json stands in none.
        if there and name != CODE and there != before.get(name):
            kept.append(name)
            continue
        io.write_text(folder / name, content.decode())
        written.append(name)
    return written, kept


def files(data: str, *, sample: bool) -> dict[str, bytes]:
    """Everything that a new repository holds, by path."""
    root = template.root()
    brought = {str(file.relative_to(root)): file.read_bytes() for file in sorted((root / SAMPLE).rglob("*.*"))}
    return {
        **of_package(),
        PARAMS: _params((root / PARAMS).read_text(encoding="utf-8"), SAMPLE if sample else f"data/raw/{data}").encode(),
        "data/corrections/none.csv": (root / "data/corrections/none.csv").read_bytes(),
        **(brought if sample else {f"data/raw/{data}/README.txt": DATA.encode()}),
        f"{PAIRS}/README.txt": NOT_USED.format("Pairs of sentences").encode(),
        f"{RATINGS}/README.txt": NOT_USED.format("Rated texts").encode(),
        "models/source/.gitignore": b"*\n!.gitignore\n",
        ".gitignore": (IGNORED + OUTPUTS).encode(),
        ".dvcignore": IGNORED.encode(),
    }


def of_package() -> dict[str, bytes]:
    """What follows the installed package, by path."""
    root = template.root()
    found = {f"stages/{file.name}": file.read_bytes() for file in sorted((root / "stages").glob("*.py"))}
    found["params.schema.json"] = (root / "params.schema.json").read_bytes()
    found[PIPELINE] = pipeline((root / PIPELINE).read_text(encoding="utf-8")).encode()
    sums = {name: _digest(content) for name, content in found.items()}
    return {**found, CODE: f"{json.dumps({**json.loads(template.code()), 'files': sums}, indent=1)}\n".encode()}


def pipeline(text: str) -> str:
    """dvc.yaml with one dependency on the installed code in place of those on its sources."""
    return re.sub(rf"(?:{SOURCES.pattern})+", rf"\1{CODE}\n", text)


def _params(text: str, source: str) -> str:
    """params.yaml with the paths of a repository without sources."""
    changes: Mapping[str, str] = {
        r"made_of: src/whyrank/[\w/.]+": f"made_of: {CODE}",
        rf"source: {re.escape(OF_SAMPLE)}": f"source: {RATINGS}",
        rf"source: {re.escape(SAMPLE)}\b": f"source: {source}",
    }
    for pattern, becomes in changes.items():
        text, count = re.subn(pattern, becomes, text)
        assert count, pattern
    return text


def _write(file: Path, content: bytes) -> bool:
    """False where something is there: it stays."""
    if file.exists() or file.is_symlink():
        return False
    io.write_text(file, content.decode())
    return True


def _repository(folder: Path) -> None:
    """Git and DVC, where they are not there yet."""
    if shutil.which("git") is None:
        raise UserError("git is not installed; install it, and run `whyrank init` again")
    if not _ran(folder, "git", "rev-parse", "--is-inside-work-tree"):
        _ran(folder, "git", "init", "--quiet", "--initial-branch=main")
    if not (folder / ".dvc").is_dir():
        top = _ran(folder, "git", "rev-parse", "--show-toplevel") or ""
        below = [] if Path(top.strip()).resolve() == folder.resolve() else ["--subdir"]
        if _ran(folder, *DVC, "init", "--quiet", *below) is None:
            raise UserError(f"{folder}: `dvc init` failed; run it there to see why, then `whyrank init` again")


def _ran(folder: Path, *command: str) -> str | None:
    """What a command prints; None where it fails."""
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
