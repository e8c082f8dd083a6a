"""What is read is what was written: any change of any file is one line with the file and the stage to run again."""

import shutil
import subprocess
from pathlib import Path

import pytest

from whyrank.core import checksums, io, rerun
from whyrank.core.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A run of the system `base`, its metrics and the prepared data that it is of."""
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    io.write_metrics("metrics/evaluate/base.json", {"mrr_all": 0.5})
    with checksums.summed_folder("data/prepared") as folder:
        io.write_text(folder / "answers.parquet", "answers")
    with checksums.summed_folder("data/runs/base", "metrics/evaluate/base.json", "data/prepared/SHA256SUMS") as folder:
        io.write_text(folder / "queries.parquet", "queries")
        io.write_text(folder / "part/top.parquet", "top")
    return tmp_path


def test_what_is_as_it_was_written_passes_and_sha256sum_agrees(workspace):
    checksums.verify("data/runs/base")
    command = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    assert subprocess.run(command, cwd="data/runs/base", check=False).returncode == 0


def another(file):
    shutil.copy("dvc.yaml", file)


def text(content):
    return lambda file: file.write_text(content)


@pytest.mark.parametrize("harm", [text(""), text("topx"), text("to"), Path.unlink, another])
@pytest.mark.parametrize("name", ["queries.parquet", "part/top.parquet", "SHA256SUMS"])
def test_any_change_names_the_file_and_the_stage(harm, name, workspace):
    harm(Path("data/runs/base") / name)
    with pytest.raises(UserError, match=rf"^data/runs/base/{name} .*`dvc repro -f -s evaluate@base`, then `dvc repro`"):
        checksums.verify("data/runs/base")


@pytest.mark.parametrize("name", ["metrics/evaluate/base.json", "data/prepared/SHA256SUMS"])
def test_a_file_of_another_run_is_known(name, workspace):
    Path(name).write_text("{}")
    with pytest.raises(UserError, match=rf"^{name} is not the one that data/runs/base .* evaluate@base`"):
        checksums.verify("data/runs/base")


def test_a_folder_that_is_not_there_is_named(workspace):
    for required in (True, False):
        with pytest.raises(UserError, match=r"^models/base does not exist; run `dvc repro -f -s prepare`"):
            checksums.verify("models/base", required=required)


def test_a_model_from_elsewhere_needs_no_sums(workspace):
    Path("mine").mkdir()
    checksums.verify("mine", required=False)
    with pytest.raises(UserError, match=r"^mine/SHA256SUMS does not exist; copy it here again, whole"):
        checksums.verify("mine")


@pytest.mark.parametrize(
    ("file", "stage"),
    [
        ("data/prepared/answers.parquet", "prepare"),
        ("models/base/heads.json", "prepare"),
        ("metrics/prepare.json", "prepare"),
        ("models/barlow/1_Pooling/config.json", "pretrain_barlow"),
        ("models/base-tuned", "finetune_rank@base"),
        ("metrics/finetune_rank/barlow.json", "finetune_rank@barlow"),
        ("metrics/finetune_rank/base/history.csv", "finetune_rank@base"),
        ("data/runs/barlow-tuned/top.parquet", "evaluate@barlow-tuned"),
        ("metrics/evaluate/bm25.json", "evaluate@bm25"),
        ("data/scores/encoder/base-tuned/test.npy", "evaluate@base-tuned"),
        ("metrics/diagnose/systems.csv", "diagnose"),
        ("data/raw/sample", None),
        ("/elsewhere/model", None),
    ],
)
def test_the_stage_that_makes_a_file_is_read_from_the_pipeline(file, stage, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert rerun.maker(file) == stage


def test_outside_of_a_pipeline_no_stage_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert rerun.maker("data/prepared") is None
