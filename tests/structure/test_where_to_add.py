"""The table "Where to add what" of docs/extend.md: its files exist, and toys added by those files alone work."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
# The package, and what the toys need beside it.
COPIED = ("src", "params.yaml", "docs/findings.md", "tests/shipped.py", "tests/diagnosis/conftest.py")
NEW = ""  # in place of a line that a text stands behind: the file is new


class Toy(NamedTuple):
    """changes   by file: a line of it, and the text that goes behind it
    code, says   what runs on the copy then, and what it prints
    """

    changes: dict[str, tuple[str, str]]
    code: str
    says: str


LOSS = Toy(
    {
        "src/whyrank/training/ranking/losses.py": (
            "TABLE = 2**21",
            """

def hinge(query_BD: torch.Tensor, answer_CD: torch.Tensor, target_B: torch.Tensor) -> torch.Tensor:
    score_BC = query_BD @ answer_CD.T
    return (0.2 + score_BC - score_BC.gather(1, target_B[:, None])).clamp(min=0).mean()
""",
        ),
        "src/whyrank/core/options/finetune.py": (
            '    """Ranking of the answers of a query."""',
            '\n    hinge: WeightedLoss = Field(description="a margin of 0.2")\n',
        ),
        "params.yaml": ("    rank:", "      hinge: {weight: 0.5}\n"),
    },
    """
import torch
from whyrank.core.options import params
from whyrank.training.loss_table import LossTable
from whyrank.training.ranking import losses
values = params.read_yaml("params.yaml")
params.check(values)
section = params.section(values, "finetune_rank", params.FinetuneRank).objectives.rank
table, unit = LossTable(losses, section), torch.eye(2)
loss = table("hinge", {"query_BD": unit, "answer_CD": unit, "target_B": torch.tensor([0, 1])})
print(table.weights, round(loss.item(), 3))
""",
    # The relevant answers keep their margin from the others and none from themselves: 0.2 in half of the places.
    "{'hinge': 0.5, 'cross_entropy': 1.0} 0.1",
)
CHECK = Toy(
    {
        "src/whyrank/preflight/probes/toy.py": (
            NEW,
            '''"""A toy."""

from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.probe import probe


@probe("toy", on="preflight", explains=("answers-without-queries",))
def toy(data):
    yield Finding(
        severity="info",
        system="prepare",
        sentence="A toy speaks.",
        evidence=(Evidence("answers", len(data.answers)),),
        cause="A test.",
        fix=Fix({}),
        reference="none",
    )
''',
        ),
        "docs/findings.md": ("### answers-without-queries", "\n### toy\n"),
    },
    """
from tests.diagnosis.conftest import make_records
from whyrank.diagnosis import registry
from whyrank.findings.probe import registered
codes = registry.codes()
(toy,) = [probe for probe in registered("preflight", "trained") if probe.code == "toy"]
found = [(finding.code, finding.evidence[0].value) for finding in toy.find(make_records().data)]
print(codes.index("toy") < codes.index("answers-without-queries"), found)
""",
    "True [('toy', 40)]",
)
FORMAT = Toy(
    {
        "src/whyrank/data/files/readers.py": (
            '    ".parquet": read_parquet,',
            '    ".txt": lambda path, how: (Row(n, {"_id": str(n), "text": text}) for n, text in lines(path)),\n',
        )
    },
    """
from pathlib import Path
from whyrank.data.ranking.source import read_source
Path("mine/qrels").mkdir(parents=True)
Path("mine/corpus.txt").write_text("Reset it.\\nPay it.\\n")
Path("mine/queries.jsonl").write_text('{"_id": "q", "text": "how?"}\\n')
Path("mine/qrels/train.tsv").write_text("query-id\\tcorpus-id\\tscore\\nq\\t1\\t1\\n")
source = read_source("mine")
print(source.corpus.file, [row.cells["text"] for row in source.corpus.rows])
""",
    "corpus.txt ['Reset it.', 'Pay it.']",
)
SECTION = Toy(
    {
        "src/whyrank/diagnosis/report/sections/toy.py": (
            NEW,
            '''"""A toy."""

from whyrank.diagnosis.report.blocks import Paragraph, Section


def section(content):
    return Section(15, "A toy", [Paragraph(f"{len(content.findings)} findings & more")])
''',
        )
    },
    """
from pathlib import Path
from tests.diagnosis.conftest import make_records
from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.report import files
case = Examination(make_records(), "accuracy@1", level=0.95, resamples=100, seed=7)
files.write(case, [], "out", provenance={})
print("## A toy" in Path("out/report.md").read_text(), "0 findings &amp; more" in Path("out/report.html").read_text())
""",
    "True True",
)
# That it is scored, compared and reported is tested by running the stages (`tests/pipeline`).
SYSTEM = Toy(
    {"params.yaml": ("systems:", "  base-cls: {kind: encoder, role: zero-shot, made_of: models/base, pooling: cls}\n")},
    """
from whyrank.core.options import params
from whyrank.findings.systems import Systems
from whyrank.scoring.systems import KINDS
values = params.read_yaml("params.yaml")
params.check(values)
print(params.system(values, "base-cls").kind in KINDS, "base-cls" in Systems.of(values).encoders)
""",
    "True True",
)
TOYS = {"a loss": LOSS, "a check": CHECK, "a file format": FORMAT, "a report section": SECTION, "a system": SYSTEM}
# One process for all toys: most of its time is spent on imports.
RUN = """
import contextlib, io, json, sys, traceback
said = {}
for what, code in json.load(sys.stdin).items():
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            exec(code, {})
        except Exception:
            traceback.print_exc(file=out)
    said[what] = out.getvalue().strip()
print(json.dumps(said))
"""


def table() -> dict[str, list[str]]:
    """Files by what they add, as the page names them; `<name>` stands for a name of the user's."""
    page = (ROOT / "docs/extend.md").read_text(encoding="utf-8")
    rows = page.split("## Where to add what")[1].split("\n## ")[0]
    found = re.findall(r"^\| (an? [^|(]+?)(?: \([^|]*\))? \| ([^|]*) \|$", rows, flags=re.MULTILINE)
    return {what: re.findall(r"`([\w./<>-]+)`", files) for what, files in found}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the code of each toy prints on a copy to which all toys were added."""
    copy = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        source, target = ROOT / name, copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    for name, (line, text) in ((name, change) for toy in TOYS.values() for name, change in toy.changes.items()):
        before = "" if line == NEW else (copy / name).read_text(encoding="utf-8")
        pattern = rf"(?m)^{re.escape(line)}( +#.*)?\n"
        assert line == NEW or len(re.findall(pattern, before)) == 1, f"{name} has not one line {line!r}"
        after = re.sub(pattern, lambda found, text=text: found[0] + text, before) if before else text
        (copy / name).write_text(after, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps({what: toy.code for what, toy in TOYS.items()}),
        capture_output=True,
        text=True,
        cwd=copy,
        env={"PYTHONPATH": f"{copy / 'src'}:{copy}", "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_the_table_names_files_that_exist():
    assert set(table()) >= {*TOYS, "a task"}
    for files in table().values():
        assert files
        for name in files:
            assert (ROOT / name.split("<")[0]).exists(), name


@pytest.mark.parametrize("what", TOYS)
def test_a_toy_is_added_by_files_that_the_table_names_and_works(what, said):
    patterns = [re.sub("<.*?>", r"\\w+", re.escape(file)) for file in table()[what]]
    for name in TOYS[what].changes:
        assert any(re.fullmatch(pattern, name) for pattern in patterns), f"{name} is not named for {what}"
    assert said[what] == TOYS[what].says
