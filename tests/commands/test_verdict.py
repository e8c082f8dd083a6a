"""The command `verdict`: what it prints of the last diagnosis, and when it fails."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from whyrank import __main__
from whyrank.commands import verdict
from whyrank.core import checksums, workspace
from whyrank.core.errors import UsageError, UserError
from whyrank.findings.again import OF_PIPELINE
from whyrank.findings.diagnosis import checks
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import passed

HEALTHY = "Fine-tuning beats the encoder it started from, base, by +8.3 points of accuracy@1 (95 % CI [+4.1, +12.5])."
FIX = Fix({"finetune_rank.epochs": 3})
FINDINGS = {
    "error": Finding(
        "labels-reversed", "error", "data", "Labels contradict <b>texts</b> | `x`.", fix=Fix({}, "relabel")
    ),
    "warning": Finding("underfitted", "warning", "base-tuned", "Training ended early.", fix=FIX),
    "symptom": Finding("worse-than-lexical", "warning", "base-tuned", "TF-IDF is better.", fix=FIX),
    "info": Finding("type-imbalance", "info", "data", "Few conversations.", fix=Fix({"prepare.short_conversation": 9})),
}


@pytest.fixture
def diagnosed(tmp_path, monkeypatch):
    """Write what `diagnose` found, and stand in the repository."""
    for name in workspace.FILES:
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)

    def write(*names):
        with checksums.summed_folder("metrics/diagnose") as folder:
            (folder / "verdict.txt").write_text(HEALTHY + "\n")
            found = [FINDINGS[name] for name in names]
            (folder / "findings.json").write_text(json.dumps([one.as_json() for one in found]))
            fine = replace(passed("data", Evidence("leaks", 0.0), 0.01), code="duplicate-across-splits")
            checks(found, [fine]).to_csv(folder / "checks.csv", index=False)

    return write


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["whyrank", "verdict", *arguments])
    with pytest.raises(SystemExit) as exit:
        __main__.main()
    return exit.value.code


@pytest.mark.parametrize(
    ("names", "fail_on", "code"),
    [
        ([], "error", 0),
        ([], "warning", 0),
        (["info"], "warning", 0),
        (["warning", "info"], "error", 0),
        (["warning", "info"], "warning", 1),
        (["error"], "error", 1),
        (["error"], "warning", 1),
        (["error", "warning"], None, 0),
    ],
)
def test_it_fails_on_a_finding_of_the_severity_or_a_worse_one(names, fail_on, code, diagnosed, monkeypatch):
    diagnosed(*names)
    assert run(monkeypatch, *(["--fail-on", fail_on] if fail_on else [])) == code


def test_another_severity_is_a_misuse(diagnosed, monkeypatch):
    diagnosed()
    monkeypatch.setattr(sys, "argv", ["whyrank", "verdict", "--fail-on", "info"])
    with pytest.raises(UsageError, match="invalid choice: 'info'"):
        __main__.main()


def test_the_text_is_markdown_that_shows_each_finding_and_each_command_once(diagnosed, monkeypatch, capsys):
    diagnosed(*FINDINGS)
    run(monkeypatch)
    tokens = MarkdownIt().parse(capsys.readouterr().out)
    assert [token.content for token in tokens if token.type == "fence"] == [
        "dvc exp run -S finetune_rank.epochs=3\n",
        "dvc exp run -S prepare.short_conversation=9\n",
    ]
    shown = ["".join(child.content for child in token.children) for token in tokens if token.type == "inline"]
    assert shown == [
        HEALTHY,
        f"Findings: error 1, warning 2, info 1. Checks: 4 failed, 1 passed. {OF_PIPELINE}",
        *(f"{one.severity} {one.code} ({one.system}): {one.sentence}" for one in FINDINGS.values()),
    ]


def test_a_comment_on_a_pull_request_stays_under_sixty_lines(diagnosed, monkeypatch, capsys):
    many = [replace(FINDINGS["info"], code=f"code-{n}", fix=Fix({"finetune_rank.epochs": n})) for n in range(40)]
    monkeypatch.setattr(sys.modules[__name__], "FINDINGS", {one.code: one for one in many})
    diagnosed(*FINDINGS)
    run(monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    shown = sum(line.startswith("- ") for line in lines)
    assert len(lines) < 60 and shown > 5
    assert lines[-1] == f"And {40 - shown} more: the report has them."


def test_without_findings_it_says_so(diagnosed, monkeypatch, capsys):
    diagnosed()
    run(monkeypatch)
    assert capsys.readouterr().out.splitlines()[-1] == "Findings: none. Checks: 1 passed."


def test_it_ends_with_three_lines_beside_the_text_or_alone(diagnosed, monkeypatch, capsys):
    ending = f"verdict: {HEALTHY}\nchecks: 1 failed, 1 passed\nreport: metrics/diagnose/report.html\n"
    diagnosed("warning")
    run(monkeypatch)
    assert capsys.readouterr().err == ending
    assert run(monkeypatch, "--short", "--fail-on", "warning") == 1
    assert capsys.readouterr() == (ending, "")


def test_before_any_diagnosis_a_line_says_what_to_run(diagnosed, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["whyrank", "verdict"])
    with pytest.raises(UserError, match=r"metrics/diagnose does not exist; .*`dvc pull` to fetch it"):
        __main__.main()


def test_what_was_edited_since_is_not_told(diagnosed, tmp_path):
    diagnosed("error")
    (tmp_path / "metrics/diagnose/findings.json").write_text("[]")
    with pytest.raises(UserError, match=r"findings\.json is not as it was written"):
        verdict.read(tmp_path / "metrics/diagnose")


@pytest.mark.parametrize(("before", "now", "is_told"), [(16, 32, True), (32, 32, False), (None, 32, False)])
def test_figures_of_another_precision_than_the_committed_ones_are_told(before, now, is_told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    summary = tmp_path / "metrics/summary.json"
    summary.parent.mkdir()

    def wrote(bits):
        summary.write_text(json.dumps({"base.mrr": 0.5} | ({"precision_bits": bits} if bits else {})))

    wrote(before)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "figures"]):
        subprocess.run(["git", *command], check=True)
    wrote(now)
    line = verdict.other_precision(Path("metrics/summary.json"))
    assert ("32 bits here and had 16" in line) is bool(line) is is_told
