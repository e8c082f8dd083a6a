"""Folders whose weights are in a form that is not read here: one line says which, and what to do."""

import pytest
import torch
from safetensors.torch import save_file

from whyrank.core.errors import UserError
from whyrank.model.encoder import loading, weights

from . import foreign


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("onnx/model_qint8.onnx", "has its weights in model_qint8.onnx alone, .*name the folder of their vectors"),
        ("openvino/openvino_model.xml", "has its weights in openvino_model.xml alone"),
        ("pytorch_model.bin", "has its weights in pytorch_model.bin, which may run code"),
        ("", r"has no \*\.safetensors; bring the weights, too, or where they are in another form"),
    ],
)
def test_weights_in_another_form_are_named(tmp_path, file, says):
    folder = foreign.library_folder(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    if file:
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(b"weights")
    with pytest.raises(UserError, match=says):
        loading.load(folder)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_precision_of_the_files_is_known(tmp_path, dtype):
    save_file(
        {"one": torch.zeros(2, dtype=dtype), "count": torch.zeros(2, dtype=torch.int64)}, tmp_path / "model.safetensors"
    )
    assert weights.stored(tmp_path) == dtype
    assert weights.stored(tmp_path / "nothing") == torch.float32
