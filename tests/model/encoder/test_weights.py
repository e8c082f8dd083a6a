"""Weights are all there, or one line says which are not and what to do."""

import json

import pytest
import safetensors.torch
import torch

from whyrank.core.errors import UserError
from whyrank.model.encoder import loading

from . import foreign


@pytest.fixture
def folder(tmp_path):
    return foreign.library_folder(tmp_path / "model", above=("Dense",))


def weights(folder):
    return safetensors.torch.load_file(folder / "model.safetensors")


def write(folder, tensors):
    safetensors.torch.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def prefixed(folder):
    write(folder, {f"module.{name}": tensor for name, tensor in weights(folder).items()})


def prefixed_twice(folder):
    write(folder, {f"model.bert.{name}": tensor for name, tensor in weights(folder).items()})


def half(folder):
    write(folder, {name: tensor for name, tensor in weights(folder).items() if "layer.1." not in name})


def one_missing(folder):
    write(folder, {name: tensor for name, tensor in weights(folder).items() if "layer.0.output.dense.bias" not in name})


def narrower(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 40}))


def fewer_layers(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1}))


def not_a_number(folder):
    tensors = weights(folder)
    tensors["encoder.layer.1.output.dense.weight"][0, 0] = float("nan")
    write(folder, tensors)


def infinite_above(folder):
    file = folder / "2_Dense" / "model.safetensors"
    tensors = safetensors.torch.load_file(file)
    tensors["linear.bias"][3] = float("inf")
    safetensors.torch.save_file(tensors, file)


def adapter(folder):
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))


def pickled(folder):
    torch.save(weights(folder), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def no_weights(folder):
    (folder / "model.safetensors").unlink()


def no_config(folder):
    (folder / "config.json").unlink()


def torn_weights(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:5000])


def empty_weights(folder):
    (folder / "model.safetensors").write_bytes(b"")


def torn_config(folder):
    (folder / "config.json").write_text('{"model_type": "be')


def torn_modules(folder):
    (folder / "modules.json").write_text('[{"idx": 0')


def torn_tokenizer(folder):
    (folder / "tokenizer.json").write_text("{}")


def no_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


def no_words(folder):
    pieces = json.loads((folder / "tokenizer.json").read_text())
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    pieces["model"]["vocab"] = {piece: pieces["model"]["vocab"][piece] for piece in special}
    pieces["added_tokens"] = [one for one in pieces["added_tokens"] if one["content"] in special]
    (folder / "tokenizer.json").write_text(json.dumps(pieces))


def no_dense(folder):
    (folder / "2_Dense" / "model.safetensors").unlink()


def another_dense(folder):
    file = folder / "2_Dense" / "config.json"
    file.write_text(file.read_text().replace('"in_features": 32', '"in_features": 48'))


def no_such_architecture(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "sparrow"}))


FAULTS = [
    (prefixed, "under the prefix 'module.' .*rename"),
    (prefixed_twice, "under the prefix 'model.bert.' .*rename"),
    (half, r"lacks 16 tensors: encoder\.layer\.1\..*bring the whole weights"),
    (one_missing, r"lacks 1 tensor: encoder\.layer\.0\.output\.dense\.bias; "),
    (narrower, r"tensors of another shape than its config\.json says: .* is \(48,\), not \(40,\)"),
    (fewer_layers, r"has 16 tensors that its config\.json has no place for: encoder\.layer\.1"),
    (not_a_number, r"has NaN or infinity in 1 tensor: .*layer\.1\.output\.dense\.weight"),
    (infinite_above, r"has NaN or infinity in 1 tensor: chain\.0\.linear\.bias"),
    (adapter, "is an adapter .*merge"),
    (pickled, r"has its weights in pytorch_model\.bin, .*save_pretrained"),
    (no_weights, r"has no \*\.safetensors"),
    (no_config, r"has no config\.json"),
    (torn_weights, "cannot be loaded: "),
    (empty_weights, "cannot be loaded: "),
    (torn_config, "cannot be loaded: "),
    (torn_modules, r"modules\.json is torn or no JSON"),
    (torn_tokenizer, "cannot be loaded: "),
    (no_tokenizer, "has no tokenizer"),
    (no_words, "has no vocabulary"),
    (no_dense, "cannot be loaded: "),
    (another_dense, "cannot be loaded: "),
    (no_such_architecture, "cannot be loaded: .*sparrow"),
]


@pytest.mark.parametrize(("break_it", "said"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_weights_that_are_not_whole_are_refused_in_one_line(folder, break_it, said, capfd):
    break_it(folder)
    with pytest.raises(UserError, match=said) as error:
        loading.load(folder)
    assert "\n" not in str(error.value) and str(folder) in str(error.value)
    assert "Traceback" not in capfd.readouterr().err


def test_heads_of_other_tasks_and_a_missing_pooler_are_no_fault(folder, capfd):
    tensors = {name: tensor for name, tensor in weights(folder).items() if not name.startswith("pooler.")}
    extra = {"cls.predictions.bias": torch.zeros(3), "classifier.weight": torch.zeros(2, 32)}
    write(folder, {f"bert.{name}": tensor for name, tensor in tensors.items()} | extra)
    found = loading.load(folder)
    assert torch.equal(
        found.transformer.embeddings.word_embeddings.weight, tensors["embeddings.word_embeddings.weight"]
    )
    # Drawn at random it would be a part of no model.
    assert found.transformer.pooler is None
    assert capfd.readouterr() == ("", "")
