"""The losses of an objective as a table.

Adding a loss takes a function in the `losses` of a task, a field in the options of its objective and a line in
`params.yaml`.
"""

import inspect
from collections.abc import Mapping
from dataclasses import asdict
from types import ModuleType
from typing import Any

import torch

from whyrank.core.options.objectives import Objective


class LossTable:
    """The losses whose weight is above 0, by name: a function, its section of the options, and its weight in the sum"""

    def __init__(self, functions: ModuleType, section: Objective) -> None:
        """functions   module with a function for each loss of `section`, under the same name"""
        self.options = {name: asdict(loss) for name, loss in section.losses().items() if loss.weight > 0}
        self.weights = {name: float(options.pop("weight")) for name, options in self.options.items()}
        self.functions = {name: getattr(functions, name) for name in self.options}

    def __call__(self, name: str, columns: Mapping[str, Any]) -> torch.Tensor:
        """The loss of a batch, unweighted: its parameters are filled by their names, from its options and `columns`."""
        function, given = self.functions[name], {**columns, **self.options[name]}
        asked = inspect.signature(function).parameters
        loss: torch.Tensor = function(**{key: value for key, value in given.items() if key in asked})
        return loss

    def all(self, columns: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        return {name: self(name, columns) for name in self.weights}

    def asks_for(self, column: str) -> bool:
        """Whether any of the losses has a parameter of this name."""
        return any(column in inspect.signature(function).parameters for function in self.functions.values())

    def weighted(self, found: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name: self.weights[name] * loss for name, loss in found.items()}

    def total(self, found: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The weighted sum of all losses."""
        return torch.stack(list(self.weighted(found).values())).sum()
