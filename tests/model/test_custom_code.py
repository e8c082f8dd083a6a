"""Code that came with a model: another file of it is another model, and its fingerprint another."""

import json
import shutil
from pathlib import Path

import pytest
import transformers.dynamic_module_utils as dynamic
from torch import nn

from whyrank.model import cross_encoder, custom_code
from whyrank.model.encoder import loading, vector_cache

MODEL = """
from transformers import {base}

from .sizes import SIZE


class Own({base}):
    size = SIZE
"""


@pytest.fixture
def with_code(tmp_path_factory, monkeypatch):
    """Let a model in a folder run code of its own, with this number in a file that it imports."""
    # One folder for all tests: Python imports the package that is in it once.
    monkeypatch.setattr(dynamic, "HF_MODULES_CACHE", str(tmp_path_factory.getbasetemp() / "modules"))

    def give(folder, size, *, of, auto):
        folder = Path(folder)
        (folder / "modeling_own.py").write_text(MODEL.format(base=of))
        (folder / "sizes.py").write_text(f"SIZE = {size}\n")
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"auto_map": {auto: "modeling_own.Own"}}))

    return give


def test_a_model_of_the_library_alone_has_no_code_of_its_own():
    assert custom_code.fingerprint(nn.Linear(2, 2).modules()) == ""


def test_a_cross_encoder_with_other_code_has_another_fingerprint(make_cross_encoder, with_code):
    folder, found = make_cross_encoder(), []
    for size in (1, 2, 1):
        with_code(folder, size, of="BertForSequenceClassification", auto="AutoModelForSequenceClassification")
        model = cross_encoder.load(folder, trust_remote_code=True)
        assert any(getattr(part, "size", 0) == size for part in model.modules())
        found.append(cross_encoder.fingerprint(model))
    assert found[0] != found[1] and found[0] == found[2]


def test_an_encoder_with_other_code_has_another_fingerprint(tiny_folder, tmp_path, with_code):
    folder, found = tmp_path / "own", []
    shutil.copytree(tiny_folder, folder)
    for size in (1, 2, 1):
        with_code(folder, size, of="BertModel", auto="AutoModel")
        encoder = loading.load(folder, trust_remote_code=True)
        assert encoder.transformer.size == size
        # It may compute something else than the library's class, which reads packed texts.
        assert not encoder.is_packed
        found.append(vector_cache.fingerprint(encoder, [[2, 7, 3]], 100, "fp32"))
    assert found[0] != found[1] and found[0] == found[2]
