"""`whyrank init`: a repository on the installed package, which `dvc repro` runs in and an upgrade reaches."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from whyrank import __main__
from whyrank.commands import init, template
from whyrank.core.errors import UsageError, UserError
from whyrank.core.options import params

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """The command in an empty folder; what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["whyrank", "init", *arguments])
        __main__.main()
        return capsys.readouterr().out

    return command


def test_the_parameters_of_a_new_repository_pass_all_checks_and_name_no_sources(run):
    run("x")
    text = Path("x/params.yaml").read_text()
    values = yaml.safe_load(text)
    params.check(values)
    assert "src/" not in text and values["prepare"]["source"] == "data/raw/mine"
    # Comments, which explain every key, are those of the shipped file.
    assert text.count("#") == (ROOT / "params.yaml").read_text().count("#")


def test_each_stage_depends_once_on_the_installed_code_in_place_of_its_sources(run):
    run("x")
    stages = yaml.safe_load(Path("x/dvc.yaml").read_text())["stages"]
    shipped = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for name, stage in stages.items():
        deps, before = (one.get("do", one)["deps"] for one in (stage, shipped[name]))
        assert deps == [*(path for path in before if not path.startswith("src/")), "whyrank.json"]
    assert json.loads(Path("x/whyrank.json").read_text()).items() >= json.loads(template.code()).items()


def test_every_path_that_the_pipeline_reads_is_there(run):
    run("x", "--sample")
    prepare = yaml.safe_load(Path("x/params.yaml").read_text())["prepare"]
    for path in (prepare["source"], prepare["corrections"], prepare["pairs"]["folder"], prepare["ratings"]["source"]):
        assert (Path("x") / path).exists(), path
    assert (Path("x") / prepare["source"] / "qrels/train.tsv").exists() and Path("x/models/source").is_dir()


def test_a_new_folder_is_a_repository_of_git_and_dvc_and_says_what_to_do(run):
    told = run("x")
    assert Path("x/.git").is_dir() and Path("x/.dvc/config").is_file()
    assert "data/raw/mine/README.txt" in told and "cd x && git add . && git commit -m Start && dvc repro" in told
    assert len(Path("x/data/raw/mine/README.txt").read_text().splitlines()) == 3


def test_a_folder_in_a_repository_of_git_gets_none_of_its_own(run):
    subprocess.run(["git", "init", "--quiet", "."], check=True)
    run("below")
    assert not Path("below/.git").exists() and Path("below/.dvc/config").is_file()


def test_what_is_there_stays_and_what_is_missing_comes_back(run):
    run("x")
    Path("x/params.yaml").write_text("mine\n")
    Path("x/stages/prepare.py").unlink()
    assert "next: cd x && dvc repro" in run("x")
    assert Path("x/params.yaml").read_text() == "mine\n" and Path("x/stages/prepare.py").exists()


def test_what_to_do_next_can_be_pasted_whatever_folder_and_table_are_called(run):
    Path("größe.csv").write_text("query,answer\nhow,a1\n", encoding="utf-8")
    Path("answers.csv").write_text("answer,text\na1,so\n")
    tables = ["--from", "größe.csv", "--query", "query", "--answer", "answer", "--answers", "answers.csv"]
    assert "next: cd 'my tickets' && git add ." in run("my tickets", "--sample")
    told = run("my tickets", *tables).splitlines()[-1]
    assert told == "next: cd 'my tickets' && dvc exp run -S 'prepare.source=\"data/raw/größe\"'"


def test_another_pipeline_is_left_alone(run):
    Path("dvc.yaml").write_text("stages: {}\n")
    with pytest.raises(UserError, match=r"dvc\.yaml is another pipeline, which stays as it is; name another folder"):
        run(".")
    assert [path.name for path in Path().iterdir()] == ["dvc.yaml"]


def test_an_upgrade_replaces_what_the_user_left_as_it_was(run, monkeypatch):
    run("x")
    Path("x/stages/evaluate.py").write_text("# mine\n")
    before = Path("x/params.yaml").read_text()
    newer = {**init.of_package(), "stages/prepare.py": b"# newer\n", "stages/evaluate.py": b"# newer\n"}
    newer["whyrank.json"] = b'{"version": "2", "files": {}}\n'
    monkeypatch.setattr(init, "of_package", lambda: newer)
    assert run("x", "--upgrade") == "written: stages/prepare.py, whyrank.json; changed by you, and kept: " + (
        "stages/evaluate.py\n"
    )
    assert Path("x/stages/prepare.py").read_text() == "# newer\n" and Path("x/params.yaml").read_text() == before
    assert run("x", "--upgrade").startswith("written: nothing")


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        ([], UsageError, "name a folder for the repository, or a table with --from"),
        (["x", "--from", "t.csv", "--query", "text"], UsageError, "--from needs --query, --answer and --answers"),
        (["x", "--upgrade"], UserError, r"x/whyrank\.json does not exist; `whyrank init x` makes a repository"),
    ],
)
def test_what_cannot_be_done_is_one_line(run, arguments, kind, says):
    with pytest.raises(kind, match=says):
        run(*arguments)
    assert list(Path().iterdir()) == []
