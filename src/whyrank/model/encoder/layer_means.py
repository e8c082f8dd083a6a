"""Means over the tokens after each of the lower layers: what a text looks like before its meaning is made of it.

Ratings follow from the surface of a text (a link, a list, its words) as much as from its meaning, and the
last layer of an encoder trained for similarity has dropped the surface. Peters et al. 2018 (arXiv:1802.05365) and
Tenney et al. 2019 (arXiv:1905.05950): the lower the layer, the nearer its output is to the words.

Shapes: N texts · B texts of a batch · T tokens of all of them, end to end · K the embeddings and the layers read ·
D features
"""

from collections.abc import Sequence
from pathlib import Path

import torch

from whyrank.core import processes
from whyrank.core.progress import progress
from whyrank.model.encoder import layers, pooling, vector_cache
from whyrank.model.encoder.encoder import Encoder, TokenIds, length_batches

# Of the cache, shared with the activations and bounded with them.
FOLDER = "activations"


def table(
    encoder: Encoder, rows: Sequence[TokenIds], above: int, *, batch_tokens: int, precision: str, folder: Path
) -> torch.Tensor:
    """(N, K, D) float32 in main memory, whatever the encoder's own pooling is.

    above    so many layers, the last ones, are not read; at least one, as the encoder's own vector is of its output
    folder   where an earlier training may have left it
    Raises UserError for an encoder that is not of the BERT family.
    """
    lower = layers.part(encoder, slice(None, -above), embeddings=True)
    name = vector_cache.fingerprint(lower, rows, batch_tokens, precision)
    return vector_cache.kept(
        folder / f"{name}-means.npy", lambda: compute(lower, rows, batch_tokens=batch_tokens, precision=precision)
    )


def compute(lower: Encoder, rows: Sequence[TokenIds], *, batch_tokens: int, precision: str) -> torch.Tensor:
    """Each process computes its own texts and gets the others'."""
    embeddings = layers.part(lower, slice(0, 0), embeddings=True)
    mean_NKD = torch.zeros(len(rows), len(layers.layers_of(lower)) + 1, lower.width)
    batches = list(length_batches([len(row) for row in rows], batch_tokens))[processes.number() :: processes.count()]
    with torch.no_grad(), lower.autocast(precision):
        for index_B in progress(batches, total=len(batches), what="means of frozen layers"):
            # A batch is longest first already, as the layout is.
            own, layout, _ = lower.laid_out([rows[i] for i in index_B])
            token_TD = embeddings.tokens(own, layout)
            means = [pooling.mean(token_TD.float(), layout)]
            for layer in layers.layers_of(lower):
                token_TD = layer(token_TD[None], layout=layout)[0]
                means.append(pooling.mean(token_TD.float(), layout))
            mean_NKD[torch.as_tensor(index_B)] = torch.stack(means, dim=1).cpu()
    processes.add_up(mean_NKD)
    return mean_NKD
