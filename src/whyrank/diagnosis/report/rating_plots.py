"""The figures of ratings: what the labels look like, each target by system, predicted against true, fold by fold."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from whyrank.diagnosis.compare.text import shorten
from whyrank.diagnosis.report import messages
from whyrank.diagnosis.report.blocks import Plot
from whyrank.diagnosis.report.numbers import ci, value
from whyrank.diagnosis.report.plots import BLUE, forest, legend_above, styles_of
from whyrank.diagnosis.report.series import BINS, RatingSection
from whyrank.diagnosis.report.svg import GRID, INK, MUTED
from whyrank.diagnosis.report.tables import each
from whyrank.findings.systems import Systems

ACROSS = 2  # histograms beside each other
# Points of a scatter; more would be a blot.
MOST_ROWS = 1500
# Parts of equal size whose means are drawn over the scatter.
PARTS = 10


def rating_plots(section: RatingSection, systems: Systems, level: float) -> list[Plot]:
    """Those that something was recorded for, in the order of a reader."""
    plots = [systems_plot(section, systems, level), histograms_plot(section)]
    plots += [predicted_plot(section, systems, place) for place in section.predicted["place"].drop_duplicates()]
    return plots + [folds_plot(section, systems, str(init)) for init in section.folds["init"].drop_duplicates()]


def systems_plot(section: RatingSection, experiment: Systems, level: float) -> Plot:
    """A row per target, hardest last, the mean on top; a mark per system."""
    columns, systems = section.rated.columns, list(section.rated.systems["system"])
    best = columns.groupby("target")["value"].max()
    targets = sorted(section.rated.targets["target"], key=lambda target: -np.nan_to_num(best[target], nan=-1.0))
    rows = [("mean", row.system, row.value, row.low, row.high) for row in each(section.rated.systems)]
    by_target = {(row.target, row.system): (row.value, row.low, row.high) for row in each(columns)}
    rows += [(target, system, *by_target[target, system]) for target in targets for system in systems]

    def paint(axes: Axes) -> None:
        axes.axhspan(-0.5, 0.5, color=GRID, alpha=0.6, linewidth=0, zorder=0)
        forest(axes, rows, styles_of(experiment), {system: system for system in systems}, "Spearman", ncols=2)

    caption = f"Rows rated out of fold; whiskers are {ci(level)}s, bootstrap clustered by group. 0 is chance."
    height = 0.13 * (1 + len(targets)) * max(2, len(systems) - 2) + 1.0
    title, message = "Spearman by target", messages.of_systems(section.rated.systems)
    return Plot("rating-targets", title, caption, height, paint, message=message)


def histograms_plot(section: RatingSection) -> Plot:
    targets = list(section.rated.targets["target"])
    parts = dict(list(section.histograms.groupby("target")))
    down = -(-len(targets) // ACROSS)

    def paint(*grid: Axes) -> None:
        for axes in grid[len(targets) :]:
            axes.set_visible(False)
        for target, axes in zip(targets, grid, strict=False):
            part = parts[target]
            axes.bar(part["left"], part["share"], width=1 / BINS, align="edge", color=BLUE, linewidth=0)
            axes.set_title(shorten(target, 20), color=INK, pad=3)
            axes.set(xlim=(0, 1), ylim=(0, None), yticks=[])
            axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
            axes.spines["left"].set_visible(False)
            axes.grid(visible=False)

    caption = (
        "Share of the rows in bins of 0.05, each target on its own scale: a single tall bar leaves little to order."
    )
    return Plot("rating-histograms", "Labels of each target", caption, 0.95 * down, paint, (down, ACROSS),
                message=messages.of_histograms(section.histograms))  # fmt: skip


def predicted_plot(section: RatingSection, systems: Systems, place: str) -> Plot:
    """Every row of one target, and the mean label of rows of like prediction."""
    rows = section.predicted[section.predicted["place"] == place]
    target, system = str(rows["target"].iloc[0]), section.shown
    columns = section.rated.columns.set_index(["system", "target"])["value"]
    label_N, prediction_N = rows["label"].to_numpy(), rows["prediction"].to_numpy()
    drawn = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).astype(int))
    # Labels on a coarse grid would lie on top of each other.
    shift_N = np.random.default_rng(0).uniform(-0.012, 0.012, len(rows))

    def paint(axes: Axes) -> None:
        axes.plot(prediction_N[drawn], (label_N + shift_N)[drawn], "o", color=MUTED, markersize=2.2, alpha=0.35,
                  markeredgewidth=0)  # fmt: skip
        parts = np.array_split(np.argsort(prediction_N, kind="stable"), min(PARTS, len(rows)))
        middle = [(prediction_N[part].mean(), label_N[part].mean()) for part in parts]
        axes.plot(*np.transpose(middle), **styles_of(systems)[system], markersize=4.5, linewidth=1.3)
        axes.set(xlabel="predicted", ylabel="true", ylim=(-0.04, 1.04))

    title = f"{place.capitalize()} target of {system}: {shorten(target, 40)}"
    caption = (
        f"Spearman {value(columns[system, target])}. Dots are rows, a little apart from their label; the line joins "
        "the means of tenths of the rows, by prediction; chance is a level line."
    )
    return Plot(f"rating-{place}", title, caption, 2.6, paint)


def folds_plot(section: RatingSection, systems: Systems, init: str) -> Plot:
    """The course of each fold: one that failed stands apart."""
    rows = section.folds[section.folds["init"] == init]
    style = styles_of(systems)[systems.trained_from(init)]

    def paint(axes: Axes) -> None:
        axes.axhline(0, color=MUTED, linewidth=0.9, linestyle="--", label="chance")
        ends = []
        for fold, part in rows.groupby("fold"):
            axes.plot(part["step"], part["held_out"], color=style["color"], marker="o", markersize=3.5, linewidth=1.2)
            ends.append((float(part["held_out"].iloc[-1]), str(fold), float(part["step"].iloc[-1])))
        if rows["train"].notna().any():
            mean = _by_evaluation(rows)
            axes.plot(mean.index, mean, color=style["color"], linestyle=":", label="training rows, mean of folds")
        legend_above(axes, ncols=1)
        for end, fold, step in ends:
            if np.isfinite(end):
                axes.annotate(fold, (step, end), xytext=(4, 0), textcoords="offset points", va="center")
        axes.set(xlabel="step", ylabel="mean column Spearman")

    caption = "Rows held out, a line per fold with its number; dotted: a draw of the rows that were trained on."
    return Plot(f"rating-folds-{init}", f"Each fold while tuning from {init}", caption, 2.7, paint,
                message=messages.of_folds(rows))  # fmt: skip


def _by_evaluation(rows: pd.DataFrame) -> pd.Series:
    """The mean at each evaluation, over folds of a few steps more or less."""
    evaluation = rows.groupby("fold").cumcount()
    means = rows.groupby(evaluation)[["step", "train"]].mean()
    return means.set_index("step")["train"]
