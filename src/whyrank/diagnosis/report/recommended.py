"""Which of the systems to use, and why: the best one, unless a simpler one is as good."""

import pandas as pd

from whyrank.diagnosis.examination import LEAST_EFFECT
from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.content import Content
from whyrank.diagnosis.report.tables import each, is_sure
from whyrank.findings.systems import Systems

# From what costs least to run and to train.
SIMPLEST = ("baseline", "zero-shot", "pretrained", "tuned")
NOTHING_TRAINED = (0, False, False)
# A cross-encoder reads each query with each answer again, which takes more than any encoder.
CROSS_ENCODER = (len(SIMPLEST), False, True)
# What these take to run, nobody has said.
FOREIGN = ("run", "vectors")


def recommended(content: Content) -> tuple[str, str]:
    """Name and reason, by the metric over all queries; of systems within a point of each other the simplest."""
    table, metric = content.systems, content.metric
    values = table[(table["metric"] == metric) & (table["type"] == "all")].set_index("system")["value"]
    best = str(values.idxmax())
    pairs = content.comparisons[content.comparisons["type"] == "all"]
    near = [
        str(name)
        for name, value in values.items()
        if values[best] - value < LEAST_EFFECT and not _is_beaten(pairs, str(name), best, content.level)
    ]
    near = [name for name in near if name == best or all(_is_known(content.experiment, one) for one in (name, best))]
    chosen = min(near, key=lambda name: (_effort(content.experiment, name), -values[name]))
    value = numbers.value(values[chosen])
    if chosen == best:
        why = f"the highest {metric}, {value}"
    else:
        lead = numbers.points(values[best] - values[chosen])
        why = f"{metric} {value}, and simpler than {best}, which is ahead by {lead} points only"
    return chosen, f"{why}{_beside(pairs, chosen, content.level)}.{_doubt(content)}"


def _effort(systems: Systems, name: str) -> tuple[int, bool, bool]:
    """A rival takes what the systems take that it is made of, and a little more."""
    if systems.options[name].kind == "reranker":
        return CROSS_ENCODER
    if name in systems.rivals:
        effort = max((_effort(systems, one) for one in systems.made_of(name)), default=NOTHING_TRAINED)
        return *effort[:2], True
    return SIMPLEST.index(systems.options[name].role), systems.is_after_pretraining(name), False


def _is_known(systems: Systems, name: str) -> bool:
    """Whether it can be told what a system takes: not of a rival that another tool made, nor of what is made of it."""
    is_foreign = name in systems.rivals and systems.options[name].kind in FOREIGN
    return not is_foreign and all(_is_known(systems, one) for one in systems.made_of(name))


def _is_beaten(pairs: pd.DataFrame, name: str, best: str, level: float) -> bool:
    of_both = pairs[pairs["a"].isin([name, best]) & pairs["b"].isin([name, best])]
    return any(is_sure(row, level) for row in each(of_both))


def _beside(pairs: pd.DataFrame, chosen: str, level: float) -> str:
    """Which of the systems that it was compared with it beats, and which it does not."""
    sides: dict[bool, list[str]] = {True: [], False: []}
    for row in each(pairs):
        if chosen in (row.a, row.b):
            is_ahead = row.difference > 0 if row.a == chosen else row.difference < 0
            sides[is_ahead and is_sure(row, level)].append(row.b if row.a == chosen else row.a)
    said = [f"significantly above {_listed(sides[True])}"] if sides[True] else []
    said += [f"not significantly above {_listed(sides[False])}"] if sides[False] else []
    return f"; {', '.join(said)}" if said else ""


def _listed(names: list[str]) -> str:
    names = list(dict.fromkeys(names))
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _doubt(content: Content) -> str:
    errors = sum(finding.severity == "error" for finding in content.findings)
    if not errors:
        return ""
    return f" Fix the {'error' if errors == 1 else f'{errors} errors'} first: what is best may change."
