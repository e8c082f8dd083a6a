"""docs/sharing.md and docs/github-actions.yaml: every command works, with a local folder for DVC and one for Git."""

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from .test_documented_commands import changed, check_left

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((ROOT / "docs/github-actions.yaml").read_text(encoding="utf-8"))
STEPS = WORKFLOW["jobs"]["verdict"]["steps"]
# What the page shows, and what stands for it here: an experiment that changes metrics of the tiny data, which train for
# 3 epochs; a folder for a bucket.
INSTEAD = {"finetune_rank.epochs=3": "finetune_rank.epochs=2"}


def commands() -> list[list[str]]:
    """Those of the page, in its order."""
    page = (ROOT / "docs/sharing.md").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines]


@pytest.fixture(scope="module")
def shared(ran, tmp_path_factory):
    """Two clones after the commands of the page: mine up to the push of the experiment, a colleague's after it."""
    folder = tmp_path_factory.mktemp("shared")
    mine = ran.copy(folder / "mine")
    mine.done("git", "clone", "--quiet", "--bare", str(mine.folder), str(folder / "git"))
    mine.done("git", "remote", "add", "origin", str(folder / "git"))
    (folder / "store").mkdir()
    own, theirs = [], []
    for words in commands():
        words = [INSTEAD.get(word, word.replace("s3://your-bucket/whyrank", str(folder / "store"))) for word in words]
        is_theirs = words[:2] in (["dvc", "pull"], ["dvc", "repro"]) or words[2:3] in (["list"], ["pull"], ["apply"])
        (theirs if is_theirs else own).append(words)
    output = [mine.done(*words) for words in own]
    assert len(output) == 7
    mine.done("git", "clone", "--quiet", str(folder / "git"), str(folder / "theirs"))
    colleague = type(ran)(folder / "theirs")
    return mine, colleague, {" ".join(words[:3]): colleague.done(*words) for words in theirs}


def test_a_colleague_runs_next_to_nothing_after_a_pull(shared, stages_run):
    _, _, said = shared
    # What the encoder was is known from its files, to which each clone makes its own links.
    assert stages_run(said["dvc repro"]) == ["prepare"]


def test_a_colleague_has_the_experiment_with_its_report(shared):
    mine, colleague, said = shared
    assert "longer" in said["dvc exp list"]
    for file in ("metrics/diagnose/report.md", "metrics/summary.json", "params.yaml", "dvc.lock"):
        assert (colleague.folder / file).read_bytes() == (mine.folder / file).read_bytes(), file


def test_both_sides_are_left_as_the_page_says(shared):
    for clone in shared[:2]:
        check_left(ROOT / "docs/sharing.md", changed(clone))


def test_the_workflow_runs_on_pull_requests_and_may_comment_but_not_write():
    # YAML 1.1 reads the key `on` as true.
    assert WORKFLOW[True] == "pull_request"
    assert WORKFLOW["permissions"] == {"contents": "read", "pull-requests": "write"}
    # What somebody else may choose, such as the name of a branch, reaches a shell as a variable alone.
    assert not [step["run"] for step in STEPS if "${{" in step.get("run", "")]
    assert {step["uses"].partition("@")[0] for step in STEPS if "uses" in step} == {
        "actions/checkout",
        "actions/setup-python",
    }


def test_what_the_workflow_installs_is_there():
    (install,) = [step["run"] for step in STEPS if step.get("name") == "Install"]
    words = shlex.split(install)
    assert words[:4] == ["python", "-m", "pip", "install"]
    assert (ROOT / words[words.index("--constraint") + 1]).exists()
    assert (ROOT / words[words.index("--editable") + 1] / "pyproject.toml").exists()


def test_each_step_of_the_workflow_works_and_the_comment_has_the_verdict_and_the_metrics(shared, stages_run, tmp_path):
    mine, _, _ = shared
    origin = mine.folder.parent / "git"
    mine.done("git", "clone", "--quiet", str(origin), str(tmp_path / "runner"))
    runner = type(mine)(tmp_path / "runner")
    for key, value in (("user.name", "Test"), ("user.email", "test@example.org")):
        runner.done("git", "config", key, value)
    # As if the pull request changed the report alone.
    file = runner.folder / "params.yaml"
    file.write_text(file.read_text().replace("level: 0.95", "level: 0.8"))
    runner.commit("Another level")
    (tmp_path / "bin").mkdir()
    gh = tmp_path / "bin/gh"
    gh.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$ASKED"\ncp "$5" "$ASKED.md"\n')
    gh.chmod(0o755)
    path = os.pathsep.join([str(gh.parent), str(Path(shutil.which("dvc") or "").parent), os.environ["PATH"]])
    asked = tmp_path / "asked"
    variables = {"PATH": path, "BASE": "main", "NUMBER": "7", "GH_TOKEN": "none", "ASKED": str(asked)}
    assert set(WORKFLOW["jobs"]["verdict"]["env"]) - {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= set(variables)
    outputs = {}
    for step in STEPS:
        if "run" in step and step["name"] != "Install":
            outputs[step["name"]] = runner.run("bash", "-e", "-c", step["run"], **variables)
    *steps, last = outputs.values()
    assert [step.returncode for step in steps] == [0] * len(steps), [step.stderr for step in steps]
    assert stages_run(outputs["Run the stages that the pull request changes"].stdout) == ["prepare", "diagnose"]
    findings = (runner.folder / "metrics/diagnose/findings.json").read_text()
    assert last.returncode == int('"severity": "error"' in findings)
    assert asked.read_text().split() == ["pr", "comment", "7", "--body-file", "comment.md"]
    comment = Path(f"{asked}.md").read_text()
    assert comment.startswith("**Fine-tuning ") and "80 % CI" in comment
