"""Settings of a run outside of their usual range, as far as they take part in it."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from whyrank.diagnosis.usual import (
    CHOICES,
    CHOSEN_BY,
    CUT,
    DOT_SCALE,
    OBJECTIVES,
    PRETRAINING,
    RELATIVE_WEIGHT,
    TRAINING,
    USUAL,
    Choice,
    Usual,
)

# A section is off by one of these keys, and with it all of its numbers.
SWITCHES: Mapping[str, tuple[Any, ...]] = {
    "weight": (0,), "count": (0,), "steps": (0,), "rounds": (0,), "rank": (0,),
    "kind": ("none", "shared"), "read": (False,),
}  # fmt: skip
# Keys of a trained encoder, of a head of one kind, and of what takes several.
OF_ENCODER = ("encoder_learning_rate", "layer_decay", "encoder_gradient_scale", "attention_dropout")


class Found(NamedTuple):
    """key, value   of params.yaml
    measured   what is compared with the range, where that is not the value itself, in words
    """

    key: str
    value: Any
    usual: Usual | Choice
    far: float
    measured: str = ""


def unusual(values: Mapping[str, Any], *sections: str) -> Iterator[Found]:
    """What is outside of its usual range and takes part in the sections of params.yaml, in no order."""
    for key, choice in CHOICES.items():
        word = _at(values, key) if key.split(".")[0] in sections else None
        if isinstance(word, str) and (far := choice.far(word)):
            yield Found(key, word, choice, far)
    for key, usual in USUAL.items():
        value = used(values, key)
        if value is None or key.split(".")[0] not in sections:
            continue
        if key.endswith("similarity.scale") and _at(values, f"{TRAINING}.similarity.kind") == "dot":
            usual = DOT_SCALE
        if far := usual.far(value):
            yield Found(key, value, usual, far)
    if TRAINING in sections:
        yield from _weights(values[TRAINING])
        yield from _cuts(values[TRAINING])
        yield from _chosen(values[TRAINING])


def _cuts(training: Mapping[str, Any]) -> Iterator[Found]:
    """A loss on cut vectors alone, the largest of which keeps next to nothing."""
    for name, own in training["objectives"].items():
        dims = own.get("matryoshka", {}).get("dims") if own["weight"] else None
        if dims and (far := CUT.far(max(dims))):
            said = f"the largest cut has {max(dims)} features"
            for key in ("dims", "weights"):
                yield Found(f"{TRAINING}.objectives.{name}.matryoshka.{key}", own["matryoshka"][key], CUT, far, said)


def _chosen(training: Mapping[str, Any]) -> Iterator[Found]:
    """Weights of a ranker that are chosen by a part of the dev queries, by training queries, or by another task."""
    metric = training["early_stopping"]["metric"]
    if training["objectives"][OBJECTIVES[0]]["weight"] and metric and not metric.endswith("_all"):
        yield Found(f"{TRAINING}.early_stopping.metric", metric, CHOSEN_BY, CHOSEN_BY.far(metric))


def _weights(training: Mapping[str, Any]) -> Iterator[Found]:
    """Weights of objectives beside that of the first one that is on; of the two the one that is not about 1."""
    own = {name: training["objectives"].get(name, {}).get("weight", 0) for name in OBJECTIVES}
    on = [(name, weight) for name, weight in own.items() if weight > 0]
    if len(on) < 2 or training["tasks"]["weighting"] != "fixed":
        return
    (lead, first), *others = on
    for name, weight in others:
        if far := RELATIVE_WEIGHT.far(weight / first):
            key, value, other = max((name, weight, first), (lead, first, weight), key=lambda one: abs(math.log(one[1])))
            usual = RELATIVE_WEIGHT._replace(value=other)
            said = f"{weight / first:g} times the weight of {lead}"
            yield Found(f"{TRAINING}.objectives.{key}.weight", value, usual, far, said)


def used(values: Mapping[str, Any], key: str) -> float | None:
    """The number of a dotted key; None where it is not there, is switched off, or has no part in what is trained."""
    *path, last = key.split(".")
    value = _at(values, key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not _has_part(values, path, last, value):
        return None
    return float(value)


def _at(values: Mapping[str, Any], key: str) -> Any:
    """None where the key is not there, or a section around it is off."""
    at: Any = values
    *path, last = key.split(".")
    for name in path:
        at = at.get(name) if isinstance(at, Mapping) else None
        if at is None or any(at.get(switch) in off for switch, off in SWITCHES.items() if switch in at):
            return None
    return at.get(last)


def _has_part(values: Mapping[str, Any], path: list[str], last: str, value: float) -> bool:
    section = values.get(path[0] if path[0] in (TRAINING, PRETRAINING) else TRAINING, {})
    if last in OF_ENCODER and section.get("train", "all") == "head":
        return False
    if last == "output":
        return bool(_at(values, ".".join([*path, "kind"])) == "mlp")
    if path[-1] == "tasks":
        return bool(values[TRAINING]["tasks"]["sampling"] == "temperature")
    # 0 stands for something else than a number.
    is_no_number = last == "keep_layers" or "tokens" in path or (last == "learning_rate" and "objectives" in path)
    return not (is_no_number and value == 0)
