"""`whyrank check`: what can be said of data before any training, in a folder that is gone afterwards. No DVC."""

import json
import re
import shlex
import shutil
import sys
import tempfile
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from io import TextIOBase
from pathlib import Path
from typing import Any, NamedTuple

from whyrank.commands import in_process, template, verdict
from whyrank.commands.report import finite
from whyrank.core import io
from whyrank.core.errors import UserError
from whyrank.core.options import overrides, params
from whyrank.core.options.yaml_files import PARAMS, read_yaml
from whyrank.findings.diagnosis import tally
from whyrank.findings.finding import CORRECTIONS, SEVERITIES, Fix

# Beside 1 of a user's mistake and 2 of a wrong command.
CODES: Mapping[str, int] = {"error": 4, "warning": 3, "info": 0}
RECORDED = Path("metrics/prepare")
SAID_LATER = "preflight: "
START = "A command holds what this one changed."
# Values that may be paths, which the stages read from a folder of their own.
PATHS = ("encoder.source", "prepare.source", CORRECTIONS, "prepare.pairs.folder", "prepare.ratings.source")


class Checked(NamedTuple):
    """data       as the user calls it;  metrics   as in metrics/prepare.json
    findings   as in findings.json, the command of each one of `whyrank check`
    checks     how each check ended
    """

    data: str
    metrics: dict[str, float]
    findings: list[dict[str, Any]]
    checks: list[dict[str, Any]]
    tally: str

    @property
    def verdict(self) -> str:
        """In one sentence."""
        counts = Counter(one["severity"] for one in self.findings)
        found = ", ".join(f"{counts[one]} {one}{'s' * (counts[one] > 1)}" for one in SEVERITIES[:2] if counts[one])
        size = f"{self.metrics['queries']:.0f} queries, {self.metrics['answers']:.0f} answers"
        return f"{self.data}: {found or 'nothing that would spoil training'} ({size})."

    @property
    def code(self) -> int:
        """The exit code: that of the worst finding."""
        return max((CODES[one["severity"]] for one in self.findings), default=0)

    def text(self) -> str:
        """Markdown, as of `whyrank verdict`."""
        told = [{**one, "sentence": one["sentence"] + _by_hand(one["fix"])} for one in self.findings]
        return verdict.rendered(verdict.Told(self.verdict, told, self.tally), START)

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = finite(
            {"verdict": self.verdict, "metrics": self.metrics, "checks": self.checks, "findings": self.findings}
        )
        return found


def run(asked: Namespace) -> int:
    """Print what `check` says, as the command line asks it; the exit code of the worst finding."""
    found = check(asked.data, asked.overrides, asked.out)
    print(json.dumps(found.as_json(), indent=1, ensure_ascii=False) if asked.json else found.text(), flush=True)
    return found.code


def check(data: str, settings: Sequence[str], out: Path | None = None) -> Checked:
    """Read, split, cut and examine a folder in BEIR layout or a hub id, as `prepare` does.

    settings   overrides of the package's params.yaml
    out        keeps what was recorded, with the lists of rows that findings name
    Raises UserError for whatever `prepare` refuses, and for `out` with files in it.
    """
    if out is not None and out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty, and stays as it is; name a new folder with --out")
    root = template.root()
    values = of_data(data, settings, read_yaml(str(root / PARAMS)))
    params.check(values)
    with tempfile.TemporaryDirectory(prefix="whyrank-check-") as name:
        folder = Path(name) / "run"
        in_process.arrange(folder, root, values)
        with without(SAID_LATER):
            in_process.run(folder, root, [("prepare", "")], lambda _: None)
        recorded = folder / RECORDED
        findings = [_with_command(one, data, settings, out) for one in io.read_json(recorded / "findings.json")]
        checks = io.read_table(recorded / "checks.csv")
        metrics = io.read_json(recorded.with_suffix(".json"))
        if out is not None:
            with io.replacing_folder(out) as kept:
                shutil.copytree(recorded, kept, dirs_exist_ok=True)
    return Checked(
        data,
        metrics,
        findings,
        [{str(name): value for name, value in row.items()} for row in checks.astype(object).to_dict("records")],
        tally(checks),
    )


def of_data(data: str, settings: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a params.yaml that read these data, whatever the folder of the run; nothing stops it."""
    changed = overrides.given(settings)
    start = {"prepare.source": data, "prepare.hub": "", "preflight.stop_on": "never"}
    try:
        found = overrides.put(values, {**start, **changed})
    except KeyError as error:
        raise UserError(f"-S {error.args[0]}: params.yaml has no such key; `whyrank schema` has all of them") from None
    for key in PATHS:
        found = overrides.put(found, {key: absolute(_value(found, key))})
    found["prepare"]["corrections"] = _value(found, CORRECTIONS)
    return found


def _value(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values


def absolute(path: str) -> str:
    """Of what is here, or would be: a name in a folder that is here is no hub id."""
    is_here = Path(path).exists() or (Path(path).parent != Path() and Path(path).parent.exists())
    return str(Path(path).absolute()) if is_here else path


@contextmanager
def without(start: str) -> Iterator[None]:
    """Leave out lines of standard error that start so: what they say is printed later."""

    class Rest(TextIOBase):
        is_within = False  # `print` writes the end of a line by itself

        def write(self, text: str) -> int:
            leaves, self.is_within = self.is_within or text.startswith(start), text.startswith(start)
            return len(text) if leaves else shown.write(text)

        def flush(self) -> None:
            shown.flush()

        def isatty(self) -> bool:
            return shown.isatty()

    shown = sys.stderr
    with redirect_stderr(Rest()):
        yield


def _with_command(finding: dict[str, Any], data: str, settings: Sequence[str], out: Path | None) -> dict[str, Any]:
    """The finding with a command of ours in place of one of DVC."""
    fix, also = finding["fix"], list(settings)
    rows = str((out or Path()) / Path(fix["rows"]).name) if fix["rows"] else ""
    more = Fix({**fix["params"], **({CORRECTIONS: rows} if rows and out else {})}, run=tuple(also)).all_settings
    given = [part for setting in more for part in ("-S", setting)]
    listing = ["--out", f"{Path(data).name}-check"] if rows and out is None else []
    command = shlex.join(["whyrank", "check", data, *given, *listing]) if fix["params"] or rows else ""
    told = {"action": _placed(fix["action"], out), "rows": rows, "command": command}
    return {**finding, "fix": {**fix, **told}}


def _by_hand(fix: Mapping[str, Any]) -> str:
    return f" Remedy: {fix['action']}." if fix["action"] and not fix["command"] else ""


def _placed(action: str, out: Path | None) -> str:
    """The tables that it names lie in `out`, or nowhere."""
    where = rf"{out}/\1" if out else r"\1 (which --out keeps)"
    return re.sub(rf"{RECORDED}/([\w-]+\.csv)", where, action)
