"""What a step does to the weights, on a fixed sample of each part: gradient, update, and how the two go together.

Shapes: S weights of the sample of a part · N weights of all samples
"""

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from whyrank.training.engine.optimiser import part_of

# Weights of a part that are looked at: a ratio of root mean squares is then known to 2 %, for a few microseconds.
SAMPLE = 4096


class Footprint:
    """`before` the optimiser's step and `after` it; nothing is kept from one step to the next.

    Of weights that are split across processes, each process looks at its own part.
    """

    def __init__(self, trained: nn.Module, names: Sequence[str]) -> None:
        """names   of the parameters that training may change"""
        self.trained = trained
        parameters = dict(trained.named_parameters())
        parts: dict[str, list[str]] = {}
        for name in names:
            parts.setdefault(_part(name), []).append(name)
        self.places = {part: _spread({name: parameters[name] for name in own}) for part, own in parts.items()}
        self.count = sum(parameters[name].numel() for name in names)
        self.start = self._weights()
        self.weights, self.gradients = self.start, self.start

    def before(self) -> None:
        """Look at the weights, and at the gradients as the optimiser takes them: after clipping."""
        self.weights, self.gradients = self._weights(), self._gradients()

    def after(self) -> dict[str, float]:
        """Columns of the history.

        gradient_<part>          root mean square of the gradient, after clipping
        update_<part>            that of the step, over that of the weights
        trained_weights          that training may change, frozen ones that are to follow among them
        weight_norm              root mean square of the weights, over what it was before training
        weights_changed          share of the weights with a gradient that the step changed at all
        descent_cosine   of the step and the negative gradient, -1 to 1; 0 without a gradient or a step
        shrink_cosine     of the step and the negative weights; near 1: weight decay is all that it does
        """
        now = self._weights()
        update = {part: weight_S - self.weights[part] for part, weight_S in now.items()}
        columns = {f"gradient_{part}": _rms(gradient_S) for part, gradient_S in self.gradients.items()}
        columns |= {f"update_{part}": _rms(update[part]) / max(_rms(self.weights[part]), 1e-12) for part in now}
        update_N, gradient_N, weight_N = (_joined(one) for one in (update, self.gradients, self.weights))
        has_gradient_N = gradient_N != 0
        changed = (update_N[has_gradient_N] != 0).double().mean() if has_gradient_N.any() else torch.zeros(())
        return columns | {
            "trained_weights": self.count,
            "weight_norm": _rms(_joined(now)) / max(_rms(_joined(self.start)), 1e-12),
            "weights_changed": float(changed),
            "descent_cosine": _cosine(update_N, -gradient_N),
            "shrink_cosine": _cosine(update_N, -weight_N),
        }

    def _weights(self) -> dict[str, torch.Tensor]:
        parameters = dict(self.trained.named_parameters())
        return {
            part: torch.cat([_flat(parameters[name].detach())[place_S] for name, place_S in own.items()])
            for part, own in self.places.items()
        }

    def _gradients(self) -> dict[str, torch.Tensor]:
        """Zeros where there is none."""
        parameters = dict(self.trained.named_parameters())
        found = {}
        for part, own in self.places.items():
            pieces = []
            for name, place_S in own.items():
                gradient = parameters[name].grad
                pieces.append(torch.zeros(len(place_S)) if gradient is None else _flat(gradient)[place_S].cpu())
            found[part] = torch.cat(pieces).to(self.weights[part].device)
        return found


def _part(name: str) -> str:
    """As in `moved_<part>`, with what objectives have for themselves apart: the scale of the scores is no head."""
    return "objectives" if name.startswith("objectives.") else part_of(name).removeprefix("moved_")


def gradients_left(trained: nn.Module) -> float:
    """Length of the gradients that are there before the losses of a step are computed: of the steps before it, 0."""
    left = [_flat(one.grad) for one in trained.parameters() if one.grad is not None]
    return float(sum((one.double().square().sum() for one in left), start=torch.zeros(())).sqrt()) if left else 0.0


def _spread(own: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Of each parameter of a part the places of its weights in the sample, evenly spread over the part."""
    sizes = [_flat(parameter.detach()).numel() for parameter in own.values()]
    total = sum(sizes)
    place_S = torch.linspace(0, max(total - 1, 0), min(SAMPLE, total), dtype=torch.float64).round().long().unique()
    found, start = {}, 0
    for (name, parameter), size in zip(own.items(), sizes, strict=True):
        inside = place_S[(place_S >= start) & (place_S < start + size)] - start
        found[name] = inside.to(parameter.device)
        start += size
    return found


def _flat(tensor: torch.Tensor) -> torch.Tensor:
    return (tensor.to_local() if isinstance(tensor, DTensor) else tensor).reshape(-1)


def _joined(parts: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """(N,) float64: of float32 the sum of squares of small steps would vanish."""
    return torch.cat([one.double() for one in parts.values()]) if parts else torch.zeros(0, dtype=torch.float64)


def _rms(value_S: torch.Tensor) -> float:
    return float(value_S.double().square().mean().sqrt()) if len(value_S) else 0.0


def _cosine(one_N: torch.Tensor, other_N: torch.Tensor) -> float:
    lengths = one_N.norm() * other_N.norm()
    return float(one_N @ other_N / lengths) if lengths > 0 else 0.0
