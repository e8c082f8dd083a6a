"""Checkpoints: whole or not taken, two at most, and a run that goes on ends as if nothing had happened."""

import copy
import errno
import os
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from whyrank.core import io
from whyrank.core.options import params
from whyrank.core.prepared import TABLES
from whyrank.model import system
from whyrank.model.encoder.declared import Declared
from whyrank.model.heads import heads
from whyrank.training import finetune
from whyrank.training.barlow import pretrain
from whyrank.training.barlow.texts import with_views
from whyrank.training.engine import checkpoint, trained
from whyrank.training.engine.checkpoint import Checkpoints
from whyrank.training.engine.loop import Loop
from whyrank.training.engine.trained import checkpoints_of

ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)


def test_what_is_saved_comes_back_as_it_was(tmp_path):
    state = {"weights": {"w": torch.tensor([0.1, 2.0])}, "rows": [{"step": 1, "loss": 0.1 + 0.2}], "best": None}
    kept = Checkpoints(tmp_path / "run")
    assert kept.latest() is None
    kept.save(7, state)
    step, back = Checkpoints(tmp_path / "run").latest()
    assert step == 7 and back["rows"] == state["rows"] and torch.equal(back["weights"]["w"], state["weights"]["w"])


def test_two_are_kept_and_the_newest_is_taken(tmp_path):
    kept = Checkpoints(tmp_path / "run")
    for step in (9, 10, 11):
        kept.save(step, {"step": step})
    assert len(list((tmp_path / "run").iterdir())) == 2
    assert kept.latest().step == 11


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty"])
def test_a_torn_checkpoint_is_known_and_the_one_before_it_is_taken(tmp_path, harm, capsys):
    kept = Checkpoints(tmp_path / "run")
    for step in (1, 2):
        kept.save(step, {"step": step, "weight": torch.ones(100)})
    file = tmp_path / "run" / "step-000000002.checkpoint"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes({"cut": content[: len(content) // 2], "flipped": content, "empty": b""}[harm])
    assert kept.latest().step == 1
    assert "step-000000002.checkpoint is torn" in capsys.readouterr().err


def test_a_full_disk_costs_a_warning_and_leaves_the_older_checkpoint(tmp_path, monkeypatch, capsys):
    kept = Checkpoints(tmp_path / "run")
    kept.save(1, {"step": 1})

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(io, "replacing", full)
    kept.save(2, {"step": 2})
    assert "checkpoint of step 2 not written (No space left on device)" in capsys.readouterr().err
    monkeypatch.undo()
    assert kept.latest().step == 1


def test_a_folder_that_cannot_be_seen_or_written_costs_a_warning(tmp_path, monkeypatch, capsys):
    def refused(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    kept = Checkpoints(tmp_path / "run")
    kept.written = -100.0
    monkeypatch.setattr(io, "replacing", refused)
    monkeypatch.setattr(checkpoint.Path, "glob", refused)
    kept.save(1, {"step": 1})
    kept.write_history([{"step": 1}])
    assert kept.latest() is None
    kept.remove()
    assert capsys.readouterr().err == "checkpoint of step 1 not written (Permission denied); training continues\n"


def test_it_is_due_by_the_clock_and_gone_once_the_run_has_ended(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    kept = Checkpoints(tmp_path / "run", seconds=60)
    assert not kept.is_due()
    now[0] = 160.0
    assert kept.is_due()
    kept.save(1, {})
    kept.write_history([{"step": 1, "loss": 2.0}])
    assert not kept.is_due()
    assert pd.read_csv(tmp_path / "run" / "history.csv")["loss"].tolist() == [2.0]
    kept.remove()
    assert not (tmp_path / "run").exists()


TASKS = {
    "train": "all",
    "head.kind": "residual",
    "candidates": "batch",
    "batch_size": 9,
    "objectives.rank.learning_rate": 2e-3,
    "objectives.similarity.weight": 1.0,
    "objectives.similarity.cosine.weight": 1.0,
    "objectives.similarity.head.kind": "residual",
    "objectives.similarity.encoder_gradient_scale": 0.5,
    "objectives.similarity.start_step": 3,
    "objectives.classification.weight": 0.5,
    "objectives.classification.head.kind": "residual",
}


class Killed(BaseException):
    """SIGKILL: nothing of ours runs after it."""


def finetuned(topics, make_encoder, options, changes, monkeypatch, kill_after=None, checkpoint_at=()):
    """Fine-tuning that saves a checkpoint after the steps of `checkpoint_at`, and dies after step `kill_after`."""
    chosen = options("finetune_rank", params.FinetuneRank, changes)
    keep = Loop.keep

    def kept(loop, *, now):
        keep(loop, now=loop.done in checkpoint_at)
        if loop.done == kill_after:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "keep", kept)
        torch.manual_seed(0)
        return finetune.finetune_rank(system.untrained(make_encoder()), topics, chosen, ENCODER, 7)


@pytest.mark.parametrize(
    "changes",
    [
        {"train": "all", "head.kind": "mlp", "candidates": "batch", "batch_size": 8, "epochs": 2.5},
        {"train": "last", "head.kind": "none", "candidates": "batch", "batch_size": 8, "epochs": 4}
        | {"gradient_accumulation_steps": 2},
        {
            "train": "all",
            "head.kind": "none",
            "candidates": "batch",
            "batch_size": 9,
            "hard_negatives.count": 2,
            "hard_negatives.refresh": 0.5,
        },
        {"train": "last", "head.kind": "residual", "candidates": "kept", "batch_size": 8, "refresh_kept": 0.5},
        {"train": "all", "head.kind": "residual", "batch_size": 12, "cache_tokens": 40, "freeze_steps": 3},
        TASKS | {"tasks.weighting": "equal_gradient", "tasks.embeddings": True, "tasks.cross_attention": True},
        TASKS | {"tasks.sampling": "equal", "tasks.weighting": "uncertainty", "epochs": 5}
        | {"gradient_accumulation_steps": 2}
        | {"objectives.similarity.head.kind": "mlp", "objectives.similarity.start_step": 0},
    ],
)  # fmt: skip
def test_a_killed_run_that_goes_on_ends_with_the_same_bytes(paired, make_encoder, options, changes, monkeypatch):
    # The steps that there are at least, and not many more.
    changes = {"early_stopping.eval_steps": 3, "encoder_learning_rate": 1e-3, "epochs": 3, "max_steps": 9} | changes
    given = (paired, make_encoder, options, changes, monkeypatch)
    whole = finetuned(*given)
    assert len(whole.history.steps) == 9
    # Killed between two checkpoints, in the first steps after one, and once more after it went on.
    for kill_after, checkpoint_at in ((5, (2, 4)), (6, (5,))):
        with pytest.raises(Killed):
            finetuned(*given, kill_after=kill_after, checkpoint_at=checkpoint_at)
    resumed = finetuned(*given)
    pd.testing.assert_frame_equal(resumed.history.steps, whole.history.steps, check_exact=True)
    pd.testing.assert_frame_equal(resumed.history.evaluations, whole.history.evaluations, check_exact=True)
    assert len(resumed.history.speed) < len(whole.history.speed)  # it did not begin anew
    for name, tensor in whole.system.state_dict().items():
        assert torch.equal(resumed.system.state_dict()[name], tensor), name


def test_a_run_killed_after_its_last_look_does_not_train_on(topics, make_encoder, options, monkeypatch):
    # So long steps that no look is better than the one before training: patience ends the run at its second look.
    changes = {"train": "all", "candidates": "batch", "batch_size": 8, "epochs": 4, "encoder_learning_rate": 0.5}
    changes |= {"early_stopping.eval_steps": 3, "early_stopping.patience": 2}
    given = (topics, make_encoder, options, changes, monkeypatch)
    whole = finetuned(*given)
    assert len(whole.history.steps) == 6 < 24
    with pytest.raises(Killed):
        finetuned(*given, kill_after=6, checkpoint_at=(6,))
    resumed = finetuned(*given)
    pd.testing.assert_frame_equal(resumed.history.steps, whole.history.steps, check_exact=True)
    assert resumed.history.best_step == whole.history.best_step


def test_another_fingerprint_begins_anew(topics, make_encoder, options, monkeypatch):
    given = (topics, make_encoder, options)
    changes = {"train": "all", "candidates": "batch", "batch_size": 8, "max_steps": 6}
    with pytest.raises(Killed):
        finetuned(*given, changes, monkeypatch, kill_after=5, checkpoint_at=(4,))
    other = finetuned(*given, changes | {"learning_rate": 2e-3}, monkeypatch)
    assert other.history.speed["step"].tolist()[0] == 1


def test_the_fingerprint_tells_apart_all_that_determines_a_run(topics, rated, make_encoder, options):
    def name(changes=None, seed=7, prepared=topics, encoder=None):
        chosen = options("finetune_rank", params.FinetuneRank, changes)
        start = system.untrained(encoder or make_encoder())
        return checkpoints_of(start, prepared, chosen, ENCODER, seed).folder.name

    queries = topics.queries.assign(split=np.roll(topics.queries["split"], 1))
    names = [
        name(), name({"max_grad_norm": 2.0}), name(seed=8), name(encoder=make_encoder(seed=1)),
        name(prepared=type(topics)(topics.answers, queries, topics.qrels)),
        name(prepared=rated), name(prepared=replace(rated, held_out=0)),
        name(prepared=replace(rated, ratings=rated.ratings.assign(visa=0.5))),
    ]  # fmt: skip
    assert len(set(names)) == len(names)
    assert name() == names[0]


def altered(column):
    """The same kind of values, and another one in the first row."""
    first = column.iloc[0]
    other = f"{first}x" if isinstance(first, str) else first + 1
    return [other, *column.iloc[1:]]


@pytest.mark.parametrize("table", [*TABLES, "view_texts"])
def test_the_fingerprint_tells_apart_every_value_of_the_data_that_a_training_may_read(
    table, paired, rated, make_encoder, options
):
    chosen = options("finetune_rank", params.FinetuneRank)
    start = system.untrained(make_encoder())
    whole = with_views(replace(paired, ratings=rated.ratings, rating_texts=rated.rating_texts), start.encoder,
                       chosen.objectives.views, 7)  # fmt: skip
    name = checkpoints_of(start, whole, chosen, ENCODER, 7).folder
    assert checkpoints_of(start, copy.deepcopy(whole), chosen, ENCODER, 7).folder == name
    before = getattr(whole, table)
    for column in before.columns.drop("input_ids", errors="ignore"):
        other = replace(whole, **{table: before.assign(**{column: altered(before[column])})})
        assert checkpoints_of(start, other, chosen, ENCODER, 7).folder != name, column


def test_the_fingerprint_tells_apart_what_of_the_encoder_and_of_the_start_stands_in_no_weight(
    topics, make_encoder, options
):
    def name(encoder=ENCODER, dropout=0.1, experts=2, query=""):
        torch.manual_seed(0)
        start = system.untrained(make_encoder())
        start.encoder.declared = Declared(prompts={"query": query})
        chain = nn.Sequential(heads.ResidualHead(32, 8, 32, dropout), heads.ExpertsHead(32, 3, 8, 0.1, experts))
        chosen = options("finetune_rank", params.FinetuneRank)
        return checkpoints_of(system.with_heads(start, chain, dual=False, score="cosine"), topics, chosen, encoder, 7)

    names = [name(), name(replace(ENCODER, readout="raw")), name(dropout=0.2), name(experts=1), name(query="my ")]
    assert len({one.folder for one in names}) == len(names) and name().folder == names[0].folder


def test_pretraining_under_another_read_out_begins_anew(topics, make_encoder, options, monkeypatch):
    changes = {"steps": 6, "batch_size": 6, "views": ["span-document"], "texts.per_text": 2, "head.hidden": 8}
    chosen = options("pretrain_barlow", params.PretrainBarlow, changes)
    keep = Loop.keep

    def killed(loop, *, now):
        keep(loop, now=loop.done == 4)
        if loop.done == 5:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Loop, "keep", killed)
        pretrain.pretrain_barlow(system.untrained(make_encoder()), topics, chosen, ENCODER, 7)
    other = replace(ENCODER, readout="raw")
    begun = [
        pretrain.pretrain_barlow(system.untrained(make_encoder()), topics, chosen, one, 7).history.speed["step"].iloc[0]
        for one in (other, ENCODER)
    ]
    assert begun == [1, 5]


@pytest.fixture
def change(monkeypatch, tmp_path):
    """Change a source file, in a copy that fingerprints are taken of."""
    shutil.copytree(trained.SOURCES, tmp_path / "whyrank")
    monkeypatch.setattr(trained, "SOURCES", tmp_path / "whyrank")

    def change(file):
        source = tmp_path / "whyrank" / file
        source.write_text(source.read_text() + "# changed\n")

    return change


def test_a_changed_source_file_of_any_folder_is_another_run(topics, make_encoder, options, change):
    start, chosen, names = system.untrained(make_encoder()), options("finetune_rank", params.FinetuneRank), []
    for file in ("training/ranking/losses.py", "training/engine/loop.py", "core/options/params.py"):
        names.append(checkpoints_of(start, topics, chosen, ENCODER, 7).folder)
        change(file)
    assert len({*names, checkpoints_of(start, topics, chosen, ENCODER, 7).folder}) == 4


def test_a_changed_source_file_refuses_the_resume(topics, make_encoder, options, monkeypatch, change):
    given = (topics, make_encoder, options)
    changes = {"train": "all", "candidates": "batch", "batch_size": 8, "max_steps": 6}
    with pytest.raises(Killed):
        finetuned(*given, changes, monkeypatch, kill_after=5, checkpoint_at=(4,))
    change("training/ranking/losses.py")
    assert finetuned(*given, changes, monkeypatch).history.speed["step"].tolist()[0] == 1
