"""The figures of the report. Colour says which initial encoder, fill whether it was tuned, grey is lexical."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from whyrank.diagnosis.compare.text import shorten
from whyrank.diagnosis.report import messages
from whyrank.diagnosis.report.blocks import Plot
from whyrank.diagnosis.report.levels import Levels
from whyrank.diagnosis.report.numbers import MINUS, ci, points
from whyrank.diagnosis.report.series import projected
from whyrank.diagnosis.report.svg import INK, MUTED
from whyrank.diagnosis.report.tables import TYPES, each
from whyrank.findings.systems import Systems

BLUE, ORANGE, GREY = "#0072b2", "#c2500a", "#6b7680"  # differ in lightness too
# Of the types of queries: hues that no system has.
QUESTION, CONVERSATION = "#00797a", "#b0357a"
# Of encoders, by what they started from: colour and marker.
CHAINS = ((BLUE, "o"), (ORANGE, "s"), ("#117733", "D"), ("#7b3294", "P"), ("#8c6d00", "X"), ("#a3004a", "h"))
BASELINES, RIVALS = "^v<>", "*d8p"
Style = dict[str, Any]
Point = tuple[str, str, float, float, float]
CEILING = "ceiling by wrong labels"
SLICES = {
    "length": ("Query length", "tokens before selection"),
    "overlap": ("Lexical overlap", "share of content words found in the answer"),
}
MOST_PAIRS = 150


def metric_plot(values: pd.DataFrame, systems: Systems, metric: str, level: float) -> Plot:
    """Dots and whiskers, one block of systems per type."""
    chosen, styles = values[values["metric"] == metric], styles_of(systems)
    kinds = [kind for kind in TYPES if kind in set(chosen["type"])]
    names = list(chosen["system"].drop_duplicates())

    def paint(axes: Axes) -> None:
        for row in each(chosen):
            y = kinds.index(row.type) * (len(names) + 1.4) + names.index(row.system)
            whisker(axes, y, (row.value, row.low, row.high), styles[row.system])
        starts = np.arange(len(kinds)) * (len(names) + 1.4)
        axes.set_yticks((starts[:, None] + np.arange(len(names))).ravel(), names * len(kinds))
        for start, kind in zip(starts, kinds, strict=True):
            axes.text(0.01, start - 0.95, TYPES[kind], transform=axes.get_yaxis_transform(), weight="bold", va="center")
        axes.set(xlim=(0, 1), ylim=(starts[-1] + len(names) - 0.4, -1.5), xlabel=metric)
        axes.grid(axis="y", visible=False)

    caption = f"Mean over test queries; whiskers are {ci(level)}s, bootstrap clustered by answer."
    return Plot("metrics", f"{metric} of every system", caption, 0.21 * len(kinds) * (len(names) + 1.8) + 0.5, paint,
                message=messages.of_systems(chosen[chosen["type"] == "all"]))  # fmt: skip


def learning_plot(
    learning: pd.DataFrame, convergence: pd.DataFrame, systems: Systems, metric: str, levels: Levels
) -> Plot:
    """convergence   the step and value that each training kept"""

    def paint(axes: Axes) -> None:
        axes.axhline(levels.chance, color=MUTED, linewidth=0.9, linestyle="--", label="chance")
        if levels.ceiling < 1:
            axes.axhline(levels.ceiling, color=MUTED, linewidth=0.9, linestyle="-.", label=CEILING)
        for start, (step, least) in levels.overfitted.items():
            colour = styles_of(systems)[systems.trained_from(start)]["color"]
            axes.hlines(least, step, learning["step"].max(), color=colour, linewidth=1.1, linestyle=(0, (1, 2)),
                        label=f"{start}, overfitted below")  # fmt: skip
        axes.plot(convergence["best_step"], convergence["best"], "o", color=INK, markersize=9, fillstyle="none",
                  label="kept")  # fmt: skip
        for init, rows in learning.groupby("init", sort=False):
            style = styles_of(systems)[systems.trained_from(str(init))]
            every = max(1, len(rows) // 12)
            axes.plot(rows["step"], rows["dev"], **style, markersize=4.5, markevery=every, label=f"{init}, dev")
            if rows["train"].notna().any():
                axes.plot(rows["step"], rows["train"], color=style["color"], linestyle=":", label=f"{init}, train")
        axes.set(xlabel="step", ylabel=metric, ylim=(0, 1.02))
        legend_above(axes, ncols=2)

    caption = (
        "Metric at each evaluation on the dev set, by initial encoder; dotted: a sample of training queries; a ring: "
        "the evaluation whose weights were kept. The check overfitted speaks where the last evaluations are below its "
        "line."
    )
    caption += f" {CEILING.capitalize()}: what a perfect ranking reaches." if levels.ceiling < 1 else ""
    title = f"{metric} while fine-tuning"
    message = f"{messages.of_learning(learning)} {messages.of_levels(levels)}"
    return Plot("learning", title, caption, 3.6, paint, message=message)


def centroid_plots(centroids: pd.DataFrame, systems: Systems) -> list[Plot]:
    """One figure per system, of at most `MOST_PAIRS` answers picked evenly: more would be a blot."""
    titles = projected(systems)
    return [
        _centroid_plot(str(system), titles[str(system)], rows)
        for system, rows in centroids.groupby("system", sort=False)
    ]


def _centroid_plot(system: str, title: str, rows: pd.DataFrame) -> Plot:
    question, conversation = (rows[rows["kind"] == kind] for kind in ("question", "conversation"))
    n = len(question)
    picked = np.unique(np.linspace(0, n - 1, min(n, MOST_PAIRS)).astype(int))

    def paint(axes: Axes) -> None:
        question_A2, conversation_A2 = (part[["x", "y"]].to_numpy()[picked] for part in (question, conversation))
        for ends_22 in np.stack([question_A2, conversation_A2], axis=1):
            axes.plot(*ends_22.T, color="#9aa5b1", linewidth=0.8, zorder=1)
        axes.plot(*question_A2.T, "o", color=QUESTION, markerfacecolor="white", markersize=4.5, label="questions")
        axes.plot(*conversation_A2.T, "^", color=CONVERSATION, markersize=4.5, label="conversations")
        axes.set_aspect("equal", adjustable="datalim")
        axes.set(xticks=[], yticks=[], xlabel="first principal axis", ylabel="second")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.13), ncols=2, handletextpad=0.2)

    distance, spread = question["distance"].mean(), question["spread"].iloc[0]
    caption = (
        f"One line per answer, {n} answers" + (f" ({len(picked)} drawn). " if len(picked) < n else ". ")
        + f"Question to conversation centroid: {distance:.3f} on average, "
        f"{distance / spread:.2f} of the distance between two answers."
    )  # fmt: skip
    return Plot(f"centroids-{system}", f"Centroids {title} ({system})", caption, 3.4, paint)


def slice_plots(slices: pd.DataFrame, systems: Systems, metric: str, level: float) -> list[Plot]:
    shown = [name for name in SLICES if name in set(slices["slice"])]
    styles = styles_of(systems)
    return [_slice_plot(name, slices[slices["slice"] == name], styles, metric, level) for name in shown]


def _slice_plot(name: str, rows: pd.DataFrame, styles: Mapping[str, Style], metric: str, level: float) -> Plot:
    title, unit = SLICES[name]
    sizes = rows.drop_duplicates("bin").set_index("bin")["n"]
    systems = list(rows["system"].drop_duplicates())

    def paint(axes: Axes) -> None:
        for i, system in enumerate(systems):
            part = rows[rows["system"] == system]
            x = np.arange(len(sizes)) + 0.09 * (i - (len(systems) - 1) / 2)
            axes.vlines(x, part["low"], part["high"], color=styles[system]["color"], linewidth=0.8, alpha=0.6)
            axes.plot(x, part["value"], **styles[system], linewidth=0.9, markersize=4.5, label=system)
        axes.set_xticks(np.arange(len(sizes)), [f"{label}\nn = {n}" for label, n in sizes.items()])
        axes.set(xlabel=unit, ylabel=metric, ylim=(0, 1.02))
        axes.grid(axis="x", visible=False)
        legend_above(axes, ncols=3)

    caption = f"Whiskers are {ci(level)}s; n is the number of test queries."
    return Plot(f"slice-{name}", f"{metric} by {title.lower()}", caption, 3.1, paint,
                message=messages.of_slices(rows))  # fmt: skip


def gap_plot(gap: pd.DataFrame, metric: str) -> Plot:
    def paint(axes: Axes) -> None:
        y = np.arange(len(gap))
        axes.hlines(y, gap["question"], gap["conversation"], color="#9aa5b1", linewidth=1.6)
        axes.scatter(gap["question"], y, s=34, facecolor="white", edgecolor=QUESTION, label="questions", zorder=3)
        axes.scatter(gap["conversation"], y, s=34, color=CONVERSATION, marker="^", label="conversations", zorder=3)
        for i, difference in enumerate(gap["gap"]):
            axes.text(1.02, i, points(difference), transform=axes.get_yaxis_transform(), va="center")
        axes.set_yticks(y, gap["system"])
        axes.set(xlim=(0, 1), ylim=(len(gap) - 0.5, -0.5), xlabel=metric)
        axes.grid(axis="y", visible=False)
        legend_above(axes, ncols=2)

    caption = "At the right: questions minus conversations, in points. The two types differ in length too."
    return Plot("gap", f"Question and conversation gap in {metric}", caption, 0.27 * len(gap) + 1.0, paint,
                message=messages.of_gap(gap))  # fmt: skip


def similarity_plot(comparisons: pd.DataFrame, experiment: Systems, level: float) -> Plot:
    """A row per list: what each training did to the similarity of the system that it started from."""
    start = experiment.start
    rows = [
        (row.list, row.a, row.difference, row.low, row.high) for row in each(comparisons) if start.get(row.a) == row.b
    ]
    labels = {system: f"{system} {MINUS} {start[system]}" for _, system, *_ in rows}
    caption = f"Left of the line training lowered the correlation; whiskers are {ci(level)}s, bootstrap of pairs."
    height = 0.3 * len({name for name, *_ in rows}) + 0.2 * len(labels) + 0.7

    def paint(axes: Axes) -> None:
        forest(axes, rows, styles_of(experiment), labels, "difference of Spearman's correlations", ncols=1)

    return Plot("similarity", "Similarity gained or lost by training", caption, height, paint,
                message=messages.of_differences(rows))  # fmt: skip


def forest(
    axes: Axes, rows: Sequence[Point], styles: Mapping[str, Style], labels: Mapping[str, str], xlabel: str, ncols: int
) -> None:
    """A row per place, and in it a mark with whiskers per system.

    rows     place, system, number, low, high;  labels   of the systems, in the order in which they stand in a row
    """
    places, systems = list(dict.fromkeys(row[0] for row in rows)), list(labels)
    axes.axvline(0, color=MUTED, linewidth=0.9, linestyle="--")
    for place, system, *numbers in rows:
        y = places.index(place) + 0.75 / (len(systems) + 1) * (systems.index(system) - (len(systems) - 1) / 2)
        whisker(axes, y, numbers, styles[system], labels[system] if place == places[0] else None)
    axes.set_yticks(range(len(places)), [shorten(place, 20) for place in places])
    axes.set(ylim=(len(places) - 0.45, -0.55), xlabel=xlabel)
    axes.grid(axis="y", visible=False)
    legend_above(axes, ncols)


def whisker(axes: Axes, y: float, numbers: Sequence[float], style: Style, label: str | None = None) -> None:
    """A mark at the number, and a line between its bounds."""
    number, low, high = numbers
    axes.plot([low, high], [y, y], color=style["color"], linewidth=1.3)
    axes.plot(number, y, **style | {"linestyle": "none"}, markersize=5, label=label)


def legend_above(axes: Axes, ncols: int) -> None:
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=ncols, columnspacing=1.0, handletextpad=0.3)


def styles_of(systems: Systems) -> dict[str, Style]:
    """Colour, marker and line of each system; encoders of one origin share colour and marker."""
    styles = {name: _baseline(number) for number, name in enumerate(systems.baselines)}
    chains: list[tuple[str, bool]] = []
    for name in systems.encoders:
        chain = (systems.root(name), systems.is_pretrained(name))
        chains += [] if chain in chains else [chain]
        colour, marker = CHAINS[chains.index(chain) % len(CHAINS)]
        is_tuned = name in systems.tuned
        styles[name] = {"color": colour, "marker": marker, "markerfacecolor": colour if is_tuned else "white"}
        styles[name]["linestyle"] = "-" if is_tuned else "--"
    rivals = {name: {"color": INK, "marker": RIVALS[i % 4], "linestyle": "-."} for i, name in enumerate(systems.rivals)}
    return styles | rivals


def _baseline(number: int) -> Style:
    fill = GREY if number % 2 else "white"
    return {"color": GREY, "marker": BASELINES[number % 4], "markerfacecolor": fill, "linestyle": ":"}
