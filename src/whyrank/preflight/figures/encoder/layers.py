"""What the weights of each layer say of themselves, and how far each layer moves the vectors of tokens.

Shapes: N rows of one weight and columns of the other · H features
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from whyrank.model.encoder.encoder import Encoder, TokenIds
from whyrank.preflight.figures.encoder import attention

# What architectures call the linear maps of a layer, by the end of their names in it.
PARTS = {
    "query": r"(query|query_proj|q_proj|q_lin|q)",
    "key": r"(key|key_proj|k_proj|k_lin|k)",
    "value": r"(value|value_proj|v_proj|v_lin|v)",
    "attention_output": r"(attention\.output\.dense|attention\.dense|o_proj|out_lin|(attn|Attention)\.o|attn\.Wo)",
    "feed_forward_in": r"(intermediate\.dense|ffn|lin1|up_proj|wi|wi_1)",
    "feed_forward_out": r"((?<!attention\.)output\.dense|ffn_output|lin2|down_proj|(?<!attn\.)(wo|Wo))",
}
NAMED = {part: re.compile(rf"(.*\.)?{ending}$") for part, ending in PARTS.items()}
# Rows of a weight whose values are counted, and columns that make a count worth something.
ROWS, COLUMNS = 8, 128
# A row of the first and the row (queries and keys) or column of the second belong to one feature of a head, or to one
# neuron, and were learnt together.
PARTNERS = {
    "query_key": ("query", "key"),
    "value_output": ("value", "attention_output"),
    "feed_forward": ("feed_forward_in", "feed_forward_out"),
}


def layers_of(encoder: Encoder) -> list[nn.Module]:
    """The layers, bottom to top, of any architecture: the list of like modules that holds most weights."""
    lists = [one for one in encoder.transformer.modules() if isinstance(one, nn.ModuleList) and len(one)]
    alike = [one for one in lists if len({type(layer) for layer in one}) == 1]
    sizes = [sum(weight.numel() for weight in one.parameters()) for one in alike]
    # The innermost of lists that hold the same: ALBERT keeps its one layer in a group.
    return list(alike[max(i for i, size in enumerate(sizes) if size == max(sizes))]) if alike else []


def table(encoder: Encoder, rows: Sequence[TokenIds]) -> pd.DataFrame:
    """One row per layer; NaN where an architecture does not have a part, or has several in one weight.

    layer           from 1
    change          length of what the layer adds to a token's vector by that of the vector, mean over tokens
    spread          length of what tells a token's vector after it from the mean over all tokens, by that of the vector
    copy_of         an earlier layer with the same weights, else 0
    rms_<part>      root mean square of a weight; `PARTS` has the parts
    fit_<pair>      H cos² of a row with its partner in the other weight, mean over rows: 1 ± sqrt(2 / N) of independent
                    ones, 0 where one of the two is zero
    levels          different values in a row of the weight that has fewest, median of `ROWS` rows: 16 of four bits
    lean            sqrt(H) times the mean cosine of what a neuron reads with what it writes
    attention       entropy of what a token attends to, by that of attending to all alike (attention.py)
    zeros           share of exact zeros in the part that has most, of those that are not zero as a whole
    follows         correlation over the features with the layer below, of what its weights read, write and pass: the
                    best of them; 1 of the first layer
    gain_low, gain_high   mean size of the weights of its LayerNorms: of the least, of the greatest
    """
    layers = layers_of(encoder)
    moved = movement(encoder, layers, rows)
    features = [by_feature(layer) for layer in layers]
    below: list[list[torch.Tensor]] = [[], *features[:-1]]
    found = [
        {"layer": i + 1, **moved[i], **weights(layer), "follows": follows(below[i], features[i]) if i else 1.0}
        for i, layer in enumerate(layers)
    ]
    prints = [tuple(float(weight.double().sum()) for weight in layer.state_dict().values()) for layer in layers]
    widths = attention.widths(encoder, rows)
    width = widths if len(widths) == len(layers) else [float("nan")] * len(layers)
    copies = [prints.index(own) + 1 if prints.index(own) < i else 0 for i, own in enumerate(prints)]
    return pd.DataFrame(found).assign(copy_of=copies, attention=width) if found else pd.DataFrame()


def weights(layer: nn.Module) -> dict[str, float]:
    linear = {name: module for name, module in layer.named_modules() if _is_linear(module)}
    named = {part: [one for name, one in linear.items() if NAMED[part].match(name)] for part in PARTS}
    # T5 with a gate has two; decoders of mixed experts have many.
    of_part = {part: _weight(modules[0]) for part, modules in named.items() if len(modules) == 1}
    found = {f"rms_{part}": float("nan") for part in PARTS} | {f"fit_{pair}": float("nan") for pair in PARTNERS}
    found["lean"] = float("nan")
    found["levels"] = min((levels(weight) for weight in of_part.values() if len(weight.T) >= COLUMNS), default=np.nan)
    zeros = [float((weight == 0).float().mean()) for weight in of_part.values()]
    found["zeros"] = max((share for share in zeros if share < 1), default=np.nan)
    found |= {f"rms_{part}": float(weight.square().mean().sqrt()) for part, weight in of_part.items()}
    for pair, (first, second) in PARTNERS.items():
        if first in of_part and second in of_part:
            other = of_part[second] if pair == "query_key" else of_part[second].T
            if of_part[first].shape == other.shape:
                cosine_N = nn.functional.cosine_similarity(of_part[first], other, dim=1)
                found[f"fit_{pair}"] = float(cosine_N.square().mean() * other.shape[1])
                if pair == "feed_forward":
                    found["lean"] = float(cosine_N.mean() * other.shape[1] ** 0.5)
    gains = [_weight(module).abs().mean().item() for module in layer.modules() if isinstance(module, nn.LayerNorm)]
    return found | {"gain_low": min(gains, default=np.nan), "gain_high": max(gains, default=np.nan)}


def by_feature(layer: nn.Module) -> list[torch.Tensor]:
    """Of each feature of the hidden state: weights of LayerNorms, and lengths of its feed-forward weights."""
    found = [_weight(module) for module in layer.modules() if isinstance(module, nn.LayerNorm)]
    for name, module in layer.named_modules():
        for part, side in (("feed_forward_in", 0), ("feed_forward_out", 1)):
            if _is_linear(module) and NAMED[part].match(name):
                found.append(_weight(module).norm(dim=side))
    return found


def follows(below: Sequence[torch.Tensor], own: Sequence[torch.Tensor]) -> float:
    """Features keep their places from layer to layer: those that are large in one are large in the next."""
    pairs = [torch.stack([one, other]) for one, other in zip(below, own, strict=False) if one.shape == other.shape]
    found = [float(torch.corrcoef(pair)[0, 1]) for pair in pairs if bool((pair.std(dim=1) > 0).all())]
    return max(found, default=float("nan"))


def levels(weight: torch.Tensor) -> float:
    """Median number of different values in some rows, spread evenly; 1 of a weight that is zero counts as all."""
    rows = weight[torch.linspace(0, len(weight) - 1, min(ROWS, len(weight))).long()].cpu().numpy()
    count = float(np.median([len(np.unique(row)) for row in rows]))
    return count if count > 1 else float(len(weight.T))


def movement(encoder: Encoder, layers: Sequence[nn.Module], rows: Sequence[TokenIds]) -> list[dict[str, float]]:
    """`change` and `spread` of each layer over the tokens of some texts, in float32."""
    found: list[dict[str, float]] = [{"change": float("nan"), "spread": float("nan")} for _ in layers]
    hooks = []
    for place, layer in enumerate(layers):

        def note(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any], output: Any, place: int = place) -> None:
            before = given[0] if given else next(iter(named.values()))
            after = output if isinstance(output, torch.Tensor) else output[0]
            found[place] = dict(zip(("change", "spread"), _moved(before, after), strict=True))

        hooks.append(layer.register_forward_hook(note, with_kwargs=True))
    try:
        # Equal lengths need no padding, which would be counted.
        length = max(int(np.median([len(row) for row in rows])), 1)
        cut = [row[:length] for row in rows if len(row) >= length]
        encoder.encode(cut, batch_tokens=length * len(cut), precision="fp32")
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _moved(before: torch.Tensor, after: torch.Tensor) -> Iterator[float]:
    before_TH, after_TH = before.float().flatten(0, -2), after.float().flatten(0, -2)
    length_T = after_TH.norm(dim=1).clamp_min(1e-12)
    yield float(((after_TH - before_TH).norm(dim=1) / before_TH.norm(dim=1).clamp_min(1e-12)).mean())
    yield float(((after_TH - after_TH.mean(dim=0)).norm(dim=1) / length_T).mean())


def _is_linear(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return isinstance(weight, torch.Tensor) and weight.ndim == 2 and not isinstance(module, nn.Embedding)


def _weight(module: nn.Module) -> torch.Tensor:
    weight = module.weight
    assert isinstance(weight, torch.Tensor)
    return weight.detach().float()
