"""`whyrank export --backend onnx` leaves a graph where sentence-transformers, by optimum, looks for one."""

import numpy as np
import pytest

from whyrank.commands import graph
from whyrank.core.errors import UserError
from whyrank.model import formats
from whyrank.model import system as models


@pytest.fixture
def written(tiny_folder, tiny_graph, tmp_path, monkeypatch):
    """The graph of the tiny encoder, which takes seconds to make, without making it again."""
    monkeypatch.setattr(formats, "graph", lambda encoder: tiny_graph)

    def write(precision="float32", backend="onnx"):
        folder = tmp_path / precision
        folder.mkdir()
        graph.write(tiny_folder, folder, backend, precision)
        return folder / "onnx/model.onnx"

    return write


def test_the_graph_has_the_inputs_and_the_output_that_the_library_asks_for(written, tiny_folder):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(written()), providers=["CPUExecutionProvider"])
    assert {one.name for one in session.get_inputs()} == {"input_ids", "attention_mask"}
    assert [one.name for one in session.get_outputs()] == ["last_hidden_state"]
    encoder = models.load(tiny_folder).encoder
    ids_BL, mask_BL = encoder.pad(encoder.tokenise(["tax income", "the visa border passport"], 16))
    (token_BLH,) = session.run(None, {"input_ids": ids_BL.numpy(), "attention_mask": mask_BL.numpy()})
    mean_BH = (token_BLH * mask_BL.numpy()[..., None]).sum(1) / mask_BL.numpy().sum(1, keepdims=True)
    rows = encoder.tokenise(["tax income", "the visa border passport"], 16)
    np.testing.assert_allclose(mean_BH, encoder.encode(rows, batch_tokens=64, precision="fp32"), atol=1e-5)


def test_int8_is_a_smaller_graph(written):
    assert written("int8").stat().st_size < written().stat().st_size


def test_torch_has_its_weights_already_and_no_int8(written):
    assert not written(backend="torch").exists()
    with pytest.raises(UserError, match="loads no int8 weights with torch; add --backend onnx"):
        written("int8", backend="torch")
