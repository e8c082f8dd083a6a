"""The held-out and the blind bugs of code: each patch takes, and the run goes to its end, in a process of its own."""

import importlib
import multiprocessing
import os
import pkgutil
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from whyrank.core import runtime
from whyrank.core.options import params
from whyrank.model import system
from whyrank.scoring.search import embed
from whyrank.training import finetune
from whyrank.training.barlow import pretrain

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
PLACES = [importlib.import_module(f"faults.{name}") for name in ("held_out", "blind", "blind_2")]
MODULES = [
    importlib.import_module(f"{place.__name__}.{one.name}")
    for place in PLACES
    for one in pkgutil.iter_modules(place.__path__)
]
CODE = [fault for module in MODULES for fault in module.FAULTS if fault.code]
ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)
TRAINING = {
    "head.kind": "none",
    "epochs": 3.0,
    "batch_size": 8,
    "train": "last",
    "candidates": "batch",
    "early_stopping.evaluations": 3,
}
# So fast that the best weights of the tiny system are not the last ones.
RATE = {"encoder_learning_rate": 2e-2}
ALONE = {"objectives.rank.weight": 0.0}
RATINGS = ALONE | {"objectives.ratings.weight": 1.0, "objectives.ratings.batch_size": 8, "epochs": 1.0}
PAIRS = ALONE | {
    "objectives.similarity.weight": 1.0,
    "objectives.similarity.cosine.weight": 1.0,
    "early_stopping.metric": "",
}


BEFORE = {}


@pytest.fixture
def run(tiny_folder, topics, paired, rated, options, tmp_path):
    """What a small run of a task ends with, as numbers: losses, dev metrics, scores of the system that was saved."""

    def finetuned(texts, changes):
        start = system.load(tiny_folder)
        chosen = options("finetune_rank", params.FinetuneRank, TRAINING | changes | RATE)
        trained = finetune.finetune_rank(start, texts, chosen, ENCODER, 1)
        loss = trained.history.steps["loss"].to_numpy()
        evaluated = trained.history.evaluations.drop(columns="step").to_numpy().ravel()
        return trained, [loss, evaluated]

    def ranking(changes):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        (folder / "base").symlink_to(tiny_folder)
        trained, found = finetuned(topics, changes)
        system.save(trained.system, folder / "base-tuned", longest=16)
        for place in ("base", "base-tuned"):
            model = system.load(folder / place)
            vectors = embed.embed(model, topics, ENCODER)
            found.append(embed.Product(vectors, model.score)(np.arange(len(topics.queries))).ravel())
        return found

    def barlow(changes):
        chosen = options("pretrain_barlow", params.PretrainBarlow, {"steps": 6, "batch_size": 6})
        trained = pretrain.pretrain_barlow(system.load(tiny_folder), topics, chosen, ENCODER, 1)
        return [trained.history.steps.to_numpy().ravel()]

    def pairs(changes):
        return finetuned(paired, PAIRS)[1]

    def ratings(changes):
        trained, found = finetuned(rated, RATINGS)
        return [*found, trained.out_of_fold.out_of_fold["prediction"].to_numpy()]

    return {"ranking": ranking, "barlow": barlow, "pairs": pairs, "ratings": ratings}


def apart(work):
    """What `work` gives in a forked process, so that no patch stays; None where it failed."""

    def answer(sender):
        torch.set_num_threads(1)
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the threads of the tokenizer are not forked
        runtime.seed_everything(1)
        sender.send(np.concatenate([np.asarray(part, dtype=float) for part in work()]))

    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=answer, args=(sender,))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        return None
    finally:
        process.join()


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name) for fault in CODE])
def test_a_patch_takes_and_the_run_goes_on_to_its_end(fault, run, monkeypatch, tmp_path_factory):
    # One cache for all: what the sound code leaves there must not hide a fault.
    monkeypatch.setenv("WHYRANK_CACHE", str(tmp_path_factory.getbasetemp() / "one cache of held-out code"))
    ours = "finetune_rank."
    changes = {key.removeprefix(ours): value for key, value in fault.settings.items() if key.startswith(ours)}
    work = partial(run[fault.task], changes)

    def patched():
        fault.code()
        return work()

    key = (fault.task, str(changes))
    if key not in BEFORE:
        BEFORE[key] = apart(work)
    before, found = BEFORE[key], apart(patched)
    assert before is not None and found is not None
    assert before.shape != found.shape or np.nanmax(np.abs(before - found)) > 1e-4
