"""Wall-clock figures of a training, kept apart from the history: they differ from run to run."""

import time

import pandas as pd


class Speed:
    """Seconds and tokens of the steps that this process did."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.rows: list[tuple[int, float, float]] = []

    def count(self, step: int, tokens: float) -> None:
        self.rows.append((step, time.monotonic() - self.started, tokens))

    def table(self) -> pd.DataFrame:
        """One row per step: step, seconds since training began, tokens of the step."""
        return pd.DataFrame(self.rows, columns=["step", "seconds", "tokens"])

    def __str__(self) -> str:
        tokens, seconds = sum(row[2] for row in self.rows), self.rows[-1][1] if self.rows else 0.0
        return f"{tokens / max(seconds, 1e-9):,.0f} tokens/s"
