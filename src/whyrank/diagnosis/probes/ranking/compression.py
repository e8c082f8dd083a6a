"""What vectors in fewer bytes, or a smaller encoder, cost, and the smallest ones that cost less than a point."""

from collections.abc import Iterator

import numpy as np

from whyrank.diagnosis.examination import LEAST_EFFECT, Examination, paired
from whyrank.diagnosis.report import numbers
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.measure.significance.resampling import Interval

CAUSES: dict[str, str] = {
    "compressed": "Fewer bits, or fewer features, leave answers that differ little in the same place.",
    "served": "Weights and inputs rounded to 8 bits, or layers left out that training relied on, move the vectors.",
}
REFERENCES: dict[str, str] = {
    "compressed": "Yamada et al. 2021, arXiv:2106.00882; Kusupati et al. 2022, arXiv:2205.13147",
    "served": "Zafrir et al. 2019, arXiv:1910.06188; Sanh et al. 2019, arXiv:1910.01108",
}


@probe("compression-costs", on="trained", about="ranking", layer="symptom")
def compression_costs(case: Examination) -> Iterator[Finding | Outcome]:
    """A compressed system ranks significantly worse than the one that it was made of."""
    if not case.systems.compressed:
        yield not_applicable("data", "a system of kind compressed or served")
    for name, (source, *_) in case.systems.compressed.items():
        difference = case.difference(name, source)
        if difference is None:
            yield not_applicable(name, f"a run of it and of {source}")
        elif np.isnan(difference.low):
            yield too_little(name, "all test queries are of one answer: there is no interval")
        elif difference.high >= 0:
            yield _without_cost(case, name, difference)
        else:
            yield Finding(
                severity="warning" if is_a_point(difference) else "info",
                system=name,
                sentence=f"{name}, {_size(case, name)}, is below {source}: {case.spoken(name, source, difference)}.",
                cause=CAUSES[case.systems.options[name].kind],
                fix=Fix({}, _instead(case, name, source)),
                reference=REFERENCES[case.systems.options[name].kind],
                **paired(difference, case.values(name, source)),
            )


def is_a_point(difference: Interval) -> bool:
    """Whether a point or more was lost, by what was measured."""
    return difference.mean <= -LEAST_EFFECT


def _without_cost(case: Examination, name: str, difference: Interval) -> Outcome:
    measured = Evidence(f"difference in {case.metric}", 100 * difference.mean, "points")
    if difference.low > -LEAST_EFFECT:
        return passed(name, measured, -100 * LEAST_EFFECT)
    low = numbers.points(-difference.low)
    return too_little(name, f"no significant cost, and one of {low} points is not excluded", measured)


def _size(case: Examination, name: str) -> str:
    how = case.records.runs[name].how or {}
    after, before = (how.get(key, np.nan) for key in ("bytes", "bytes_before"))
    if case.systems.options[name].kind == "served":
        return f"{after / 1e6:,.0f} of {before / 1e6:,.0f} MB"
    return f"{after:,.0f} of {before:,.0f} bytes an answer"


def _instead(case: Examination, name: str, source: str) -> str:
    """The smallest of that kind, of the same system, that surely costs less than a point; without one, what to try."""
    options = case.systems.options
    costs = {
        other: (case.records.runs[other].how or {}).get("bytes", np.inf)
        for other, (of, *_) in case.systems.compressed.items()
        if of == source
        and options[other].kind == options[name].kind
        and (found := case.difference(other, source)) is not None
        and found.low > -LEAST_EFFECT
    }
    if costs:
        best = min(costs, key=lambda other: costs[other])
        if best == name:
            return f"nothing, if a point matters: {name} is the smallest of those of {source} that surely costs less"
        return f"use {best}, the smallest of those of {source} that surely costs less than a point"
    if options[name].kind == "served":
        return (
            f"keep the numbers as they are (`systems.{name}.format: onnx`), or train the layers that are kept: "
            f"`encoder.keep_layers`, with the folder of {source} as `finetune_rank.distillation.teacher`"
        )
    is_rescored = options[name].store != "binary" or options[name].rescore
    again = "" if is_rescored else f"score the first answers again by int8 vectors (`systems.{name}.rescore: 100`), or "
    return (
        f"{again}keep more bits: `systems.{name}.store: int8`, or all features (`dims: 0`); for fewer features train "
        "with `finetune_rank.objectives.rank.matryoshka.dims`"
    )
