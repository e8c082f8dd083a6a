"""How widely the tokens of a text attend to each other, layer by layer.

Shapes: B texts of one length · L tokens · K heads
"""

from collections.abc import Sequence

import torch

from whyrank.model.encoder.encoder import Encoder, TokenIds
from whyrank.model.encoder.packed import ATTENTION

# Enough to tell a head that attends to one token, or to all alike.
TEXTS, LEAST_TOKENS = 16, 8
TINY = 1e-12


@torch.no_grad()
def widths(encoder: Encoder, rows: Sequence[TokenIds]) -> list[float]:
    """Mean over tokens and heads of the entropy of what a token attends to, by that of attending to all alike.

    One float a layer, 0 (one token) to 1 (all alike); none of an encoder whose texts are not packed, or where no text
    has `LEAST_TOKENS` tokens. Clark et al. 2019, arXiv:1906.04341, figure 2
    """
    long = sorted((row for row in rows if len(row) >= LEAST_TOKENS), key=len)
    if not long or not encoder.is_packed:
        return []
    length = len(long[len(long) // 2])
    ids_BL = torch.tensor([list(row[:length]) for row in long if len(row) >= length][:TEXTS], device=encoder.device)
    transformer, was_training = encoder.transformer, encoder.training
    encoder.eval()
    try:
        transformer.set_attn_implementation("eager")
        told = transformer(input_ids=ids_BL, attention_mask=torch.ones_like(ids_BL), output_attentions=True)
    finally:
        transformer.set_attn_implementation(ATTENTION)
        encoder.train(was_training)
    return [_width(weight_BKLL.float()) for weight_BKLL in told.attentions]


def _width(weight_BKLL: torch.Tensor) -> float:
    entropy_BKL = -(weight_BKLL * weight_BKLL.clamp_min(TINY).log()).sum(-1)
    return float(entropy_BKL.mean() / torch.tensor(weight_BKLL.shape[-1]).log())
