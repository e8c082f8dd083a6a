"""A history as a few flat numbers for `dvc metrics`."""

import math

import pandas as pd

from whyrank.training.engine.loop import History

# The last tenth of the steps: one batch is noise, and the whole run would hide where it ended.
TAIL = 0.1


def pretraining(history: History) -> dict[str, float]:
    """Where pretraining ended, as means over its last steps; only `steps` when it was off."""
    steps = history.steps
    if steps.empty:
        return {"steps": 0}
    tail = steps.tail(max(1, math.ceil(TAIL * len(steps))))
    names = ["loss", "invariance", "redundancy", "mean_diagonal", "off_diagonal_rms", "noise_floor"]
    names += ["embedding_norm", "feature_std", "effective_rank"]
    return {
        "steps": len(steps),
        **{f"{name}_end": float(tail[name].mean()) for name in names},
        "rows_mean": float(steps["rows"].mean()),
        "distinct_answers_mean": float(steps["distinct_answers"].mean()),
    }


def finetuning(history: History) -> dict[str, float]:
    """How long it ran, and the dev metrics of the weights that were kept; undefined ones are left out."""
    evaluations: pd.DataFrame = history.evaluations
    kept = evaluations[evaluations["step"] == history.best_step].iloc[0]
    names = [str(name) for name in evaluations.columns if name != "step" and not math.isnan(kept[name])]
    return {
        "steps_run": len(history.steps),
        "best_step": history.best_step,
        **{name if name.startswith("train_") else f"dev_{name}": float(kept[name]) for name in names},
    }
