"""The transformer of an encoder as another runtime, or in fewer bits; pooling and heads above it stay as they are.

Shapes: B texts · L tokens, padded · H features of a token
"""

import importlib
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn
from transformers.modeling_outputs import BaseModelOutput

from whyrank.core.errors import UserError, said_by
from whyrank.model.encoder.encoder import Encoder
from whyrank.model.encoder.packed import ATTENTION

# Names that sentence-transformers and optimum give the inputs and the output of an encoder.
INPUTS, OUTPUT = ("input_ids", "attention_mask"), "last_hidden_state"


class OnnxTransformer(nn.Module):
    """What `Encoder` asks of a transformer, from a graph that ONNX Runtime runs on the processor; without gradients."""

    device = torch.device("cpu")

    def __init__(self, graph: bytes, config: Any) -> None:
        super().__init__()
        self.config = config
        self.session = _package("onnxruntime").InferenceSession(graph, providers=["CPUExecutionProvider"])

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> BaseModelOutput:
        """last_hidden_state (B, L, H) float32."""
        given = dict(zip(INPUTS, (input_ids.numpy(), attention_mask.numpy()), strict=True))
        (token_BLH,) = self.session.run([OUTPUT], given)
        return BaseModelOutput(last_hidden_state=torch.from_numpy(token_BLH))


class StaticTransformer(nn.Module):
    """One vector for each token, whatever stands beside it; no attention."""

    def __init__(self, token_VH: torch.Tensor, config: Any) -> None:
        super().__init__()
        self.config = config
        self.token_VH = nn.Parameter(token_VH, requires_grad=False)

    @property
    def device(self) -> torch.device:
        return self.token_VH.device

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> BaseModelOutput:
        """last_hidden_state (B, L, H) float32."""
        return BaseModelOutput(last_hidden_state=self.token_VH[input_ids])


def static(encoder: Encoder) -> int:
    """Let each token have the vector that the encoder gives it alone, weighted by how rare it is; bytes of all.

    Model2Vec's distillation without a reduction of the features, for what stands above takes as many. Tokens that it
    leaves out, the special ones among them, are zero. Raises UserError where the package is missing.
    """
    distillation = _package("model2vec.distill", "static")
    if encoder.is_packed:
        encoder.transformer.set_attn_implementation("sdpa")
    with _without_warnings():
        found = distillation.distill_from_model(
            encoder.transformer, encoder.tokenizer, pca_dims=None, quantize_to="float32", device="cpu"
        )
    row_of, own = found.tokenizer.get_vocab(), encoder.tokenizer.get_vocab()
    token_VH = torch.zeros(encoder.embeddings, encoder.token_width)
    known = [token for token in own if token in row_of]
    found_VH = found.embedding if found.weights is None else found.embedding * found.weights[:, None]
    token_VH[[own[token] for token in known]] = torch.from_numpy(found_VH[[row_of[token] for token in known]]).float()
    encoder.is_packed = False
    encoder.transformer = StaticTransformer(token_VH, encoder.transformer.config)  # type: ignore[assignment]
    return token_VH.nbytes


def int8(encoder: Encoder) -> int:
    """Let the linear layers keep weights of 8 bits and multiply them with inputs rounded to 8 bits; bytes of all.

    Raises UserError where this torch no longer has dynamic quantisation.
    """
    try:
        quantisation = importlib.import_module("torch.ao.quantization")
    except ImportError:
        raise UserError("this torch has no dynamic quantisation; use `format: onnx-int8`") from None
    with _without_warnings():
        encoder.transformer = quantisation.quantize_dynamic(encoder.transformer, {nn.Linear}, dtype=torch.qint8)
        buffer = io.BytesIO()
        torch.save(encoder.transformer.state_dict(), buffer)
    return buffer.tell()


def graph(encoder: Encoder) -> bytes:
    """The transformer as an ONNX graph of any number of texts of any length.

    Raises UserError where a package is missing, and for a transformer that cannot be written as one.
    """
    for name in ("onnx", "onnxscript"):
        _package(name)
    transformer = encoder.transformer
    if encoder.is_packed:
        # Texts padded beside each other: laid end to end they have no graph that fits all batches.
        transformer.set_attn_implementation("eager")
    try:
        with TemporaryDirectory() as folder, _without_warnings():
            file = Path(folder) / "model.onnx"
            _export(transformer, file, encoder.longest)
            return file.read_bytes()
    except UserError:
        raise
    except Exception as error:  # what torch raises of a part that has no ONNX has no common base
        kind = type(transformer).__name__
        raise UserError(f"{kind} cannot be written as an ONNX graph: {said_by(error)}") from error
    finally:
        if encoder.is_packed:
            transformer.set_attn_implementation(ATTENTION)


def rounded(graph: bytes) -> bytes:
    """The graph with weights of 8 bits, and with inputs that its products round to 8 bits."""
    with TemporaryDirectory() as folder, _without_warnings():
        whole, small = Path(folder) / "model.onnx", Path(folder) / "int8.onnx"
        whole.write_bytes(graph)
        _package("onnxruntime.quantization").quantize_dynamic(whole, small, per_channel=True)
        return small.read_bytes()


def use(encoder: Encoder, graph: bytes) -> None:
    """Let ONNX Runtime run the transformer."""
    encoder.is_packed = False
    encoder.transformer = OnnxTransformer(graph, encoder.transformer.config)  # type: ignore[assignment]


class _Named(nn.Module):
    """The inputs by position and the output alone, as the export of a graph wants them."""

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def _export(transformer: nn.Module, file: Path, longest: int) -> None:
    # Sizes of an example must differ from 0 and 1, which an export takes for constants.
    ids_BL = torch.full((2, 8), 5)
    mask_BL = torch.ones_like(ids_BL)
    mask_BL[1, 5:] = 0
    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length", max=longest)}
    torch.onnx.export(
        _Named(transformer).eval(),
        (ids_BL, mask_BL),
        file,
        input_names=INPUTS,
        output_names=[OUTPUT],
        dynamo=True,
        dynamic_shapes=dict.fromkeys(INPUTS, sizes),
        external_data=False,
        verbose=False,
    )


def _package(name: str, extra: str = "onnx") -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UserError(f"{name.partition('.')[0]} is not installed; pip install 'whyrank[{extra}]'") from None


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Of what torch and ONNX Runtime will change some day, and of packages that no encoder needs."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
