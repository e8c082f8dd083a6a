"""How much of the quality a student with fewer layers keeps, with and without a teacher.

    python -m benchmarks.students run DATA WORK [--sets …] [--seeds …] [--layers …]
    python -m benchmarks.students table WORK

DATA and WORK as those of benchmarks.pretraining; a cell (set, seed, layers) is a file WORK/students.<cell>.csv. A
student is MiniLM (its mean) with so many of its six layers, evenly spread (`encoder.keep_layers`); all of it learns
for STEPS batches of 32 pairs with all labels, by the ranking loss alone and with the agreement of its vectors with
those of the whole encoder, untrained (`finetune_rank.distillation`, weight WEIGHT). Beside them stand the student as it
was cut and the whole encoder, untrained. The best of eight evaluations on dev is kept. The rate was tried on split seed
7 alone.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import cells, pretraining
from benchmarks.pretraining import SEEDS, whole
from whyrank.commands import label_curve
from whyrank.commands.label_curve import METRICS, Run
from whyrank.core import io
from whyrank.core.options import overrides, params
from whyrank.diagnosis.report.markdown import pipe_table
from whyrank.model.system import System
from whyrank.training import finetune
from whyrank.training.distillation import Teacher

SETS, LAYERS, WHOLE = ("conditionalqa", "stackexchange"), (4, 3, 2), 6
STEPS, WEIGHT = 160, 10.0
VALUES: dict[str, Any] = {
    "encoder.readout": "raw",
    "prepare.tokens.conversation": 96,
    "prepare.tokens.answer": 96,
    "finetune_rank.train": "all",
    "finetune_rank.head.kind": "none",
    "finetune_rank.candidates": "batch",
    "finetune_rank.learning_rate": 1e-4,
    "finetune_rank.encoder_learning_rate": 1e-4,
    "finetune_rank.max_steps": STEPS,
    "finetune_rank.early_stopping.evaluations": 8,
    "finetune_rank.early_stopping.patience": 8,
}
CUT, LABELS, TAUGHT = "cut", "labels", "labels and teacher"
ARMS = (CUT, LABELS, TAUGHT)


def values_of(name: str, source: Path, layers: int) -> dict[str, Any]:
    values = overrides.put(pretraining.values_of(name, "mean", source), VALUES | {"encoder.keep_layers": layers})
    params.check(values)
    return values


def tuned(run: Run, teacher: Teacher | None) -> System:
    weight = {"finetune_rank.distillation.weight": WEIGHT if teacher else 0.0}
    options = params.section(overrides.put(dict(run.values), weight), "finetune_rank", params.FinetuneRank)
    encoder = run.options("encoder", params.Encoder)
    return finetune.finetune_rank(run.start(), run.prepared, options, encoder, run.seed, teacher).system


def arms(name: str, source: Path, seed: int, layers: int) -> Iterator[tuple[str, System, Run]]:
    run = label_curve.begun(values_of(name, source, layers), seed)
    yield CUT, run.base, run
    if layers == WHOLE:
        return
    teacher = label_curve.begun(values_of(name, source, WHOLE), seed).base
    longest = max(int(table["tokens"].max()) for table in (run.prepared.answers, run.prepared.queries)) + 2
    yield LABELS, tuned(run, None), run
    yield TAUGHT, tuned(run, Teacher(teacher, longest)), run


def cell(name: str, source: Path, seed: int, layers: int) -> pd.DataFrame:
    tables = []
    for arm, system, run in arms(name, source, seed, layers):
        queries = run.scored(system)
        print(f"  {arm}: {queries['accuracy@1'].mean():.3f}", file=sys.stderr, flush=True)
        weights = sum(weight.numel() for weight in system.encoder.transformer.parameters())
        tables.append(queries.assign(seed=seed, arm=arm, layers=layers, weights=weights))
    return pd.concat(tables, ignore_index=True)


def table(work: Path) -> str:
    """A row for each set, size and arm, all seeds pooled: size and quality beside the whole encoder, untrained."""
    body = []
    for name, rows in cells.pooled(work, "students.", SETS):
        reference = rows[rows["layers"] == WHOLE]
        for layers in (WHOLE, *LAYERS):
            of_size = rows[rows["layers"] == layers]
            for arm in (arm for arm in ARMS if (of_size["arm"] == arm).any()):
                own = of_size[of_size["arm"] == arm]
                there = reference.loc[own.index]
                size = own["weights"].iloc[0] / there["weights"].iloc[0]
                line, gained = (
                    [name, f"{cells.splits(own)}", f"{layers}", f"{100 * size:.0f} %", arm],
                    cells.gains(own, there),
                )
                for metric in METRICS:
                    share = gained[metric] / there[metric].mean()
                    line += [f"{gained[metric]:.3f}", f"{100 * share:.0f} %", gained[f"{metric} gain"]]
                body.append(line)
    measured = [column for metric in METRICS for column in (metric, "of the whole encoder's", "difference")]
    return pipe_table(["set", "splits", "layers", "size", "", *measured], body)


def run(data: Path, work: Path, sets: Sequence[str], seeds: Sequence[int], sizes: Sequence[int]) -> None:
    for seed in seeds:
        for name in sets:
            if not (work / name).exists():
                whole(data / name, work / name)
            for layers in (WHOLE, *sizes):
                file = work / f"students.{name}.{seed}.{layers}.csv"
                if not file.exists():
                    print(file.stem, file=sys.stderr)
                    io.write_table(file, cell(name, work / name, seed, layers))


def main() -> None:
    parser, runs, _ = cells.commands(__doc__, SETS, SEEDS)
    runs.add_argument("--layers", nargs="+", type=int, choices=LAYERS, default=LAYERS)
    asked = parser.parse_args()
    if asked.command == "table":
        print(table(asked.work))
    else:
        run(asked.data, asked.work, asked.sets, asked.seeds, asked.layers)


if __name__ == "__main__":
    main()
