"""Gradients of several losses on shared weights, and what part of them each loss has."""

from collections.abc import Mapping

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from whyrank.core import processes
from whyrank.training import sharding


def backward(losses: Mapping[str, torch.Tensor], trained: nn.Module) -> dict[str, float]:
    """Add the gradients of all losses, weighted scalars with graphs of their own, to those of the parameters.

    Returns, where there are several losses, `<name>_gradient_share`: the norm of the gradient of each, over the sum of
    these norms. Together they are 1, and 1/n each for n losses that pull alike; a loss near 0 does nothing.
    """
    if len(losses) == 1:
        next(iter(losses.values())).backward()
        return {}
    norms = {}
    for name, loss in losses.items():
        held = {key: parameter.grad for key, parameter in trained.named_parameters()}
        trained.zero_grad(set_to_none=True)
        loss.backward()
        norms[name] = norm(trained)
        for key, parameter in trained.named_parameters():
            before = held[key]
            if before is not None:
                parameter.grad = before if parameter.grad is None else parameter.grad + before
    total = sum(norms.values())
    return {f"{name}_gradient_share": own / total if total else 0.0 for name, own in norms.items()}


def norm(trained: nn.Module) -> float:
    """Of the whole batch: each process has the encoder's gradient of its own texts, or a part of the sum."""
    gradients = []
    for name, parameter in trained.named_parameters():
        if parameter.grad is None:
            continue
        gradient = parameter.grad
        if processes.count() > 1 and "encoder" in name.split(".") and not isinstance(gradient, DTensor):
            gradient = gradient.clone()
            processes.add_up(gradient)
        gradients.append(gradient)
    return float(sharding.norm(gradients))
