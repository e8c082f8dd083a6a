"""How fast fine-tuning got where it ended, from each initial encoder."""

import pandas as pd

from whyrank.core.errors import UserError
from whyrank.findings.records import Records

SHARE = 0.9


def convergence(records: Records, metric: str) -> pd.DataFrame:
    """One row per initial encoder, in dev-set values of `<metric>_all`.

    start         before the first step
    final, best   at the last evaluation, and at the best one (whose weights are kept)
    steps_to_90   steps to the first evaluation at or above 0.9 x final; missing where final is 0
    best_step, steps_run   steps
    Raises UserError for a metric that was not recorded while training.
    """
    rows = [_row(init, record.evaluations, f"{metric}_all") for init, record in records.finetune.items()]
    table = pd.DataFrame(rows, columns=["init", "start", "final", "best", "steps_to_90", "best_step", "steps_run"])
    return table.astype({"steps_to_90": "Int64"})


def _row(init: str, evaluations: pd.DataFrame, column: str) -> tuple[object, ...]:
    if column not in evaluations:
        recorded = ", ".join(name.removesuffix("_all") for name in map(str, evaluations) if name.endswith("_all"))
        metric = column.removesuffix("_all")
        raise UserError(
            f"params.yaml: diagnose.metric is {metric!r}, not recorded while tuning; choose one of {recorded}"
        )
    step, value = evaluations["step"].to_numpy(), evaluations[column].to_numpy()
    assert step[0] == 0, "the first evaluation on the dev set precedes training"
    # 0.9 x 0.8 is above 0.72 by rounding.
    reached = step[value >= SHARE * value[-1] - 1e-12]
    to_90 = int(reached[0]) if value[-1] > 0 else None
    best = value.argmax()
    return init, value[0], value[-1], value[best], to_90, int(step[best]), int(step[-1])
