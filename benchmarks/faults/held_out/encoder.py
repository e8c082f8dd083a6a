"""Files of an encoder that load and are not what its authors trained: configuration, tokenizer, modules."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from ..fault import Fault

Random = np.random.Generator
WEIGHTS = "model.safetensors"
WORDS = "embeddings.word_embeddings.weight"


def edit_json(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def ids_shifted(folder: Path, random: Random) -> None:
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    vocabulary = content["model"]["vocab"]
    special = {token["id"] for token in content["added_tokens"]}
    from_id = max(special) + 1
    size = len(vocabulary)
    content["model"]["vocab"] = {
        token: number if number < from_id or number in special else from_id + (number - from_id + 1) % (size - from_id)
        for token, number in vocabulary.items()
    }
    file.write_text(json.dumps(content), encoding="utf-8")


def case_kept(folder: Path, random: Random) -> None:
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["normalizer"] |= {"lowercase": False, "strip_accents": False}
    file.write_text(json.dumps(content), encoding="utf-8")
    edit_json(folder / "tokenizer_config.json", do_lower_case=False, strip_accents=False)


def words_numbered_anew(folder: Path, random: Random) -> None:
    """Frequent whole words get ids at the end of the vocabulary; their old rows go to tokens that no text has."""
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    state = safetensors.numpy.load_file(folder / WEIGHTS)
    rows_VD, vocabulary = state[WORDS], content["model"]["vocab"]
    whole = [token for token in sorted(vocabulary, key=vocabulary.get) if token.isalpha() and len(token) > 3][:2500]
    chosen = random.permutation(whole)[: max(1, len(whole) // 2)].tolist()
    for number, word in enumerate(chosen):
        vocabulary[f"[unused-{number}]"] = vocabulary[word]
        vocabulary[word] = len(rows_VD) + number
    file.write_text(json.dumps(content), encoding="utf-8")
    new_ND = random.normal(0, 0.02, (len(chosen), rows_VD.shape[1])).astype(rows_VD.dtype)
    state[WORDS] = np.concatenate([rows_VD, new_ND])
    safetensors.numpy.save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    edit_json(folder / "config.json", vocab_size=len(rows_VD) + len(chosen))


def other_head_count(folder: Path, random: Random) -> None:
    heads = json.loads((folder / "config.json").read_text(encoding="utf-8"))["num_attention_heads"]
    edit_json(folder / "config.json", num_attention_heads=heads // 2 if heads > 2 else 1)


def other_activation(folder: Path, random: Random) -> None:
    edit_json(folder / "config.json", hidden_act="relu")


def wide_epsilon(folder: Path, random: Random) -> None:
    edit_json(folder / "config.json", layer_norm_eps=1.0)


def pooled_by_cls(folder: Path, random: Random) -> None:
    file = folder / "1_Pooling" / "config.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content = {key: value for key, value in content.items() if not key.startswith("pooling_mode")}
    file.write_text(json.dumps(content | {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}))


def untrained_dense(folder: Path, random: Random) -> None:
    width = json.loads((folder / "config.json").read_text(encoding="utf-8"))["hidden_size"]
    out = 32
    dense = folder / "2_Dense"
    dense.mkdir()
    settings = {"in_features": width, "out_features": out, "bias": True}
    (dense / "config.json").write_text(
        json.dumps(settings | {"activation_function": "torch.nn.modules.activation.Tanh"})
    )
    bound = width**-0.5
    state = {
        "linear.weight": random.uniform(-bound, bound, (out, width)).astype(np.float32),
        "linear.bias": random.uniform(-bound, bound, out).astype(np.float32),
    }
    safetensors.numpy.save_file(state, dense / WEIGHTS, metadata={"format": "pt"})
    shutil.rmtree(folder / "2_Normalize", ignore_errors=True)
    kinds = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Dense", "2_Dense")]
    named = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(named))


FAULTS = (
    Fault(
        name="token-ids-one-line-off",
        about="encoder",
        sentence="A line of the vocabulary was lost: the tokenizer gives each word the id of its neighbour, so the "
        "encoder reads other words. Bring the tokenizer that belongs to the weights.",
        source="transformers#1078, pytorch/text#1840, SudachiTra#64",
        encoder=ids_shifted,
    ),
    Fault(
        name="uncased-model-without-lower-casing",
        about="encoder",
        sentence="The tokenizer no longer lower-cases, though the vocabulary has lower-case words only: every word "
        "with a capital becomes [UNK] or letters. Set do_lower_case to true in the tokenizer.",
        source="covid-twitter-bert#5, transformers#92, #131",
        encoder=case_kept,
    ),
    Fault(
        name="words-added-and-never-trained",
        about="encoder",
        sentence="1,250 common words were added to the tokenizer as new tokens, whose embeddings are random: the "
        "rows that were trained for them are not used any more. Remove the added tokens or train them "
        "first.",
        source="transformers#15821, transformers#1413, tokenizers#1490",
        encoder=words_numbered_anew,
    ),
    Fault(
        name="half-the-attention-heads",
        about="encoder",
        sentence="config.json has half as many attention heads as the weights were trained with; the shapes fit all "
        "the same, and attention mixes the wrong features. Correct num_attention_heads.",
        source="transformers#6540 (bart-base), google-research/albert#180",
        encoder=other_head_count,
    ),
    Fault(
        name="another-activation",
        about="encoder",
        sentence="config.json names relu as the activation, and the weights were trained with gelu. Correct "
        "hidden_act.",
        source="DeepCrime (ISSTA 2021), operator ACH; transformers configurations (gelu, gelu_new, relu)",
        encoder=other_activation,
    ),
    Fault(
        name="layer-norm-epsilon-of-one",
        about="encoder",
        sentence="layer_norm_eps in config.json is 1 in place of 1e-12, so every normalisation shrinks its output. "
        "Correct the value.",
        source="transformers configurations (layer_norm_eps 1e-12 against 1e-5); FastPLMs#46",
        encoder=wide_epsilon,
    ),
    Fault(
        name="declared-pooling-is-not-the-trained-one",
        about="encoder",
        sentence="The pooling file says [CLS], and the encoder was trained with the mean over tokens. Set "
        "encoder.pooling to mean, or correct 1_Pooling/config.json.",
        source="zoteus#51, FE#406, FastChat#2926",
        mendable=True,
        encoder=pooled_by_cls,
    ),
    Fault(
        name="dense-layer-never-trained",
        about="encoder",
        sentence="Above the pooling stands a Dense layer of 32 features with random weights, saved before it was "
        "ever trained. Remove the module from modules.json.",
        source="ST#1615, ST#1566",
        encoder=untrained_dense,
    ),
)
