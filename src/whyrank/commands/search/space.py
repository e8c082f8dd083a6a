"""What a search varies: a file of spaces/, checked before any trial runs."""

import itertools
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna import distributions
from optuna.distributions import BaseDistribution

from whyrank.commands.scenario_checks import code_of
from whyrank.core.errors import UserError
from whyrank.core.options import overrides, params
from whyrank.core.options.overrides import written
from whyrank.core.options.systems import tuned_folder
from whyrank.core.options.yaml_files import read_yaml, starting_params

KEYS = {"question": str, "system": str, "metric": str, "overrides": dict, "space": dict}
RANGE = {"low", "high", "log", "step"}


@dataclass(frozen=True)
class Space:
    """question   what the search is to answer
    init       of the fine-tuning that each trial runs, whose result is `system`
    metric     of its dev set, larger is better
    overrides  of every trial
    varied     by key, of params.yaml
    values     of params.yaml under the overrides
    """

    name: str
    question: str
    system: str
    init: str
    metric: str
    overrides: Mapping[str, Any]
    varied: Mapping[str, BaseDistribution]
    values: dict[str, Any]

    @property
    def stage(self) -> str:
        return f"finetune_rank@{self.init}"

    @property
    def result(self) -> str:
        """The file of a trial that has its dev metrics."""
        return f"metrics/finetune_rank/{self.init}.json"

    def settings(self, chosen: Mapping[str, Any]) -> list[str]:
        """What `dvc exp run -S` takes for a trial with these values, as `varied` draws them."""
        fixed = [f"{key}={written(value)}" for key, value in self.overrides.items()]
        return fixed + [f"{key}={said(value)}" for key, value in chosen.items()]


def said(value: Any) -> str:
    """In the grammar of Hydra. A choice is written already, as Optuna keeps no lists; four digits of a drawn number."""
    if isinstance(value, str):
        return value
    return written(float(f"{value:.4g}") if isinstance(value, float) else value)


def read(file: Path, settings: Sequence[str] = ()) -> Space:
    """Raises UserError, naming the file, the key and the value, for whatever no trial could run with.

    settings   KEY=VALUE of every trial, over the overrides of the file
    """
    content = read_yaml(str(file))
    if not isinstance(content, dict) or content.keys() != KEYS.keys():
        raise UserError(f"{file}: expected the keys {', '.join(KEYS)}")
    for key, kind in KEYS.items():
        if not isinstance(content[key], kind):
            raise UserError(
                f"{file}: `{key}` is {content[key]!r}; it takes {'text' if kind is str else 'keys of params.yaml'}"
            )
    if not content["space"]:
        raise UserError(f"{file}: `space` is empty; name a key of params.yaml with a range or a list")
    values = starting_params()
    params.check(values)
    system = params.system(values, content["system"])
    inits = {tuned_folder(init): init for init in values["inits"]}
    if system.made_of not in inits:
        raise UserError(f"{file}: `system` is {content['system']}, which no fine-tuning makes; name a tuned one")
    own = overrides.given(settings)
    if both := own.keys() & content["space"].keys():
        raise UserError(f"-S {min(both)}: {file} varies it; take it out of `space`, or leave -S out")
    for changes in (content["overrides"], *each_of(content["space"])):
        for key, value in code_of(changes).items():
            if key not in own:
                runs = f"{key}={written(value)}"
                raise UserError(
                    f"{file} runs what it names: {runs}; read it, and if you agree, add -S {shlex.quote(runs)}"
                )
    varied = {key: distribution(file, key, asked) for key, asked in content["space"].items()}
    changes = content["overrides"] | own
    space = Space(file.stem, content["question"], content["system"], inits[system.made_of], content["metric"],
                  changes, varied, put(file, values, changes))  # fmt: skip
    check(file, space)
    return space


def each_of(space: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each value of each list, by its key."""
    yield from ({key: one} for key, asked in space.items() if isinstance(asked, list) for one in asked)


def distribution(file: Path, key: str, asked: Any) -> BaseDistribution:
    """A list: one of them. low, high and log or step: a number between them; whole where all of these are."""
    if isinstance(asked, list) and asked:
        return distributions.CategoricalDistribution([written(one) for one in asked])
    says = f"{file}: `space.{key}` is {asked!r}"
    if not isinstance(asked, dict) or not {"low", "high"} <= asked.keys() <= RANGE:
        raise UserError(f"{says}; it takes a list of values, or low and high, with log: true or step: …")
    numbers = [asked[name] for name in ("low", "high", "step") if name in asked]
    if not all(type(one) in (int, float) and math.isfinite(one) for one in numbers):
        raise UserError(f"{says}; low and high are numbers, and so is step")
    if not isinstance(asked.get("log", False), bool):
        raise UserError(f"{says}; log is true or false")
    is_whole = all(isinstance(one, int) for one in numbers)
    kind: Any = distributions.IntDistribution if is_whole else distributions.FloatDistribution
    step = {"step": asked["step"]} if "step" in asked else {}
    try:
        return kind(low=asked["low"], high=asked["high"], log=asked.get("log", False), **step)  # type: ignore[no-any-return]
    except (TypeError, ValueError) as error:
        raise UserError(f"{says}; {error}") from error


def check(file: Path, space: Space) -> None:
    """Each end of a range and each of a list has to be a value that params.yaml takes; alone, the others being set."""
    for key, one in space.varied.items():
        for value in ends(one):
            changed = put(file, space.values, {key: value})
            try:
                params.check(changed)
            except UserError as error:
                raise UserError(f"{file}: `space.{key}` has {value!r}: {error}") from error


def ends(one: BaseDistribution) -> Iterator[Any]:
    if isinstance(one, distributions.CategoricalDistribution):
        yield from (overrides.read(str(choice)) for choice in one.choices)
    else:
        yield from (one.low, one.high)  # type: ignore[attr-defined]


def put(file: Path, values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    try:
        return overrides.put(values, changes)
    except KeyError as error:
        raise UserError(f"{file}: params.yaml has no key {error.args[0]}") from error


def grid(space: Space) -> list[dict[str, Any]]:
    """Every combination of the values of all keys. Raises UserError where a range has no step."""
    found: dict[str, list[Any]] = {}
    for key, one in space.varied.items():
        if isinstance(one, distributions.CategoricalDistribution):
            found[key] = list(one.choices)
        elif one.step and not one.log:  # type: ignore[attr-defined]
            steps = int((one.high - one.low) / one.step + 1e-9) + 1  # type: ignore[attr-defined]
            found[key] = [round(one.low + i * one.step, 12) for i in range(steps)]  # type: ignore[attr-defined]
        else:
            raise UserError(f"spaces: a grid takes a list, or low, high and step of `{key}`; or use --sampler tpe")
    return [dict(zip(found, chosen, strict=True)) for chosen in itertools.product(*found.values())]
