"""FSDP: of several processes each holds a part of the encoder's weights, gradients and optimiser state.

torch's `fully_shard` makes DTensors of the parameters, gathers a layer where it is used and drops it after. Gathering
is the work of all processes at once: whatever reads the encoder, each must do as often as the others.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from whyrank.model.encoder.encoder import Encoder, TokenIds
from whyrank.training.engine.vectors import LiveVectors


class ShardedVectors(LiveVectors):
    """Live vectors of an encoder that is split across processes here, and whole again after `gather`."""

    def __init__(self, encoder: Encoder, rows: Sequence[TokenIds], *, batch_tokens: int, precision: str) -> None:
        super().__init__(encoder, rows, batch_tokens=batch_tokens, precision=precision)
        self.hollow = without_weights(encoder.transformer)
        shard(encoder.transformer)

    def gather(self) -> None:
        """Make the encoder what it was, with plain tensors as weights, in every process."""
        device = self.encoder.device
        self.hollow.load_state_dict(whole(self.encoder.transformer.state_dict()), assign=True)
        self.encoder.transformer = self.hollow.to(device).eval()


def without_weights(module: nn.Module) -> Any:
    """A copy of a module whose parameters have a shape and no memory: `fully_shard` cannot be undone or copied."""
    bare = {id(one): nn.Parameter(one.detach().to("meta"), one.requires_grad) for one in module.parameters()}
    return copy.deepcopy(module, bare)


def shard(transformer: nn.Module) -> None:
    """Split every layer across processes, and what is around the layers, which transformers keep in a ModuleList."""
    lists = [module for module in transformer.modules() if isinstance(module, nn.ModuleList)]
    # From the inside out: a call takes all parameters that none before it has taken.
    for module in [*(layer for layers in reversed(lists) for layer in layers), transformer]:
        # Between two passes every parameter has to be the part of this process, so that weights can be read there.
        fully_shard(module, reshard_after_forward=True)
    for module in transformer.modules():
        if isinstance(module, FSDPModule):
            # The batch has the sum of the processes' gradients, not their mean. Gloo can only sum without a factor.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)


def whole(state: Any, *, keep: bool = True) -> Any:
    """Gather what is split across processes, in a tensor or nested dict, into main memory; all processes call it.

    keep   False: this process only gives its parts, and gets None for what they make
    """
    if isinstance(state, dict):
        return {name: whole(value, keep=keep) for name, value in state.items()}
    if isinstance(state, DTensor):
        full = state.full_tensor()
        return full.cpu() if keep else None
    return state


def part(value: torch.Tensor, like: torch.Tensor | None) -> torch.Tensor:
    """`value`, whole or in parts, as `like` is: the part that this process holds of it, or the whole tensor."""
    if not isinstance(like, DTensor):
        return whole(value)
    if isinstance(value, DTensor):
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements, src_data_rank=None)


def load(module: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Load those parameters and buffers that are in `state`, each whole or in parts; none may be unknown to `module`.

    Where `state` is in parts, all processes call it.
    """
    own = module.state_dict()
    parts = {name: part(value, own.get(name)) for name, value in state.items()}
    unknown = module.load_state_dict(parts, strict=False).unexpected_keys
    assert not unknown, f"no such weights: {unknown}"


def load_optimiser(adamw: torch.optim.AdamW, state: dict[str, Any]) -> None:
    """Load a state of whole tensors; the moments are split across processes as their parameters are."""
    parameters = [parameter for group in adamw.param_groups for parameter in group["params"]]
    parts = {
        i: {name: part(value, parameters[i]) if value.ndim else value for name, value in moments.items()}
        for i, moments in state["state"].items()
    }
    adamw.load_state_dict(state | {"state": parts})


def clip(parameters: Iterable[nn.Parameter], largest: float) -> float:
    """Scale gradients down to the norm `largest`. Returns the norm before, which all processes share."""
    having = [parameter for parameter in parameters if parameter.grad is not None]
    before = norm([parameter.grad for parameter in having if parameter.grad is not None])
    for kind in plain_and_parts(having):
        nn.utils.clip_grads_with_norm_(kind, largest, before)
    return float(before)


def norm(tensors: Iterable[torch.Tensor]) -> torch.Tensor:
    """Of all of them together, a plain scalar; for all processes to call."""
    plain, parts = (nn.utils.get_total_norm(kind) for kind in plain_and_parts(tensors))
    return torch.hypot(plain, whole(parts))


def plain_and_parts(tensors: Iterable[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """torch's functions on lists take no mixture of plain tensors and DTensors."""
    kinds: tuple[list[torch.Tensor], list[torch.Tensor]] = ([], [])
    for tensor in tensors:
        kinds[isinstance(tensor, DTensor)].append(tensor)
    return kinds
