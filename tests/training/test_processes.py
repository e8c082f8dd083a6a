"""Two processes take the same steps as one with the same global batch: losses and weights, in float32."""

import multiprocessing
import os
import pickle
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from whyrank.core import processes
from whyrank.core.options import params
from whyrank.model import system

from . import job

JOB = Path(__file__).with_name("job.py")
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([job.__name__])
ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=64, trust_remote_code=False)


def start(folder, prepared, make_encoder, what, options, **changes):
    """Put down what job.py reads."""
    system.save(system.untrained(make_encoder()), folder / "start", longest=16)
    asked = {"dropout": 0.0, "keeps_last": True, "gains": True, "stop_last_process_at": 0} | changes
    asked |= {"what": what, "prepared": prepared, "options": options, "encoder": ENCODER}
    (folder / "job.pickle").write_bytes(pickle.dumps(asked))


def launched(folder, count):
    """Run the job under torchrun, with a cache of its own, so that no number of processes finds another's files."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    command = [sys.executable, *launcher, str(JOB), str(folder)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=200, env=surroundings(folder, count), check=False
    )


def surroundings(folder, count):
    source = str(JOB.parents[2] / "src")
    own = {"WHYRANK_CACHE": str(folder / f"cache-{count}"), "PYTHONPATH": source, "OMP_NUM_THREADS": "1"}
    return os.environ | own


def ended(folder, count):
    """The weights and the history that the job ends with: one process is this one, two are started by hand.

    torchrun sets the same variables, but each of its processes imports torch for seconds. These are forks of one that
    has imported it.
    """
    if count == 1:
        with pytest.MonkeyPatch.context() as patch, deterministic():
            patch.setenv("WHYRANK_CACHE", str(folder / "cache-1"))
            job.run(folder)
    else:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        shared = surroundings(folder, count) | {"WORLD_SIZE": str(count)}
        shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        started = [
            FORKS.Process(target=job.in_surroundings, args=(folder, shared | {"RANK": one, "LOCAL_RANK": one}))
            for one in map(str, range(count))
        ]
        for process in started:
            process.start()
        for process in started:
            process.join(200)
        assert [process.exitcode for process in started] == [0] * count
    weights = torch.load(folder / f"weights-0-of-{count}.pt", weights_only=True)
    return weights, pd.read_csv(folder / f"history-{count}.csv")


@contextmanager
def deterministic():
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(before)


CASES = {
    "whole encoder, negatives of the batch": (
        "finetune", {"train": "all", "candidates": "batch", "batch_size": 9, "head.kind": "none"},
    ),
    "heads with batch statistics and dropout on a frozen encoder": (
        "finetune", {"train": "head", "head.kind": "mlp", "head.dropout": 0.3},
    ),
    "last block, gradient caching": (
        "finetune", {"train": "last", "candidates": "batch", "batch_size": 10, "head.kind": "mlp", "cache_tokens": 40},
    ),
    "sharded encoder with clipping, hard negatives and recomputed activations": (
        "finetune",
        {
            "train": "all", "shard_encoder": True, "max_grad_norm": 0.1, "candidates": "batch", "batch_size": 9,
            "head.kind": "residual", "hard_negatives.count": 2, "gradient_checkpointing": True,
        },
    ),
    "sharded Barlow Twins, layers that unfreeze, several batches an update": (
        "pretrain",
        {
            "train": "all", "shard_encoder": True, "batch_size": 6, "head.kind": "mlp", "steps": 6,
            "freeze_steps": 1, "unfreeze_every": 2, "gradient_accumulation_steps": 2,
        },
    ),
    "three tasks with heads, rates, embeddings and attention of their own, that pull alike": (
        "finetune",
        {
            "train": "all", "candidates": "batch", "batch_size": 9, "head.kind": "residual",
            "objectives.rank.learning_rate": 2e-4, "objectives.similarity.weight": 1.0,
            "objectives.similarity.cosine.weight": 1.0, "objectives.similarity.head.kind": "residual",
            "objectives.similarity.encoder_gradient_scale": 0.5, "objectives.similarity.start_step": 2,
            "objectives.classification.weight": 1.0, "objectives.classification.head.kind": "residual",
            "tasks.embeddings": True, "tasks.cross_attention": True, "tasks.weighting": "equal_gradient",
        },
    ),
    "Barlow Twins, whole encoder": ("pretrain", {"train": "all", "batch_size": 6, "head.kind": "mlp", "steps": 6}),
}  # fmt: skip


# What has no gradient but rounding, of which AdamW makes steps: a key's bias shifts all scores of a query alike, and
# what is added to every vector is taken away again by a BatchNorm (whose running mean follows it), and by Barlow Twins.
WITHOUT_GRADIENT = (
    "key.bias",
    "layer.1.output.LayerNorm.bias",
    "head.0.layers.0.bias",
    "head.0.layers.4.bias",
    "head.0.layers.5.bias",
    "running_mean",
)
FAST, *SLOW = CASES


@pytest.mark.parametrize("case", [FAST, *(pytest.param(case, marks=pytest.mark.slow) for case in SLOW)])
def test_two_processes_take_the_steps_of_one(case, paired, make_encoder, options, tmp_path):
    what, changes = CASES[case]
    kind = params.FinetuneRank if what == "finetune" else params.PretrainBarlow
    section = "finetune_rank" if what == "finetune" else "pretrain_barlow"
    changes = (
        {"encoder_learning_rate": 2e-5, "learning_rate": 1e-4}
        | changes
        | ({"epochs": 5 if changes["train"] == "head" else 2} if what == "finetune" else {})
    )
    start(tmp_path, paired, make_encoder, what, options(section, kind, changes))
    (one, history), (two, of_two) = ended(tmp_path, 1), ended(tmp_path, 2)
    assert len(history) >= 6
    for column in ("loss", "gradient_norm"):
        assert of_two[column].tolist() == pytest.approx(history[column].tolist(), rel=1e-5, abs=1e-5), column
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        if not name.endswith(WITHOUT_GRADIENT if changes["head.kind"] == "mlp" else WITHOUT_GRADIENT[:1]):
            torch.testing.assert_close(
                two[name], tensor, atol=1e-5, rtol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
            )
    before = system.load(tmp_path / "start").state_dict()
    moved = [name for name, tensor in before.items() if name in one and not torch.equal(one[name], tensor)]
    assert bool(moved) == (changes["train"] != "head")


@pytest.mark.slow
@pytest.mark.parametrize("shard_encoder", [False, True])
def test_two_processes_give_the_start_back_bit_for_bit_where_pretraining_does_not_gain(
    shard_encoder, topics, make_encoder, options, tmp_path
):
    changes = {"train": "all", "shard_encoder": shard_encoder, "batch_size": 6, "steps": 3}
    changes |= {"early_stopping.metric": "map@10_all", "encoder_learning_rate": 1e-3}
    chosen = options("pretrain_barlow", params.PretrainBarlow, changes)
    start(tmp_path, topics, make_encoder, "pretrain", chosen, gains=False)
    weights, history = ended(tmp_path, 2)
    before = system.load(tmp_path / "start").state_dict()
    assert len(history) == 3 and weights.keys() == before.keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in before.items())


@pytest.mark.slow
@pytest.mark.parametrize("train", ["last", "all"])
def test_two_processes_take_the_steps_of_one_with_an_encoder_for_each_side_of_rated_rows(
    train, rated_apart, make_encoder, options, tmp_path
):
    of = "objectives.ratings"
    changes = {"train": train, "head.kind": "none", "epochs": 3, "encoder_learning_rate": 2e-5, "learning_rate": 1e-4}
    changes |= {"objectives.rank.weight": 0.0, f"{of}.weight": 1.0, f"{of}.batch_size": 9, f"{of}.encoders": "two"}
    chosen = options("finetune_rank", params.FinetuneRank, changes)
    start(tmp_path, replace(rated_apart, held_out=0), make_encoder, "finetune", chosen)
    (one, history), (two, of_two) = ended(tmp_path, 1), ended(tmp_path, 2)
    # `moved_block_1` counts the weights of both encoders.
    for column in ("loss", "gradient_norm", "moved_block_1"):
        assert of_two[column].tolist() == pytest.approx(history[column].tolist(), rel=1e-4, abs=1e-6), column
    for name, tensor in one.items():
        if not name.endswith("key.bias"):
            torch.testing.assert_close(two[name], tensor, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one_over_several_blocks(paired, make_encoder, options, tmp_path):
    of = "objectives.similarity"
    changes = {"train": "all", "head.kind": "residual", "candidates": "batch", "batch_size": 9, "epochs": 1}
    changes |= {f"{of}.weight": 1.0, f"{of}.batch_size": 9, "cache_tokens": 40}
    changes |= {f"{of}.espresso.dims": [8], f"{of}.espresso.align_weight": 0.1}
    changes |= {"encoder_learning_rate": 2e-5, "learning_rate": 1e-4}
    start(tmp_path, paired, make_encoder, "finetune", options("finetune_rank", params.FinetuneRank, changes))
    (one, history), (two, of_two) = ended(tmp_path, 1), ended(tmp_path, 2)
    for column in ("loss", "gradient_norm", "similarity_alignment"):
        assert of_two[column].tolist() == pytest.approx(history[column].tolist(), rel=1e-4, abs=1e-5), column
    for name, tensor in one.items():
        if not name.endswith("key.bias"):
            torch.testing.assert_close(
                two[name], tensor, atol=1e-5, rtol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
            )


@pytest.mark.slow
def test_with_dropout_in_the_encoder_too_all_processes_end_with_the_same_weights(
    topics, make_encoder, options, tmp_path
):
    changes = {"train": "all", "candidates": "batch", "batch_size": 8, "head.kind": "mlp", "epochs": 1}
    chosen = options("finetune_rank", params.FinetuneRank, changes | {"encoder_learning_rate": 1e-3})
    start(tmp_path, topics, make_encoder, "finetune", chosen, dropout=0.2)
    first, _ = ended(tmp_path, 2)
    other = torch.load(tmp_path / "weights-1-of-2.pt", weights_only=True)
    assert all(torch.equal(other[name], tensor) for name, tensor in first.items())


@pytest.mark.slow
@pytest.mark.parametrize("shard_encoder", [False, True])
def test_a_signal_to_one_process_ends_all_after_one_step_and_a_new_run_ends_as_an_undisturbed_one(
    shard_encoder, topics, make_encoder, options, tmp_path
):
    changes = {"train": "all", "candidates": "batch", "batch_size": 8, "head.kind": "mlp", "epochs": 2}
    changes |= {"encoder_learning_rate": 1e-3, "early_stopping.eval_steps": 3, "shard_encoder": shard_encoder}
    chosen = options("finetune_rank", params.FinetuneRank, changes)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    start(whole, topics, make_encoder, "finetune", chosen, dropout=0.2, keeps_last=False)
    start(stopped, topics, make_encoder, "finetune", chosen, dropout=0.2, keeps_last=False, stop_last_process_at=5)
    assert launched(stopped, 2).returncode != 0
    (checkpoint,) = stopped.glob("cache-2/checkpoints/*/*.checkpoint")
    assert checkpoint.stem == "step-000000005"
    # A new run that did not go on after step 5 would be stopped there again.
    (undisturbed, history), (resumed, of_resumed) = ended(whole, 2), ended(stopped, 2)
    pd.testing.assert_frame_equal(of_resumed, history, check_exact=True)
    assert len(history) > 5
    assert all(torch.equal(resumed[name], tensor) for name, tensor in undisturbed.items())
    held = [int(file.read_text()) for file in whole.glob("held-by-*.txt")]
    if shard_encoder:
        size = sum(parameter.numel() for parameter in make_encoder().parameters())
        assert sum(held) == size and max(held) < 0.6 * size


def test_a_run_of_one_process_needs_no_launcher():
    assert processes.count() == 1 and processes.number() == 0 and processes.is_first()
    tensor = torch.ones(2)
    processes.add_up(tensor)
    assert tensor.tolist() == [1.0, 1.0]
    assert processes.agree(15, 0) == [15, 0]
