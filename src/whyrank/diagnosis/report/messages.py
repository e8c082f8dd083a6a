"""What a figure shows, in a sentence, for readers who do not see it."""

import pandas as pd

from whyrank.diagnosis.report.levels import Levels
from whyrank.diagnosis.report.numbers import defined, per_cent, points, signed, value
from whyrank.diagnosis.report.tables import each


def of_systems(values: pd.DataFrame) -> str:
    """values   of one metric and type of query: system, value"""
    ordered = values.sort_values("value", ascending=False, kind="stable")
    return f"Highest first: {', '.join(f'{row.system} {value(row.value)}' for row in each(ordered))}."


def of_learning(learning: pd.DataFrame) -> str:
    """Where each curve begins, is highest and ends, on the dev set."""
    return " ".join(
        f"{init}: {value(rows['dev'].iloc[0])} before the first step, {value(rows['dev'].max())} at its highest, "
        f"{value(rows['dev'].iloc[-1])} at step {rows['step'].iloc[-1]}."
        for init, rows in learning.groupby("init", sort=False)
    )


def of_levels(levels: Levels) -> str:
    """What the curves are read against."""
    ceiling = f" wrong labels leave {value(levels.ceiling)} at most;" if levels.ceiling < 1 else ""
    least = ", ".join(f"{init} {value(number)}" for init, (_, number) in levels.overfitted.items())
    checked = f"; the check overfitted speaks below {least}" if least else ""
    return f"Chance is {value(levels.chance)};{ceiling}".rstrip(";") + f"{checked}."


def of_histograms(histograms: pd.DataFrame) -> str:
    fullest = histograms.groupby("target", sort=False)["share"].max()
    return f"Rows in the fullest bin: {', '.join(f'{name} {per_cent(share, 0)}' for name, share in fullest.items())}."


def of_folds(rows: pd.DataFrame) -> str:
    """rows   of one training: fold, held_out"""
    ends = rows.groupby("fold")["held_out"].last()
    return f"At the end: {', '.join(f'fold {fold} {defined(number)}' for fold, number in ends.items())}; chance is 0."


def of_gap(gap: pd.DataFrame) -> str:
    said = ", ".join(f"{row.system} {defined(row.gap, points)}" for row in each(gap))
    return f"Questions minus conversations, in points: {said}."


def of_slices(rows: pd.DataFrame) -> str:
    """From the first part of the queries to the last, of each system."""
    ends = {
        system: (part["value"].iloc[0], part["value"].iloc[-1]) for system, part in rows.groupby("system", sort=False)
    }
    first, last = rows["bin"].iloc[0], rows["bin"].iloc[-1]
    said = ", ".join(f"{system!s} {value(low)} to {value(high)}" for system, (low, high) in ends.items())
    return f"From {first} to {last}: {said}."


def of_diagonal(barlow: pd.DataFrame) -> str:
    end = barlow["mean_diagonal"].iloc[-1]
    return f"The mean diagonal ends at {value(end)}; 1 is perfect, 0 is chance."


def of_redundancy(barlow: pd.DataFrame) -> str:
    end, floor = (value(barlow[name].iloc[-1]) for name in ("off_diagonal_rms", "noise_floor"))
    return f"The off-diagonal RMS ends at {end}, its noise floor is {floor}."


def of_differences(rows: list[tuple[str, str, float, float, float]]) -> str:
    """rows   list of pairs, system, difference and its bounds"""
    return "; ".join(f"{system} on {name} {defined(number, signed)}" for name, system, number, *_ in rows) + "."
