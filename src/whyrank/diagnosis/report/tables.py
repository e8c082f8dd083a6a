"""Tables that several sections and the model card show."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from string import ascii_lowercase
from types import MappingProxyType
from typing import Any

import pandas as pd

from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.blocks import Cell, Group, Table, head

NONE: Mapping[Any, Any] = MappingProxyType({})
COSTS = ("Parameters|size, layers", "Dimensions|of an answer")
FLOAT = 4  # bytes of a number of a vector
TYPES = {"all": "All queries", "question": "Questions", "conversation": "Conversations"}


def each(table: pd.DataFrame) -> Iterator[Any]:
    """Rows as named tuples, typed as anything: a checker knows no column of a DataFrame."""
    return iter(table.itertuples(index=False))


def best_cells(systems: pd.DataFrame) -> set[tuple[str, str, str]]:
    """(system, type, metric) of the highest values, as shown: what looks equal is equally best."""
    shown = systems.assign(value=systems["value"].map(numbers.value))
    best = shown[shown["value"] == shown.groupby(["type", "metric"])["value"].transform("max")]
    return set(best[["system", "type", "metric"]].itertuples(index=False, name=None))


def systems_table(
    table: pd.DataFrame,
    metric: str,
    roles: Mapping[str, str],
    beaten: Mapping[tuple[str, str], Sequence[str]] = NONE,
    costs: Mapping[str, Sequence[Cell]] = NONE,
) -> Table:
    """A row per system with the metric for each type of query; the best are marked.

    table   as of `compare.ranking.system_table`;  roles   what each system is
    beaten  those that a system (its name, the type) significantly beats: a row has a letter, and stands above others
    costs   of each system, under `COSTS`
    """
    best, chosen = best_cells(table), table[table["metric"] == metric]
    letters = dict(zip(dict.fromkeys(chosen["system"]), ascii_lowercase, strict=False)) if beaten else {}
    rows = {system: [Cell(system, roles.get(system, ""), above=letters.get(system, ""))] for system in chosen["system"]}
    kinds = [kind for kind in TYPES if kind in set(chosen["type"])]
    for kind in kinds:
        for row in each(chosen[chosen["type"] == kind]):
            above = "".join(sorted(letters.get(other, "") for other in beaten.get((row.system, kind), ())))
            rows[row.system].append(metric_cell(row, (row.system, kind, metric) in best)._replace(above=above))
    sizes = chosen.drop_duplicates("type").set_index("type")["n"]
    names = head("System", *(f"{TYPES[kind]}|n = {sizes[kind]}" for kind in kinds))
    names += head(*COSTS) if costs else []
    return Table(f"Systems, {metric}", names, [Group("", [[*row, *costs.get(name, ())] for name, row in rows.items()])])


def cost_cells(metrics: Mapping[str, float]) -> list[Cell]:
    """What a system costs, from what `evaluate` recorded of it; a lexical baseline has neither weights nor vectors."""
    width = metrics.get("features")
    layers = f", {metrics['layers']:.0f} layers" if "layers" in metrics else ""
    return [
        Cell(f"{metrics['parameters'] / 1e6:.1f} M", f"{metrics['megabytes']:.0f} MB{layers}")
        if "parameters" in metrics
        else Cell(numbers.NONE),
        Cell(f"{width:.0f}", numbers.size(metrics.get("bytes_per_answer", FLOAT * width)))
        if width
        else Cell(numbers.NONE),
    ]


def in_order(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The same rows, of the systems with the highest metric over all queries first."""
    values = table[(table["metric"] == metric) & (table["type"] == "all")].set_index("system")["value"]
    places = {system: place for place, system in enumerate(values.sort_values(ascending=False, kind="stable").index)}
    return table.sort_values("system", key=lambda system: system.map(places), kind="stable")


def beaten(comparisons: pd.DataFrame, level: float) -> dict[tuple[str, str], list[str]]:
    """Of each system and type of query, the systems that it significantly beats in a table of differences."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in each(comparisons):
        if is_sure(row, level):
            winner, loser = (row.a, row.b) if row.difference > 0 else (row.b, row.a)
            found.setdefault((winner, row.type), []).append(loser)
    return found


def metric_cell(row: Any, is_best: bool = False) -> Cell:
    return Cell(numbers.value(row.value), numbers.interval(row.low, row.high), is_best)


def correlation_cell(row: Any, best: float | None = None) -> Cell:
    """A correlation with its interval. best   the highest, rounded as shown"""
    is_best = best is not None and round(row.value, numbers.DIGITS) == best
    return Cell(numbers.defined(row.value), numbers.interval(row.low, row.high), is_best)


def differences_head(level: float) -> list[Cell]:
    return head("Comparison", f"Difference|{numbers.ci(level)}", "p", "Holm's p")


def is_sure(row: Any, level: float) -> bool:
    return numbers.is_sure(row.p_holm, level)


def from_difference(row: Any, level: float, show: Callable[[float], str] = numbers.signed) -> list[Cell]:
    """A row of a table of differences, marked where it is significant after Holm's correction."""
    return [
        Cell(f"{row.a} {numbers.MINUS} {row.b}", row.role if row.role != row.b else ""),
        Cell(numbers.defined(row.difference, show), numbers.interval(row.low, row.high, show), is_sure(row, level)),
        Cell(numbers.p_value(row.p)),
        Cell(numbers.p_value(row.p_holm)),
    ]
