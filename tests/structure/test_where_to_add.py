"""The table "Where to add what" of the README: its files exist, and toys added to a copy by those files alone work."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The package, and what the toys need beside it.
COPIED = ("src", "params.yaml", "docs/findings.md", "tests/shipped.py", "tests/diagnosis/conftest.py")
NEW = ""  # in place of a line that a text stands behind: the file is new
Change = tuple[str, str]


def table() -> dict[str, list[str]]:
    """Files by what they add, as the README names them; `<name>` stands for a name of the user's."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = readme.split("### Where to add what")[1].split("\n## ")[0]
    found = re.findall(r"^\| (an? [^|(]+?)(?: \([^|]*\))? \| ([^|]*) \|$", rows, flags=re.MULTILINE)
    return {what: re.findall(r"`([\w./<>-]+)`", files) for what, files in found}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in COPIED:
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    return tmp_path


@pytest.fixture
def add(copy: Path) -> Callable[[str, dict[str, Change], str], str]:
    """Change files that the README names for `what`, then run code on the copy; returns what it prints.

    A change is a line of the file, and the text that goes behind it.
    """

    def run(what: str, changes: dict[str, Change], code: str) -> str:
        patterns = [re.sub("<.*?>", r"\\w+", re.escape(file)) for file in table()[what]]
        for name, (line, text) in changes.items():
            assert any(re.fullmatch(pattern, name) for pattern in patterns), f"{name} is not named for {what}"
            before = "" if line == NEW else (copy / name).read_text(encoding="utf-8")
            pattern = rf"(?m)^{re.escape(line)}( +#.*)?\n"
            assert line == NEW or len(re.findall(pattern, before)) == 1, f"{name} has not one line {line!r}"
            after = re.sub(pattern, lambda found, text=text: found[0] + text, before) if before else text
            (copy / name).write_text(after, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            cwd=copy,
            env={"PYTHONPATH": f"{copy / 'src'}:{copy}", "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


def test_the_table_names_files_that_exist():
    assert set(table()) >= {"a loss", "a check", "a file format", "a report section", "a system", "a task"}
    for files in table().values():
        assert files
        for name in files:
            assert (ROOT / name.split("<")[0]).exists(), name


def test_a_loss(add):
    hinge = """

def hinge(query_BD: torch.Tensor, answer_CD: torch.Tensor, target_B: torch.Tensor) -> torch.Tensor:
    score_BC = query_BD @ answer_CD.T
    return (0.2 + score_BC - score_BC.gather(1, target_B[:, None])).clamp(min=0).mean()
"""
    code = """
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
"""
    changes = {
        "src/whyrank/training/ranking/losses.py": ("TABLE = 2**21", hinge),
        "src/whyrank/core/options/finetune.py": (
            '    """Ranking of the answers of a query."""',
            '\n    hinge: WeightedLoss = Field(description="a margin of 0.2")\n',
        ),
        "params.yaml": ("    rank:", "      hinge: {weight: 0.5}\n"),
    }
    # The relevant answers keep their margin from the others and none from themselves: 0.2 in half of the places.
    assert add("a loss", changes, code) == "{'hinge': 0.5, 'cross_entropy': 1.0} 0.1"


def test_a_check(add):
    toy = '''"""A toy."""

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
'''
    code = """
from tests.diagnosis.conftest import make_records
from whyrank.diagnosis import registry
from whyrank.findings.probe import registered
codes = registry.codes()
(toy,) = [probe for probe in registered("preflight", "trained") if probe.code == "toy"]
print(codes.index("toy") < codes.index("answers-without-queries"))
print([(finding.code, finding.evidence[0].value) for finding in toy.find(make_records().data)])
"""
    changes = {
        "src/whyrank/preflight/probes/toy.py": (NEW, toy),
        "docs/findings.md": ("### answers-without-queries", "\n### toy\n"),
    }
    assert add("a check", changes, code).splitlines() == ["True", "[('toy', 40)]"]


def test_a_file_format(add, copy):
    reader = '''

def read_lines(path: Path) -> Iterator[Row]:
    """A text a line; its id is the number of the line."""
    for number, raw in _lines(path):
        yield Row(number, {"_id": str(number), "text": raw.decode("utf-8")})
'''
    code = """
from whyrank.data.files import readers
readers_of = readers.READERS
from whyrank.data.ranking.source import read_source
source = read_source("mine")
print(source.corpus.file, [row.cells["text"] for row in source.corpus.rows])
"""
    mine = copy / "mine"
    (mine / "qrels").mkdir(parents=True)
    (mine / "corpus.txt").write_text("Reset it.\nPay it.\n", encoding="utf-8")
    (mine / "queries.jsonl").write_text('{"_id": "q", "text": "how?"}\n', encoding="utf-8")
    (mine / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq\t1\t1\n", encoding="utf-8")
    file = "src/whyrank/data/files/readers.py"
    text = (copy / file).read_text(encoding="utf-8")
    (copy / file).write_text(text.replace("READERS: dict", f"{reader.strip()}\n\n\nREADERS: dict"), encoding="utf-8")
    changes = {file: ('    ".parquet": read_parquet,', '    ".txt": read_lines,\n')}
    assert add("a file format", changes, code) == "corpus.txt ['Reset it.', 'Pay it.']"


def test_a_report_section(add):
    toy = '''"""A toy."""

from whyrank.diagnosis.report.blocks import Paragraph, Section


def section(content):
    return Section(15, "A toy", [Paragraph(f"{len(content.findings)} findings & more")])
'''
    code = """
from pathlib import Path
from tests.diagnosis.conftest import make_records
from whyrank.diagnosis import report
from whyrank.diagnosis.examination import Examination
case = Examination(make_records(), "accuracy@1", level=0.95, resamples=100, seed=7)
report.write(case, [], "out", provenance={})
print("## A toy" in Path("out/report.md").read_text(), "0 findings &amp; more" in Path("out/report.html").read_text())
"""
    assert add("a report section", {"src/whyrank/diagnosis/report/sections/toy.py": (NEW, toy)}, code) == "True True"


def test_a_system(add):
    """That it is scored, compared and reported is tested by running the stages (`tests/pipeline`)."""
    code = """
from whyrank.core.options import params
from whyrank.findings.systems import Systems
from whyrank.scoring.systems import KINDS
values = params.read_yaml("params.yaml")
params.check(values)
print(params.system(values, "base-cls").kind in KINDS, "base-cls" in Systems.of(values).encoders)
"""
    entry = "  base-cls: {kind: encoder, role: zero-shot, made_of: models/base, pooling: cls}\n"
    assert add("a system", {"params.yaml": ("systems:", entry)}, code) == "True True"
