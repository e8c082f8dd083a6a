"""What training did to the similarity of a system, list by list, in evidence and in words."""

from collections.abc import Iterator

from whyrank.diagnosis.examination import Examination
from whyrank.findings.finding import Evidence


def what(case: Examination) -> str:
    """`mean Spearman over 7 sets`, or that of the only set."""
    headline = case.similarity.headline
    several = headline.startswith("mean of ")
    return headline.replace("mean of ", "mean Spearman over ") if several else f"Spearman on {headline}"


def values(case: Examination, *systems: str) -> Iterator[Evidence]:
    rows = case.similarity.systems[case.similarity.systems["list"] == case.similarity.headline]
    values = rows.set_index("system")["value"]
    for system in systems:
        yield Evidence(f"Spearman of {system}, {case.similarity.headline}", float(values[system]))


def by_list(case: Examination, start: str, system: str) -> Iterator[Evidence]:
    """The difference on each single list."""
    similar = case.similarity.comparisons
    for name in similar.loc[(similar["sets"] == 1) & (similar["list"] != case.similarity.headline), "list"].unique():
        found = case.similarity_difference(system, start, name)
        if found is not None:
            yield Evidence(f"difference on {name}", 100 * found.mean, "points")


def whole_and_within(case: Examination, start: str, system: str) -> tuple[list[float], list[float]]:
    """Differences in points of the lists that have subsets: as one list, and as the mean over the subsets."""
    pairs = []
    for name in case.similarity.comparisons["list"].unique():
        if ", mean of " in name:
            both = [case.similarity_difference(system, start, part) for part in (name.split(", mean of ")[0], name)]
            pairs += [tuple(100 * one.mean for one in both if one is not None)]
    known = [pair for pair in pairs if len(pair) == 2]
    return [pair[0] for pair in known], [pair[1] for pair in known]
