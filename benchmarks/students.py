"""How much of the quality a student with fewer layers keeps, with and without a teacher.

    python -m benchmarks.students run DATA WORK [--sets …] [--seeds …] [--layers …] [--rounds 1.5] [--arms …]
    python -m benchmarks.students table WORK

DATA and WORK as those of benchmarks.pretraining; a cell (set, seed, layers, rounds) is a file
WORK/students.<cell>.csv. A student is MiniLM (its mean) with so many of its six layers, evenly spread
(`encoder.keep_layers`); all of it learns for so many rounds through the pairs of training with all labels, in batches
of 32, whose rate falls to zero at their end, by the ranking loss alone and with the agreement of its vectors with
those of the whole encoder, untrained (`finetune_rank.distillation`, weight WEIGHT). Beside them stand the student as it
was cut and the whole encoder, untrained, and the taught student and the whole encoder served by ONNX Runtime in int8,
whose megabytes the seed's claim is about. The best of eight evaluations on dev is kept. The rate was tried on split
seed 7 alone.
"""

import argparse
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
from whyrank.model import formats
from whyrank.model.system import System
from whyrank.scoring.ranking.representation import Vectors
from whyrank.scoring.rivals.served import heads
from whyrank.scoring.search import embed
from whyrank.training import finetune
from whyrank.training.distillation import Teacher

SETS, LAYERS, WHOLE = ("conditionalqa", "stackexchange"), (4, 3, 2), 6
ROUNDS, WEIGHT = 1.5, 10.0
VALUES: dict[str, Any] = {
    "encoder.readout": "raw",
    "prepare.tokens.conversation": 96,
    "prepare.tokens.answer": 96,
    "finetune_rank.train": "all",
    "finetune_rank.head.kind": "none",
    "finetune_rank.candidates": "batch",
    "finetune_rank.learning_rate": 1e-4,
    "finetune_rank.encoder_learning_rate": 1e-4,
    "finetune_rank.max_steps": 0,
    "finetune_rank.early_stopping.evaluations": 8,
    "finetune_rank.early_stopping.patience": 8,
}
CUT, LABELS, TAUGHT, INT8 = "cut", "labels", "labels and teacher", "and int8"
ARMS = (CUT, LABELS, TAUGHT, INT8)


def values_of(name: str, source: Path, layers: int, rounds: float = ROUNDS) -> dict[str, Any]:
    changed = VALUES | {"encoder.keep_layers": layers, "finetune_rank.epochs": rounds}
    values = overrides.put(pretraining.values_of(name, "mean", source), changed)
    params.check(values)
    return values


def tuned(run: Run, teacher: Teacher | None) -> System:
    weight = {"finetune_rank.distillation.weight": WEIGHT if teacher else 0.0}
    options = params.section(overrides.put(dict(run.values), weight), "finetune_rank", params.FinetuneRank)
    encoder = run.options("encoder", params.Encoder)
    return finetune.finetune_rank(run.start(), run.prepared, options, encoder, run.seed, teacher).system


def arms(run: Run, name: str, source: Path, wanted: Sequence[str]) -> Iterator[tuple[str, System]]:
    """The last is what is served in int8."""
    yield CUT, run.base
    if LABELS in wanted:
        yield LABELS, tuned(run, None)
    if TAUGHT not in wanted:
        return
    teacher = label_curve.begun(values_of(name, source, WHOLE), run.seed).base
    longest = max(int(table["tokens"].max()) for table in (run.prepared.answers, run.prepared.queries)) + 2
    yield TAUGHT, tuned(run, Teacher(teacher, longest))


def in_int8(run: Run, system: System) -> tuple[pd.DataFrame, int]:
    """Test queries ranked by its vectors from ONNX Runtime in int8, and the bytes of the graph."""
    options, answers = run.options("encoder", params.Encoder), len(run.prepared.answers)
    graph = formats.rounded(formats.graph(system.encoder))
    formats.use(system.encoder, graph)
    vector_MD = system.encoder.encode(run.prepared.token_ids, batch_tokens=options.batch_tokens, precision="fp32")
    vectors = Vectors(*heads(system, vector_MD[answers:], vector_MD[:answers]))
    return run.ranked(embed.Product(vectors, system.score)), len(graph)


def cell(name: str, source: Path, seed: int, layers: int, rounds: float, wanted: Sequence[str]) -> pd.DataFrame:
    run, found = label_curve.begun(values_of(name, source, layers, rounds), seed), []
    for arm, last in arms(run, name, source, wanted):
        size = sum(weight.nbytes for weight in last.encoder.transformer.parameters())
        found.append((arm, run.scored(last), size))
    found.append((INT8, *in_int8(run, last)))
    tables = [
        queries.assign(seed=seed, arm=arm, layers=layers, rounds=rounds, bytes=size) for arm, queries, size in found
    ]
    return pd.concat(tables, ignore_index=True)


def table(work: Path) -> str:
    """A row for each set, size and arm, all seeds pooled: size and quality beside the whole encoder, untrained."""
    body = []
    for name, rows in cells.pooled(work, "students.", SETS):
        reference = rows[(rows["layers"] == WHOLE) & (rows["arm"] == CUT)]
        for (layers, rounds), of_size in rows.groupby(["layers", "rounds"]):
            for arm in (arm for arm in ARMS if (of_size["arm"] == arm).any()):
                own = of_size[of_size["arm"] == arm]
                there = reference.loc[own.index]
                size = own["bytes"].iloc[0] / there["bytes"].iloc[0]
                line, gained = (
                    [name, f"{cells.splits(own)}", f"{layers}", f"{rounds:g}", f"{100 * size:.0f} %", arm],
                    cells.gains(own, there),
                )
                for metric in METRICS:
                    share = gained[metric] / there[metric].mean()
                    line += [f"{gained[metric]:.3f}", f"{100 * share:.0f} %", gained[f"{metric} gain"]]
                body.append(line)
    measured = [column for metric in METRICS for column in (metric, "of the whole encoder's", "difference")]
    return pipe_table(["set", "splits", "layers", "rounds", "size", "", *measured], body)


def run(asked: argparse.Namespace) -> None:
    for seed in asked.seeds:
        for name in asked.sets:
            source = asked.work / name
            if not source.exists():
                whole(asked.data / name, source)
            for layers, rounds, wanted in (
                (WHOLE, 0, ()),
                *((size, asked.rounds, asked.arms) for size in asked.layers),
            ):
                file = asked.work / f"students.{name}.{seed}.{layers}.{rounds:g}.csv"
                if not file.exists():
                    print(file.stem, file=sys.stderr)
                    io.write_table(file, cell(name, source, seed, layers, rounds, wanted))


def main() -> None:
    parser, runs, _ = cells.commands(__doc__, SETS, SEEDS)
    runs.add_argument("--layers", nargs="+", type=int, choices=LAYERS, default=LAYERS)
    runs.add_argument("--rounds", type=float, default=ROUNDS)
    runs.add_argument("--arms", nargs="+", choices=ARMS[1:3], default=ARMS[1:3])
    asked = parser.parse_args()
    if asked.command == "table":
        print(table(asked.work))
    else:
        run(asked)


if __name__ == "__main__":
    main()
