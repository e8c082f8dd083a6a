"""The command `report`: the text, the page and the JSON of the last diagnosis, and the schema of that JSON."""

import json
import math
import sys
import webbrowser
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from whyrank import __main__
from whyrank.commands import report
from whyrank.core import checksums, workspace
from whyrank.core.errors import UserError
from whyrank.findings.diagnosis import checks
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.plan import planned

ROOT = Path(__file__).parents[2]
FOUND = Finding(
    "underfitted", "warning", "base-tuned", "Training ended early.", evidence=(Evidence("slope", math.nan),),
    fix=Fix({"finetune_rank.epochs": 3}), interval=(-1.0, 2.0),
)  # fmt: skip


@pytest.fixture
def run(tmp_path, monkeypatch, shipped_params):
    """A folder with a diagnosis, and the command in it."""
    for name in workspace.FILES:
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    told, plan = planned([FOUND], shipped_params)
    with checksums.summed_folder("metrics/diagnose") as folder:
        (folder / "verdict.txt").write_text("Better.\n")
        (folder / "report.md").write_text("# All of it\n")
        (folder / "report.html").write_text("<p>All of it")
        (folder / "findings.json").write_text(json.dumps([one.as_json() for one in told]))
        (folder / "plan.json").write_text(json.dumps(plan.as_json()))
        checks(told, []).to_csv(folder / "checks.csv", index=False)
    Path("metrics/summary.json").write_text('{"base.mrr_question": 0.5}')

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["whyrank", "report", *arguments])
        __main__.main()

    return command


def test_the_text_is_that_of_the_terminal(run, capsys):
    run()
    assert capsys.readouterr().out == "# All of it\n"


def test_the_json_has_all_of_it_and_null_for_what_is_no_number(run, capsys):
    run("--json")
    found = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))
    TypeAdapter(report.Report).validate_python(found, strict=False)
    (finding,) = found["findings"]
    assert finding["sentence"] == FOUND.sentence and finding["evidence"][0]["value"] is None
    assert found["plan"]["steps"][0]["params"] == FOUND.fix.params and finding["step"] == 1
    assert found["metrics"] == {"base.mrr_question": 0.5} and found["checks"][0]["status"] == "failed"


def test_a_key_that_the_schema_has_not_is_no_report(run):
    told = report.read(Path("metrics/diagnose"), Path("metrics/summary.json"))
    with pytest.raises(ValueError, match="Unexpected keyword argument"):
        TypeAdapter(report.Report).validate_python(told | {"more": 1})


def test_the_published_schema_is_that_of_the_code(run, capsys):
    run("--schema")
    assert json.loads(capsys.readouterr().out) == json.loads((ROOT / "docs/report.schema.json").read_text())


@pytest.mark.parametrize(("has_browser", "said"), [(True, "metrics/diagnose/report.html"), (False, "no browser")])
def test_the_page_is_opened_where_there_is_a_browser(has_browser, said, run, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda page: opened.append(page) or has_browser)
    run("--open")
    assert opened[0].startswith("file://") and opened[0].endswith("/metrics/diagnose/report.html")
    assert capsys.readouterr().out.startswith(said)


@pytest.mark.parametrize("flag", [[], ["--open"], ["--json"]])
def test_what_was_edited_since_is_not_shown(flag, run):
    Path("metrics/diagnose/report.md").write_text("another")
    with pytest.raises(UserError, match=r"report\.md is not as it was written"):
        run(*flag)
