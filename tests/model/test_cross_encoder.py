"""A tiny random cross-encoder: what is loaded, what it says of pairs, and what of that is kept."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from huggingface_hub import constants

from whyrank.core.errors import UserError
from whyrank.model import cross_encoder

PAIRS = [("visa border", "travel passport"), ("tax", "income return refund"), ("visa border", "tax")]


def test_what_is_no_cross_encoder_is_refused(make_cross_encoder, tmp_path):
    with pytest.raises(UserError, match=r"has 3 scores for a pair of texts; a reranker has one$"):
        cross_encoder.load(make_cross_encoder(3), trust_remote_code=False)
    with pytest.raises(UserError, match=r"is no cross-encoder that can be loaded "):
        cross_encoder.load(str(tmp_path / "none"), trust_remote_code=False)


def test_a_hub_out_of_reach_is_told_at_once(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    # Nothing listens on port 9 of this machine.
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        UserError, match=r"^cross-encoder 'org/reranker' is no folder here: the hub \S+ cannot be reached"
    ):
        cross_encoder.load("org/reranker", trust_remote_code=False)


def test_pairs_are_scored_by_the_logits_of_the_library_and_kept_by_weights_and_texts(make_cross_encoder, monkeypatch):
    model, calls = cross_encoder.load(make_cross_encoder(), trust_remote_code=False), []
    predict = type(model).predict

    def counted(self, pairs, **named):
        calls.append(len(pairs))
        return predict(self, pairs, **named)

    monkeypatch.setattr(type(model), "predict", counted)
    found = cross_encoder.predicted(model, PAIRS)
    expected = [predict(model, [pair], activation_fn=torch.nn.Identity())[0] for pair in PAIRS]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert np.array_equal(cross_encoder.predicted(model, PAIRS), found) and calls == [3]
    assert cross_encoder.predicted(model, [*PAIRS[:1], ("tax", "visa")])[0] == pytest.approx(found[0], rel=1e-4)
    before = cross_encoder.fingerprint(model)
    with torch.no_grad():
        next(model.parameters()).mul_(2)
    assert cross_encoder.fingerprint(model) != before
    assert not np.allclose(cross_encoder.predicted(model, PAIRS), found) and calls == [3, 2, 3]


def half_a_file(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:2000])


def other_sizes(folder):
    change(folder / "config.json", hidden_size=8)


def no_words(folder):
    for file in folder.glob("tokenizer*"):
        file.unlink()


def of_weights(edit):
    def fault(folder):
        weights = safetensors.torch.load_file(folder / "model.safetensors")
        edit(weights)
        safetensors.torch.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    return fault


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (half_a_file, r"is no cross-encoder that can be loaded \(.*\); name another$"),
        (other_sizes, r"is no cross-encoder that can be loaded \(.*\); name another$"),
        (no_words, r"cannot be loaded: it has no vocabulary "),
        (of_weights(lambda weights: weights["classifier.weight"].fill_(np.nan)), r"it has NaN or infinity in 1 tensor"),
        (of_weights(lambda weights: weights.pop("bert.pooler.dense.weight")), r"lacks weights .*pooler\.dense\.weight"),
    ],
)
def test_a_cross_encoder_that_is_not_whole_is_one_line(make_cross_encoder, fault, message):
    folder = make_cross_encoder()
    fault(Path(folder))
    with pytest.raises(UserError, match=message) as raised:
        cross_encoder.load(folder, trust_remote_code=False)
    assert len(raised.value.args) == 1 and "\n" not in str(raised.value)


def test_an_encoder_has_no_scores_of_pairs_but_those_of_a_head_drawn_at_random(tiny_folder):
    state = torch.random.get_rng_state()
    with pytest.raises(UserError, match=r"lacks weights of a cross-encoder, .* drawn at random \(.*classifier\.weight"):
        cross_encoder.load(str(tiny_folder), trust_remote_code=False)
    assert torch.equal(torch.random.get_rng_state(), state)


def shorter(folder):
    change(folder / "tokenizer_config.json", model_max_length=4)


def other_words(folder):
    words = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = words["model"]["vocab"]
    vocabulary["visa"], vocabulary["tax"] = vocabulary["tax"], vocabulary["visa"]
    (folder / "tokenizer.json").write_text(json.dumps(words))


def other_activation(folder):
    change(folder / "config.json", hidden_act="relu")


def change(file, **values):
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.mark.parametrize("fault", [shorter, other_words, other_activation])
def test_the_same_weights_that_read_or_compute_otherwise_are_scored_anew(make_cross_encoder, fault):
    pairs, folder = [("visa border travel", "tax income")], make_cross_encoder()
    before = cross_encoder.predicted(cross_encoder.load(folder, trust_remote_code=False), pairs)
    fault(Path(folder))
    model = cross_encoder.load(folder, trust_remote_code=False)
    found, expected = cross_encoder.predicted(model, pairs), model.predict(pairs, activation_fn=torch.nn.Identity())
    assert not np.allclose(expected, before, rtol=1e-4)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_copy_of_a_model_and_one_that_was_used_have_the_same_fingerprint(make_cross_encoder, tmp_path):
    folder = make_cross_encoder()
    model = cross_encoder.load(folder, trust_remote_code=False)
    before = cross_encoder.fingerprint(model)
    model.predict(PAIRS)
    shutil.copytree(folder, tmp_path / "copy")
    copy = cross_encoder.load(str(tmp_path / "copy"), trust_remote_code=False)
    assert cross_encoder.fingerprint(model) == cross_encoder.fingerprint(copy) == before


def test_another_version_of_the_library_is_another_fingerprint(make_cross_encoder, monkeypatch):
    model = cross_encoder.load(make_cross_encoder(), trust_remote_code=False)
    before = cross_encoder.fingerprint(model)
    monkeypatch.setattr("sentence_transformers.__version__", "0")
    assert cross_encoder.fingerprint(model) != before
