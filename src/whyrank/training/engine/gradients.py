"""Gradients of several losses on shared weights: the part that each has, and whether they pull the same way."""

from collections import Counter
from collections.abc import Mapping
from itertools import combinations

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from whyrank.core import processes
from whyrank.training.engine import sharding

Gradients = dict[str, torch.Tensor]


def backward(losses: Mapping[str, torch.Tensor], trained: nn.Module, *, equal: bool = False) -> dict[str, float]:
    """Add the gradients of all losses, weighted scalars with graphs of their own, to those of the parameters.

    A loss that moves nothing yet, since all that it is to train is frozen for some steps, is passed by.
    equal   scale each loss's gradient to the mean of their norms first, so that all pull alike
    Returns, where there are several losses:
    `<name>_gradient_share`             the norm of the gradient of each, over the sum of these norms, taken where
                                        several losses meet (all parameters, if one of them meets none): a head of
                                        its own says nothing of what a task does to the others (Chen et al. 2018,
                                        arXiv:1711.02257). Together 1, and 1/n each for n losses that pull alike; a
                                        loss near 0 does nothing
    `<one>_<other>_gradient_cosine`     over the parameters that both move; -1: what one learns the other unlearns,
                                        0: nothing to do with each other; left out where one of them is 0
    """
    losses = {name: loss for name, loss in losses.items() if loss.requires_grad}
    if len(losses) < 2:
        for loss in losses.values():
            loss.backward()
        return {}
    held = taken(trained)
    own: dict[str, Gradients] = {}
    for name, loss in losses.items():
        loss.backward()
        own[name] = taken(trained)
    whole = {name: of_all_processes(gradients) for name, gradients in own.items()}
    norm = {name: float(sharding.norm(gradients.values())) for name, gradients in common(whole).items()}
    mean = sum(norm.values()) / len(norm)
    factor = {name: mean / size if equal and size else 1.0 for name, size in norm.items()}
    for key, parameter in trained.named_parameters():
        parts = [factor[name] * gradients[key] for name, gradients in own.items() if key in gradients]
        parts += [held[key]] if key in held else []
        parameter.grad = torch.stack(parts).sum(0) if parts else None
    return shares({name: factor[name] * size for name, size in norm.items()}) | cosines(whole)


def taken(trained: nn.Module) -> Gradients:
    """The gradients by name; the parameters are left without."""
    found = {key: parameter.grad for key, parameter in trained.named_parameters() if parameter.grad is not None}
    trained.zero_grad(set_to_none=True)
    return found


def of_all_processes(gradients: Gradients) -> Gradients:
    """Each process has the encoder's gradient of its own texts, or (DTensors) its part of the sum already."""
    if processes.count() == 1:
        return gradients
    found = {}
    for name, gradient in gradients.items():
        if "encoder" in name.split(".") and not isinstance(gradient, DTensor):
            gradient = gradient.clone()
            processes.add_up(gradient)
        found[name] = gradient
    return found


def common(gradients: Mapping[str, Gradients]) -> Mapping[str, Gradients]:
    """Those of parameters that several losses move; all of them where a loss has none of these."""
    losses = Counter(key for own in gradients.values() for key in own)
    met = {name: {key: part for key, part in own.items() if losses[key] > 1} for name, own in gradients.items()}
    return met if all(met.values()) else gradients


def shares(norm: Mapping[str, float]) -> dict[str, float]:
    """`<name>_gradient_share`: each norm over their sum."""
    total = sum(norm.values())
    return {f"{name}_gradient_share": own / total if total else 0.0 for name, own in norm.items()}


def cosines(gradients: Mapping[str, Gradients]) -> dict[str, float]:
    found = {}
    for (one, first), (other, second) in combinations(gradients.items(), 2):
        common = [key for key in first if key in second]
        product = sum(float(sharding.whole((first[key] * second[key]).sum())) for key in common)
        lengths = [float(sharding.norm([part[key] for key in common])) for part in (first, second)]
        if all(lengths):
            found[f"{one}_{other}_gradient_cosine"] = product / (lengths[0] * lengths[1])
    return found
