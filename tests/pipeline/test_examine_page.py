"""Every command of docs/examine.md, in an empty folder: no clone, and no repository but those that it makes."""

import csv
import json
import re
import shutil

import pytest

from whyrank.model.encoder import source

from .conftest import ROOT, Clone, write_source

pytestmark = pytest.mark.slow
PAGE = "docs/examine.md"
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEAVES = re.compile(r"\*\*What these commands leave:\*\*(.*?)\n")
# The wheel is tests/commands/test_template.py's; a hub is out of reach.
INSTEAD = {
    "pip install whyrank-*.whl": "true",
    "your-org/your-set": "data/raw/tickets",
    "BAAI/bge-small-en-v1.5": "given/base",
    "models/support": "given/support",
}


def give(folder):
    """Tables of tickets and answers, a model, what it was trained from, and the log of its training."""
    write_source(folder / "given/set")
    rows = {
        name: [json.loads(line) for line in (folder / f"given/set/{name}.jsonl").read_text().splitlines()]
        for name in ("corpus", "queries")
    }
    with open(folder / "answers.csv", "w", newline="") as file:
        csv.writer(file).writerows([["answer_id", "text"], *((row["_id"], row["text"]) for row in rows["corpus"])])
    with open(folder / "tickets.csv", "w", newline="") as file:
        asked = ((row["text"], row["_id"].split("-")[0], row["metadata"]["type"]) for row in rows["queries"])
        csv.writer(file).writerows([["text", "answer_id", "channel"], *asked])
    for name in ("base", "support"):
        shutil.copytree(source.embedded_folder(), folder / "given" / name)
    log = [{"step": i + 1, "loss": 3 - i * 0.05, "learning_rate": 2e-5 * (1 - i / 40)} for i in range(40)]
    (folder / "given/support/trainer_state.json").write_text(json.dumps({"log_history": log, "max_steps": 40}))


def test_the_commands_of_the_page_work_in_an_empty_folder_and_leave_what_it_says(tmp_path):
    give(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    script = "\n".join(BLOCK.findall(text))
    for shown, here in INSTEAD.items():
        assert shown in script
        script = script.replace(shown, here)
    # A check ends with a code that says how bad the worst finding is.
    script = re.sub(r"(?m)^(whyrank check [^#\n]*)", r"(\1) || test $? -ge 3", script)
    Clone(tmp_path).done("bash", "-e", "-c", script, PYTHONPATH=str(ROOT / "src"))
    said = LEAVES.search(text)
    assert said and {path.name for path in tmp_path.iterdir()} - before == set(re.findall(r"`([\w-]+)`", said[1]))
    assert "| support " in (tmp_path / "examined/metrics/diagnose/report.md").read_text()
