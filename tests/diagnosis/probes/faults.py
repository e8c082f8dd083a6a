"""The planted faults, each beside the test of its probe, and the means to plant them in a healthy experiment."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from whyrank.core.options.overrides import put
from whyrank.findings.records import Records

from ...shipped import PARAMS

TUNED = ("base-tuned", "barlow-tuned")
ENCODERS = ("base", "barlow", *TUNED)

Plant = Callable[[Any, Records], Records]
# By code: what plants the fault, and every finding that it implies.
PLANTED: dict[str, tuple[Plant, set[tuple[str, str]]]] = {}


def planted(code: str, implied: set[tuple[str, str]]) -> Callable[[Plant], Plant]:
    """Register what plants the fault of a code in healthy records, with all findings that it implies."""

    def register(plant: Plant) -> Plant:
        PLANTED[code] = plant, implied
        return plant

    return register


def of(code: str, *systems: str) -> set[tuple[str, str]]:
    return {(code, system) for system in systems}


# Of systems that tuning left as they were.
NOTHING = of("tuning-brought-nothing", *TUNED)


def with_data(records: Records, **changes: Any) -> Records:
    return replace(records, data=replace(records.data, **changes))


def with_params(records: Records, **changes: Any) -> Records:
    """The shipped parameters with changes; `__` stands for the dot of a key."""
    return replace(records, params=put(PARAMS, {key.replace("__", "."): value for key, value in changes.items()}))


def with_finetune(records: Records, **changes: Any) -> Records:
    """Both fine-tunings with other fields."""
    return replace(records, finetune={init: replace(record, **changes) for init, record in records.finetune.items()})


def with_history(healthy: Records, **columns: Any) -> Records:
    return with_finetune(healthy, history=healthy.finetune["base"].history.assign(**columns))


def with_looks(records: Records, **columns: Any) -> Records:
    return with_finetune(records, evaluations=records.finetune["base"].evaluations.assign(**columns))


def unchanged(lab: Any, records: Records) -> Records:
    """The tuned systems are what they were before."""
    return lab.spoil(records, base_tuned=records.runs["base"], barlow_tuned=records.runs["barlow"])


def flat(records: Records, start: float = 0.62, end: float = 0.64) -> Records:
    """Accuracy on training queries goes from `start` to `end` in a straight line, and that of dev beside it."""
    looks = records.finetune["base"].evaluations
    course = start + (end - start) * looks["step"] / looks["step"].max()
    return with_looks(records, **{"train_accuracy@1": course, "accuracy@1_all": course - 0.02})
