"""`whyrank check`: findings before training, without DVC, and without a file in the current folder."""

import json
import sys
from pathlib import Path

import pytest

from whyrank import __main__
from whyrank.commands import check
from whyrank.core.errors import UserError

from ..pipeline.conftest import SMALL, write_source


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to stand in, and data beside it."""
    write_source(tmp_path / "data")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def run(here, monkeypatch, capsys, tiny_folder):
    """The command on the data; exit code, standard output and standard error."""
    given = {key: value for key, value in SMALL.items() if key.startswith(("prepare.tokens", "encoder"))}
    given |= {"encoder.source": tiny_folder}

    def command(*more):
        settings = [part for key, value in given.items() for part in ("-S", f"{key}={value}")]
        monkeypatch.setattr(sys, "argv", ["whyrank", "check", "../data", *settings, *more])
        with pytest.raises(SystemExit) as ended:
            __main__.main()
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return command


def shift(data, rows=1):
    """Give each query the answer of the row above."""
    file = data / "qrels/train.tsv"
    header, *lines = file.read_text().splitlines()
    queries, answers = zip(*(line.split("\t")[:2] for line in lines), strict=True)
    moved = answers[-6 * rows :] + answers[: -6 * rows]
    file.write_text("\n".join([header, *(f"{q}\t{a}\t1" for q, a in zip(queries, moved, strict=True))]) + "\n")


def test_it_says_what_prepare_finds_and_leaves_nothing_behind(run, here):
    code, out, err = run()
    assert "72 queries, 12 answers" in out.splitlines()[0] and "Checks: " in out
    assert "preflight: " not in err and list(here.iterdir()) == []
    severities = {line.split()[1] for line in out.splitlines() if line.startswith("- ")}
    assert code == max([check.CODES[one] for one in severities], default=0)


def test_labels_that_contradict_the_texts_are_an_error_with_its_own_exit_code(run, here):
    shift(here.parent / "data")
    code, out, _ = run()
    assert code == 4 and out.splitlines()[0].startswith("**../data: ") and " error" in out.splitlines()[0]


def test_json_holds_the_same_and_the_commands_are_those_of_check(run, here):
    shift(here.parent / "data")
    code, out, _ = run("--json")
    told = json.loads(out)
    assert set(told) == {"verdict", "metrics", "checks", "findings"} and code == 4
    assert told["metrics"]["queries"] == 72 and {one["status"] for one in told["checks"]} <= {
        "failed", "passed", "not applicable", "not enough data"
    }  # fmt: skip
    commands = [one["fix"]["command"] for one in told["findings"] if one["fix"]["command"]]
    assert commands and all(one.startswith("whyrank check ../data -S ") for one in commands)


def test_out_keeps_the_tables_and_the_commands_name_them(run, here):
    shift(here.parent / "data")
    told = json.loads(run("--json", "--out", "kept")[1])
    assert (here / "kept/findings.json").exists() and [path.name for path in here.iterdir()] == ["kept"]
    rows = [one["fix"] for one in told["findings"] if one["fix"]["rows"]]
    assert rows and all((here / one["rows"]).exists() for one in rows)
    assert all(f"prepare.corrections={one['rows']}" in one["command"] for one in rows)
    with pytest.raises(UserError, match="kept is not empty, and stays as it is; name a new folder with --out"):
        check.check("../data", [], Path("kept"))


@pytest.mark.parametrize(
    ("data", "settings", "says"),
    [
        ("../nowhere", [], r"nowhere does not exist; name a folder in BEIR layout or a hub id"),
        ("../data", ["prepare.nothing=1"], r"-S prepare\.nothing: params\.yaml has no such key"),
        ("../data", ["prepare.near_duplicate=7"], r"prepare\.near_duplicate"),
        (".", [], r"no corpus file; add corpus\.jsonl"),
    ],
)
def test_what_cannot_be_checked_is_one_line(here, data, settings, says):
    with pytest.raises(UserError, match=says):
        check.check(data, settings)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("severities", "code"), [([], 0), (["info"], 0), (["info", "warning"], 3), (["warning", "error", "info"], 4)]
)
def test_the_exit_code_is_that_of_the_worst_finding(severities, code):
    findings = [{"severity": severity} for severity in severities]
    assert check.Checked("x", {}, findings, [], "").code == code


def test_lines_that_are_printed_later_are_left_out(capsys):
    with check.without("preflight: "):
        print("preflight: error: x", file=sys.stderr)
        print("encode: 1 of 2", file=sys.stderr)
    assert capsys.readouterr().err == "encode: 1 of 2\n"


@pytest.mark.parametrize(
    ("out", "says"), [(None, "listed in leaks.csv (which --out keeps)"), (Path("kept"), "listed in kept/leaks.csv")]
)
def test_an_action_names_tables_where_they_are(out, says):
    finding = {"fix": {"params": {}, "action": "listed in metrics/prepare/leaks.csv", "rows": "", "command": ""}}
    assert check._with_command(finding, "data", [], out)["fix"]["action"] == says
