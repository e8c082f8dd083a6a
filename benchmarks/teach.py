"""Does a teacher that reads more than the encoder make few labels worth more, or undo the harm that they do?

    python -m benchmarks.teach run DATA WORK [--level head|layers] [--sets …] [--seeds …]
    python -m benchmarks.teach table WORK [--level head|layers]

DATA and WORK as those of benchmarks.pretraining; a cell (set, seed) is a file WORK/teach.<level>.<cell>.csv. LABELLED
queries are labelled. MiniLM reads texts by their mean; a residual head on it learns for STEPS, or its last two layers
for 1.5 rounds at a rate that is too high for them, which is the harm; the weights of the last step count. Teachers
score each training pair and the DEPTH wrong answers that the untrained encoder takes most for right: a cross-encoder
that was trained on the same labels, as `whyrank teach` trains it; and BM25 and the encoder in equal parts, whose
ranking is the best at hand (docs/results.md). `itself` draws vectors to those of the untrained encoder
(`finetune_rank.distillation`). The scale of the fused scores was tried on Stack Exchange's split 101, with a head and
all labels.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from benchmarks import cells, pretraining
from benchmarks.pretraining import SEEDS, whole
from whyrank.commands import label_curve
from whyrank.commands.label_curve import Run
from whyrank.core import io, runtime
from whyrank.core.options import overrides, params
from whyrank.core.prepared import Prepared
from whyrank.diagnosis.report.markdown import pipe_table
from whyrank.lexical import ranking as words
from whyrank.measure.significance.resampling import holm
from whyrank.model.encoder.encoder import Encoder
from whyrank.model.system import System
from whyrank.scoring.ranking import score
from whyrank.scoring.rivals.fusion import min_max
from whyrank.scoring.search import embed
from whyrank.training import cross_encoder, finetune
from whyrank.training.distillation import Teacher

SETS = ("conditionalqa", "stackexchange")
LABELLED, DEPTH, STEPS, SCALE = 300, 4, 100, 20.0
CROSS = {
    "negatives": 2, "epochs": 2.0, "batch_size": 16, "learning_rate": 5e-5, "tokens": 160, "queries": 0,
    "dev_queries": 40, "depth": 10, "evaluations": 1,
}  # fmt: skip
PLAIN = {"encoder.readout": "raw", "finetune_rank.early_stopping.metric": ""}
LEVELS: dict[str, dict[str, Any]] = {
    "head": {"finetune_rank.max_steps": STEPS},
    "layers": {
        "finetune_rank.max_steps": 0,
        "finetune_rank.epochs": 1.5,
        "finetune_rank.train": "last",
        "finetune_rank.last_layers": 2,
        "finetune_rank.head.kind": "none",
        "finetune_rank.learning_rate": 1e-3,
        "finetune_rank.encoder_learning_rate": 1e-3,
        "prepare.tokens.conversation": 96,
        "prepare.tokens.answer": 96,
    },
}
LABELS = "labels"
CROSSED, FUSED = "cross-encoder", "BM25 and the encoder"
LOSSES = ("kl", "margin_mse")
ITSELF = "itself"
ARMS = ("untrained", LABELS, *(f"{teacher}, {loss}" for teacher in (CROSSED, FUSED) for loss in LOSSES), ITSELF)


class Table(nn.Module):
    """Scores that are known already, in the place of a cross-encoder: `finetune_rank` asks it for pairs of texts."""

    def __init__(self, score_QA: np.ndarray, texts: Prepared, encoder: Encoder) -> None:
        super().__init__()
        self.register_buffer("score_QA", torch.from_numpy(score_QA))
        # Of a cross-encoder they are part of what its kept scores go by.
        self.config, self.tokenizer = encoder.transformer.config, encoder.tokenizer
        self.query, self.answer = (
            {text: row for row, text in enumerate(table["text"])} for table in (texts.queries, texts.answers)
        )

    def predict(self, pairs: Sequence[tuple[str, str]], **_: Any) -> np.ndarray:
        rows = [(self.query[query], self.answer[answer]) for query, answer in pairs]
        return np.array([self.score_QA[row].item() for row in rows])


def fused(run: Run) -> Table:
    """BM25 and the untrained encoder in equal parts, each from 0 to SCALE over the answers of a query."""
    texts = run.prepared
    vectors = embed.embed(run.base.eval(), texts, run.options("encoder", params.Encoder))
    dense_QA = embed.Product(vectors, run.base.score)(np.arange(len(texts.queries)))
    lexical_QA = words.bm25(texts.answers["raw_text"].tolist())(texts.queries["raw_text"].tolist())
    both = (min_max(one_QA.astype(np.float64)) for one_QA in (dense_QA, lexical_QA))
    return Table((SCALE / 2 * sum(both)).astype(np.float32), texts, run.base.encoder)


def crossed(run: Run, labelled: Prepared) -> Any:
    """A cross-encoder trained on the labels; says how it ranks dev queries beside the encoder."""
    options = cross_encoder.Options(**CROSS, seed=run.seed)
    examples = cross_encoder.examples(run.base, labelled, run.options("encoder", params.Encoder), options)
    found = cross_encoder.fitted(run.base, examples, options)
    print(f"  cross-encoder: dev MRR@10 {found.mrr:.3f}, the encoder's {found.encoder_mrr:.3f}", file=sys.stderr)
    return found.model


def tuned(run: Run, labelled: Prepared, changed: dict[str, Any], **teacher: Any) -> System:
    """On the labels, with what the options say of a teacher; says what it makes of the lists."""
    values = overrides.put(dict(run.values), {f"finetune_rank.{key}": value for key, value in changed.items()})
    options = params.section(values, "finetune_rank", params.FinetuneRank)
    runtime.seed_everything(run.seed)  # every arm begins with the same head
    made = finetune.finetune_rank(
        run.start(), labelled, options, run.options("encoder", params.Encoder), run.seed, **teacher
    )
    said = {key: float(made.history.steps[key].iloc[0]) for key in made.history.steps if "reranker_" in key}
    print(f"  {len(made.history.steps)} steps {said or ''}", file=sys.stderr)
    return made.system


def arms(run: Run) -> Iterator[tuple[str, System]]:
    labelled = run.labelled(LABELLED)
    yield ARMS[0], run.base
    yield LABELS, tuned(run, labelled, {})
    for name, teacher in ((CROSSED, crossed(run, labelled)), (FUSED, fused(run))):
        for loss in LOSSES:
            listed = {"model": name, "weight": 1.0, "depth": DEPTH, "loss": loss}
            changed = {f"reranker.{key}": value for key, value in listed.items()}
            yield f"{name}, {loss}", tuned(run, labelled, changed, reranker=teacher)
    longest = max(run.prepared.answers["tokens"].max(), run.prepared.queries["tokens"].max()) + 2
    itself = {"distillation.weight": 1.0, "distillation.teacher": "models/base"}
    yield ITSELF, tuned(run, labelled, itself, teacher=Teacher(run.start(), int(longest)))


def values_of(name: str, source: Path, level: str) -> dict[str, Any]:
    values = overrides.put(pretraining.values_of(name, "mean", source), PLAIN | LEVELS[level])
    params.check(values)
    return values


def cell(name: str, source: Path, seed: int, level: str) -> pd.DataFrame:
    run, tables = label_curve.begun(values_of(name, source, level), seed), []
    assert len(score.queries_with_relevant(run.prepared, "train")) > LABELLED
    for arm, trained in arms(run):
        queries = run.scored(trained)
        print(f"  {arm}: {queries['accuracy@1'].mean():.3f}", file=sys.stderr, flush=True)
        tables.append(queries.assign(seed=seed, arm=arm))
    return pd.concat(tables, ignore_index=True)


def table(work: Path, level: str) -> str:
    """A row for each set and arm, all seeds pooled: gains over the labels alone, Holm's p over all of a metric."""
    found = []
    for name, rows in cells.pooled(work, f"teach.{level}.", SETS):
        alone = rows[rows["arm"] == LABELS]
        for arm in ARMS:
            own = rows[rows["arm"] == arm].loc[alone.index]
            found.append({"set": name, "splits": cells.splits(own), "arm": arm} | cells.gains(own, alone))
    is_gain = [row["arm"] != LABELS for row in found]
    head, body = ["set", "splits", ""], [[row["set"], f"{row['splits']}", row["arm"]] for row in found]
    for metric in label_curve.METRICS:
        head += [metric, "gain", "Holm's p"]
        sure = iter(holm(np.array([row[f"{metric} p"] for row, own in zip(found, is_gain, strict=True) if own])))
        for row, line, own in zip(found, body, is_gain, strict=True):
            line += [f"{row[metric]:.3f}", *([row[f"{metric} gain"], f"{next(sure):.3f}"] if own else ["", ""])]
    return pipe_table(head, body)


def main() -> None:
    parser, *both = cells.commands(__doc__, SETS, SEEDS)
    for one in both:
        one.add_argument("--level", choices=list(LEVELS), default="head")
    asked = parser.parse_args()
    if asked.command == "table":
        print(table(asked.work, asked.level))
        return
    for seed in asked.seeds:
        for name in asked.sets:
            file = asked.work / f"teach.{asked.level}.{name}.{seed}.csv"
            if file.exists():
                continue
            if not (asked.work / name).exists():
                whole(asked.data / name, asked.work / name)
            print(file.stem, file=sys.stderr)
            io.write_table(file, cell(name, asked.work / name, seed, asked.level))


if __name__ == "__main__":
    main()
