"""`whyrank teach`: a folder that teaches, or a line that says why not."""

import shutil
import sys

import pytest
import yaml

from whyrank import __main__ as command
from whyrank.commands import teach
from whyrank.core import prepared
from whyrank.core.errors import UsageError, UserError
from whyrank.model import cross_encoder as cross
from whyrank.training.cross_encoder import Fitted


@pytest.fixture
def finished(topics, tiny_folder, tmp_path, monkeypatch, shipped_params):
    """A workspace after `prepare`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(shipped_params))
    shutil.copytree(tiny_folder, "models/base")
    prepared.write("data/prepared", topics)
    return tmp_path


def told(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["whyrank", "teach", *words])
    command.main()


SMALL = ("--epochs", "1", "--negatives", "1", "--tokens", "40", "--depth", "3", "--evaluations", "1")


def test_its_folder_is_a_cross_encoder_and_it_says_how_that_ranks_dev(finished, monkeypatch, capsys):
    told(monkeypatch, "teacher", *SMALL)
    assert (
        "teacher holds a cross-encoder. MRR@10 of the dev queries over the first 3 answers" in capsys.readouterr().out
    )
    assert len(cross.predicted(cross.load("teacher", trust_remote_code=False), [("visa", "border")])) == 1
    with pytest.raises(UsageError, match=r"^teacher is there already; name a new or an empty folder$"):
        told(monkeypatch, "teacher", *SMALL)


def test_a_training_that_fails_leaves_no_folder(finished, monkeypatch):
    def broken(*_):
        raise UserError("no")

    monkeypatch.setattr(teach.cross_encoder, "fitted", broken)
    with pytest.raises(UserError):
        told(monkeypatch, "teacher", *SMALL)
    assert not (finished / "teacher").exists()


@pytest.mark.parametrize("rate", ["0", "nan", "3"])
def test_a_rate_that_is_none_is_one_line(finished, monkeypatch, rate):
    with pytest.raises(UsageError, match=r"^--learning-rate is .*; name one above 0 and below 1, such as 5e-5$"):
        told(monkeypatch, "teacher", "--learning-rate", rate)


def test_a_teacher_that_ranks_no_better_is_told_as_one(tmp_path):
    assert teach.told("x", Fitted(None, 0.7, 0.6), 20).endswith(
        "-S finetune_rank.reranker.model=x -S finetune_rank.reranker.weight=1"
    )
    assert "has nothing to teach it" in teach.told("x", Fitted(None, 0.6, 0.6), 20)


def test_its_command_names_the_folder_as_params_yaml_does_wherever_the_user_stands(finished, monkeypatch, capsys):
    monkeypatch.setattr(teach.cross_encoder, "fitted", lambda *_: Fitted(Saved(), 0.7, 0.6))
    below = finished / "docs"
    below.mkdir()
    for folder, place in (("my teacher", '\'finetune_rank.reranker.model="docs/my teacher"\''),
                          ("../teacher", "finetune_rank.reranker.model=teacher")):  # fmt: skip
        monkeypatch.chdir(below)
        told(monkeypatch, folder, *SMALL)
        assert f"dvc exp run -S {place} -S" in capsys.readouterr().out


class Saved:
    def save_pretrained(self, folder):
        pass
