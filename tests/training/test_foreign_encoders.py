"""What an encoder from elsewhere declares goes through every training and leaves with the trained system."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from whyrank.core.options import params
from whyrank.model import system
from whyrank.model.encoder import budgets, layers, loading
from whyrank.training import finetune

ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)
BUDGET = budgets.Budgets(dict.fromkeys(("question", "conversation", "answer", "pair"), 20), {})
TRAININGS = {
    "head": {"train": "head"},
    "last": {"train": "last", "last_layers": 1},
    "all": {"train": "all"},
    "lora": {"train": "all", "lora.rank": 4},
    "no head": {"train": "all", "head.kind": "none"},
}


def by_path(name):
    """The file of another room of the tests, which are no package."""
    path = Path(__file__).parents[1] / name
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


foreign = by_path("model/encoder/foreign.py")


def saved(folder, name):
    model, pieces = foreign.architecture(name)
    model.save_pretrained(folder)
    pieces.save_pretrained(folder)
    return folder


def trained(folder, topics, options, **changes):
    start = system.untrained(loading.load(folder, attention_dropout=0.0))
    prepared = budgets.tokenised(start.encoder, topics, BUDGET)
    # Without a metric the last weights stay, not those of the best evaluation, which may be the first.
    chosen = {"epochs": 1.0, "batch_size": 8, "encoder_learning_rate": 1e-3, "early_stopping.metric": ""} | changes
    torch.manual_seed(0)
    training = options("finetune_rank", params.FinetuneRank, chosen)
    return finetune.finetune_rank(start, prepared, training, ENCODER, 7).system


def vectors(of, side):
    rows = of.encoder.tokenise(foreign.SENTENCES, 20, side)
    encoded = torch.as_tensor(of.encoder.encode(rows, batch_tokens=100, precision="fp32"))
    with torch.no_grad():
        return of.normalise(of.queries(encoded) if side == "query" else of.answers(encoded)).numpy()


@pytest.mark.parametrize("how", TRAININGS)
def test_modules_and_prompts_are_trained_with_and_leave_with_the_system(tmp_path, topics, options, how):
    from sentence_transformers import SentenceTransformer

    prompts = {"query": "question: ", "document": "answer: "}
    folder = foreign.library_folder(tmp_path / "model", above=("LayerNorm", "Dense", "Normalize"), prompts=prompts)
    result = trained(folder, topics, options, **TRAININGS[how])
    before = loading.load(folder).projection.state_dict()
    after = result.encoder.projection.state_dict()
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert len(moved) == (0 if how in ("head", "lora") else len(before))
    system.save(result, tmp_path / "out", longest=20)
    library = SentenceTransformer(str(tmp_path / "out"), device="cpu")
    again = system.load(tmp_path / "out")
    for side, encode in (("query", library.encode_query), ("document", library.encode_document)):
        np.testing.assert_allclose(
            encode(foreign.SENTENCES, normalize_embeddings=True), vectors(result, side), atol=1e-5
        )
        np.testing.assert_allclose(vectors(again, side), vectors(result, side), atol=1e-6)
    # With other prompts they are other vectors.
    assert np.abs(vectors(result, "query") - library.encode(foreign.SENTENCES, normalize_embeddings=True)).max() > 1e-3


@pytest.mark.parametrize("how", ["all", "lora"])
@pytest.mark.parametrize("name", ["distilbert", "t5", "modernbert", "qwen2"])
def test_an_encoder_that_is_not_of_the_bert_family_is_trained_whole_or_by_lora(tmp_path, topics, options, name, how):
    result = trained(saved(tmp_path / "model", name), topics, options, **TRAININGS[how])
    whole = loading.load(tmp_path / "model", attention_dropout=0.0).state_dict()
    moved = [key for key, one in result.encoder.state_dict().items() if not torch.equal(one, whole[key])]
    assert result.encoder.state_dict().keys() == whole.keys() and moved
    assert all(torch.isfinite(one).all() for one in result.state_dict().values())


def test_activations_of_frozen_layers_go_through_what_stands_above_them(tmp_path, topics, options):
    folder = foreign.library_folder(tmp_path / "model", pooling={"pooling_mode": "cls"}, above=("Dense",))
    encoder = loading.load(folder)
    rows = encoder.tokenise(foreign.SENTENCES, 20, "query")
    kept = layers.Activations(encoder, rows, 1, batch_tokens=100, precision="fp32", folder=tmp_path / "cache")
    _, layout, back_B = encoder.laid_out(rows)
    order = np.argsort(back_B.numpy())
    with torch.no_grad():
        found = layers.through(layers.part(encoder, slice(-1, None), embeddings=False), kept.packed(order), layout)
        np.testing.assert_allclose(found[back_B].numpy(), encoder(rows).numpy(), atol=1e-5)
