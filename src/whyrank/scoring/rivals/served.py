"""The encoder of another system in another format: fewer bits, another runtime, fewer layers.

Shapes: N queries of all splits · A answers · D features of the result
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from whyrank.core import checksums, runtime
from whyrank.core.options.params import Encoder
from whyrank.core.options.systems import System
from whyrank.model import formats
from whyrank.model import system as models
from whyrank.model.encoder import layers
from whyrank.model.encoder.encoder import TokenIds
from whyrank.scoring.ranking import representation
from whyrank.scoring.ranking.representation import Vectors
from whyrank.scoring.rivals import pace
from whyrank.scoring.search.embed import Product
from whyrank.scoring.tasks import GRAPH, Scored, Tasks

# Token ids of texts -> their vectors (N, D) float32.
Encode = Callable[[Sequence[TokenIds]], np.ndarray]


def served(system: System, tasks: Tasks) -> Scored:
    """Rank by its vectors, and time it beside the encoder as it was made. Raises UserError as `convert` does."""
    runtime.seed_everything(tasks.seed)
    before, after = unchanged(system, tasks.encoder), reduced(system, tasks.encoder)
    models.check_tokens(before, tasks.texts, system.made_of)
    size: dict[str, float] = {"parameters": sum(weight.numel() for weight in after.parameters())}
    graph, weights = convert(system, after)
    if system.format == "static":  # another encoder; the other formats keep the same weights
        size["parameters"] = sum(weight.numel() for weight in after.parameters())
    encode = encoding(after, system.format, tasks.encoder)
    vector_MD, answers = encode(tasks.texts.token_ids), len(tasks.texts.answers)
    vectors = Vectors(*heads(after, vector_MD[answers:], vector_MD[:answers]))
    product = Product(vectors, after.score)
    run, others = tasks.rank(product), tasks.rank_others(product)
    size |= {"megabytes": (weights + sum(weight.nbytes for weight in above(after))) / 1e6}
    geometry = representation.describe(vectors, tasks.texts, run.top, tasks.seed)
    geometry |= size | {"score_kind_cosine": int(after.score == "cosine")}
    sizes = {"bytes": 1e6 * size["megabytes"], "bytes_before": sum(weight.nbytes for weight in before.parameters())}
    ways = {"before": encoding(before, "torch", tasks.encoder), "after": encode}
    times = pace.side_by_side(ways, tasks.texts.token_ids)
    how = {"format": system.format, "layers": system.layers, **sizes, **times}
    return Scored(run, geometry=geometry, vectors=vectors, others=others, how=how, graph=graph)


def unchanged(system: System, options: Encoder) -> models.System:
    """The system whose encoder is served, as it was made, on the processor."""
    return models.load(system.made_of, trust_remote_code=options.trust_remote_code).cpu()


def reduced(system: System, options: Encoder) -> models.System:
    """The same with the layers that are kept."""
    model = unchanged(system, options)
    layers.keep(model.encoder, system.layers, "layers")
    return model


def convert(system: System, model: models.System, graph: bytes = b"") -> tuple[bytes, int]:
    """Let the encoder of `model` be run in the format of `system`; the ONNX graph of it, and the bytes of its weights.

    graph   as an earlier call gave it; empty: made here
    Raises UserError where a package is missing, or the encoder cannot be brought into that format.
    """
    encoder = model.encoder
    if system.format == "torch-int8":
        return b"", formats.int8(encoder)
    if system.format == "static":
        return b"", formats.static(encoder)
    if system.format == "torch":
        return b"", sum(weight.nbytes for weight in encoder.transformer.parameters())
    if not graph:
        whole = formats.graph(encoder)
        graph = formats.rounded(whole) if system.format == "onnx-int8" else whole
    formats.use(encoder, graph)
    return graph, len(graph)


def restored(system: System, options: Encoder, run: Path) -> models.System:
    """What was scored, from the folder of its run. Raises UserError as `convert` does."""
    model = reduced(system, options)
    checksums.verify(run)
    file = run / GRAPH
    convert(system, model, file.read_bytes() if file.exists() else b"")
    return model


def encoding(model: models.System, form: str, options: Encoder) -> Encode:
    """With the matrix products of its format."""
    precision = options.precision if form == "torch" else "fp32"
    return lambda rows: model.encoder.encode(rows, batch_tokens=options.batch_tokens, precision=precision)


def heads(model: models.System, query_ND: np.ndarray, answer_AD: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of both sides as ranking compares them."""
    with torch.inference_mode():
        query, answer = (torch.from_numpy(side) for side in (query_ND, answer_AD))
        return model.queries(query).numpy(), model.answers(answer).numpy()


def above(model: models.System) -> list[torch.Tensor]:
    """The weights of all but the transformer."""
    inside = {id(weight) for weight in model.encoder.transformer.parameters()}
    return [weight for weight in model.parameters() if id(weight) not in inside]
