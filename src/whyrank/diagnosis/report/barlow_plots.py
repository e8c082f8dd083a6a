"""The figures of Barlow Twins pretraining."""

import pandas as pd
from matplotlib.axes import Axes

from whyrank.diagnosis.report import messages
from whyrank.diagnosis.report.blocks import Plot
from whyrank.diagnosis.report.plots import ORANGE, legend_above
from whyrank.diagnosis.report.svg import INK, MUTED


def barlow_plots(barlow: pd.DataFrame) -> list[Plot]:
    def paint_diagonal(axes: Axes) -> None:
        axes.axhline(1, color=MUTED, linewidth=0.9, linestyle=":", label="perfect")
        axes.axhline(0, color=MUTED, linewidth=0.9, linestyle="--", label="chance")
        axes.plot(barlow["step"], barlow["mean_diagonal"], color=ORANGE, linewidth=1.5)
        axes.set(xlabel="step", ylabel="mean diagonal", ylim=(min(-0.15, barlow["mean_diagonal"].min() - 0.05), 1.08))
        legend_above(axes, ncols=2)

    def paint_off_diagonal(axes: Axes) -> None:
        axes.plot(barlow["step"], barlow["off_diagonal_rms"], color=ORANGE, linewidth=1.5, label="off-diagonal RMS")
        axes.plot(barlow["step"], barlow["noise_floor"], color=INK, linestyle="--", linewidth=1.1, label="noise floor")
        axes.set(xlabel="step", ylabel="correlation", ylim=(0, None))
        legend_above(axes, ncols=2)

    return [
        Plot(
            "barlow-diagonal", "Barlow Twins: agreement of the two views",
            "Mean diagonal of the cross-correlation; it stays near 0 when the two views share nothing.", 2.3,
            paint_diagonal, message=messages.of_diagonal(barlow),
        ),
        Plot(
            "barlow-off-diagonal", "Barlow Twins: redundancy of the features",
            "Off-diagonal RMS beside 1/√rows, which independent features reach by sampling alone.", 2.5,
            paint_off_diagonal, message=messages.of_redundancy(barlow),
        ),
    ]  # fmt: skip
