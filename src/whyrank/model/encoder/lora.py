"""Low-rank updates of the encoder's attention in place of its own weights (Hu et al. 2021, arXiv:2106.09685)."""

import importlib.util
from typing import Any

from whyrank.core.errors import UserError
from whyrank.core.options.params import Lora
from whyrank.model.encoder.encoder import Encoder

ADAPTED = ["query", "key", "value"]


def add(encoder: Encoder, options: Lora) -> None:
    """Freeze the encoder and put trainable low-rank updates beside its attention; rank 0 leaves it as it is."""
    if options.rank == 0:
        return
    if importlib.util.find_spec("peft") is None:
        raise UserError("LoRA needs the package peft; run `pip install peft`, or set lora.rank=0")
    import peft

    config = peft.LoraConfig(
        r=options.rank, lora_alpha=options.alpha, lora_dropout=options.dropout, target_modules=ADAPTED
    )
    peft.inject_adapter_in_model(config, encoder.transformer)


def merge(encoder: Encoder) -> None:
    """Add the updates to the weights and take the adapters away, so that the encoder is an ordinary one again."""
    for name, module in list(encoder.transformer.named_modules()):
        if hasattr(module, "merge") and hasattr(module, "base_layer"):
            layer: Any = module
            layer.merge()
            parent, _, child = name.rpartition(".")
            setattr(encoder.transformer.get_submodule(parent), child, layer.base_layer)
