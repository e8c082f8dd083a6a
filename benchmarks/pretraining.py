"""Does pretraining help? What docs/results.md says of it, on splits that nothing was tuned on.

    python -m benchmarks.pretraining run DATA WORK [--level head|layers] [--sets …] [--encoders …] [--seeds …]
    python -m benchmarks.pretraining table WORK [--level head|layers]

DATA holds conditionalqa and stackexchange in BEIR layout. Every cell (set, encoder, seed) is a file in WORK; one that
is there is not run again. Fixed before the first run: sets, encoders, seeds, numbers of labels, all parameters (those
of scenarios/label-curve.yaml and params.yaml), the read-out (standardised for all arms alike, beside a control without
any), what is compared (as many updates in all) and the correction (Holm over all cells of an objective). That commit is
024a924; since then a pretraining is kept only where dev queries likely gain, and the arms are those of the label curve.
Expected beforehand: a gain with up to 100 labelled queries where the encoder is not tuned for its pooling (CLS,
scratch), none with the mean, which MiniLM was trained with.

`--level layers`: the last two layers of MiniLM learn instead of a head, in files WORK/layers.<cell>.csv; LABELLED
queries are labelled, and texts of both sets are cut. Fixed in the commit before its first run, as above; numbers of
steps and rates were tried on split seed 7 alone. Expected beforehand: less than at the level of heads. On seed 7 two
layers learn to read the first token from the labels alone (0.455 to 0.526 on ConditionalQA; pretrained 0.529).
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from benchmarks import cells
from whyrank.commands import label_curve, label_gains
from whyrank.commands.label_curve import CONTROL, PRETRAINED, Run
from whyrank.core import io
from whyrank.core.options import overrides, params
from whyrank.diagnosis.report.markdown import pipe_table
from whyrank.measure.significance.resampling import holm

ROOT = Path(__file__).parents[1]
SEEDS, COUNTS, RAW, TUNED = (101, 102, 103), (50, 100, 400), f"{CONTROL}, raw", "tuned"
ENCODERS: dict[str, dict[str, Any]] = {
    "mean": {"encoder.pooling": "mean"},
    "cls": {"encoder.pooling": "cls"},
    "scratch": {"encoder.source": "scratch"},
}
SETS: dict[str, dict[str, Any]] = {
    "conditionalqa": {"prepare.split.by": "query"},
    # Long threads; 96 tokens say what they are about, and an hour of encoding is saved.
    "stackexchange": {
        "prepare.split.by": "answer",
        "prepare.tokens.conversation": 96,
        "prepare.tokens.answer": 96,
        "pretrain_barlow.texts.per_text": 2,
    },
    "sample": {},
}
LABELLED = 100
LAYERS: dict[str, Any] = {
    "finetune_rank.train": "last",
    "finetune_rank.last_layers": 2,
    "finetune_rank.head.kind": "none",
    "finetune_rank.learning_rate": 1.5e-4,
    "finetune_rank.encoder_learning_rate": 1.5e-4,
    "finetune_rank.max_steps": 20,
    "finetune_rank.early_stopping.eval_steps": 5,
    "finetune_rank.early_stopping.patience": 14,
    "pretrain_barlow.steps": 50,
}
SHORT: dict[str, dict[str, Any]] = {
    "conditionalqa": {"prepare.tokens.conversation": 128, "prepare.tokens.answer": 128},
}

# How its files begin, its controls, and what is compared with them.
LEVELS = {"head": ("", (CONTROL, RAW), PRETRAINED), "layers": ("layers.", (CONTROL, TUNED), PRETRAINED[:1])}


def whole(source: Path, folder: Path) -> None:
    """A copy with one file of judgements, which is ours to split, and the thread of each query, which its id begins."""
    files = sorted((source / "qrels").glob("*.tsv"))
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()[1:] if line]
    queries = [json.loads(line) for line in (source / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    for query in queries:
        name, _, end = query["_id"].rpartition("-")
        if end in ("q", "c"):
            query["metadata"]["thread"] = name
    with io.replacing_folder(folder) as temporary:
        (temporary / "qrels").mkdir()
        io.write_text(temporary / "corpus.jsonl", (source / "corpus.jsonl").read_text(encoding="utf-8"))
        io.write_text(temporary / "queries.jsonl", "".join(json.dumps(query) + "\n" for query in queries))
        io.write_text(temporary / "qrels/train.tsv", "\n".join(["query-id\tcorpus-id\tscore", *lines]) + "\n")


def values_of(name: str, encoder: str, source: Path, level: str = "head") -> dict[str, Any]:
    """The parameters of a cell."""
    shipped = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    curve = yaml.safe_load((ROOT / "scenarios/label-curve.yaml").read_text(encoding="utf-8"))["overrides"]
    files = {"prepare.source": str(source), "prepare.corrections": str(ROOT / "data/corrections/none.csv")}
    changed = {**curve, **files, "encoder.readout": "standardised", **ENCODERS[encoder], **SETS[name]}
    if level == "layers":
        changed |= LAYERS | SHORT.get(name, {})
    values = overrides.put(shipped, changed)
    params.check(values)
    return values


def arms(run: Run, bare: Run) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """As `label_curve.arms`, and the control without a read-out.

    bare   the same seed without a read-out
    """
    yield from label_curve.arms(run, COUNTS)
    yield "untrained, raw", -1, bare.scored(bare.base)
    steps = run.options("pretrain_barlow", params.PretrainBarlow).steps
    for labelled, there in label_curve.labelled_sets(bare, COUNTS):
        yield RAW, there, bare.scored(bare.tuned(bare.start(), labelled, longer=steps))


def layered_arms(run: Run) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """Barlow Twins with LABELLED queries beside as many steps in all, and beside as many of tuning; one read-out."""
    labelled, steps = run.labelled(LABELLED), run.options("pretrain_barlow", params.PretrainBarlow).steps
    yield "untrained", -1, run.scored(run.base)
    yield TUNED, LABELLED, run.scored(run.tuned(run.start(), labelled))
    yield CONTROL, LABELLED, run.scored(run.tuned(run.start(), labelled, longer=steps))
    yield PRETRAINED[0], LABELLED, run.scored(run.tuned(run.pretrained(PRETRAINED[0]), labelled))


def cell(values: dict[str, Any], seed: int, level: str) -> pd.DataFrame:
    run = label_curve.begun(values, seed)
    if level == "layers":
        made = layered_arms(run)
    else:
        made = arms(run, label_curve.begun(overrides.put(values, {"encoder.readout": "raw"}), seed))
    tables = []
    for arm, count, queries in made:
        print(f"  {arm}, {count} labels: {queries['accuracy@1'].mean():.3f}", file=sys.stderr, flush=True)
        tables.append(queries.assign(seed=seed, arm=arm, labels=count))
    return pd.concat(tables, ignore_index=True)


def table(work: Path, level: str = "head") -> str:
    """Every cell, all seeds pooled: gains of each objective over both controls, by accuracy@1 and MRR."""
    body = []
    begin, controls, objectives = LEVELS[level]
    for against in controls:
        for objective in objectives:
            found = []
            for name in SETS:
                for encoder in ENCODERS:
                    files = sorted(work.glob(f"{begin}{name}.{encoder}.*.csv"))
                    if files:
                        rows = pd.concat([io.read_table(file) for file in files])
                        rows = rows[rows["arm"].isin([objective, against])]
                        for metric in ("accuracy@1", "mrr"):
                            one = label_gains.gains(rows, metric, against=against, arms=(objective,))
                            found.append(one.assign(set=name, encoder=encoder, metric=metric, seeds=len(files)))
            rows = pd.concat(found, ignore_index=True)
            # One family for each metric.
            rows["p_holm"] = rows.groupby("metric")["p"].transform(holm)
            body += [
                [objective, against, row["set"], row["encoder"], f"{row['seeds']}", f"{row['labels']:.0f}",
                 row["metric"], f"{row['control']:.3f}", f"{row['value']:.3f}", label_gains.points(row),
                 f"{row['p_holm']:.3f}"]
                for row in rows.to_dict("records")
            ]  # fmt: skip
    head = ["by", "against", "set", "encoder", "seeds", "labels", "metric", "control", "value", "gain", "Holm's p"]
    return pipe_table(head, body)


def main() -> None:
    parser, run, shown = cells.commands(__doc__, list(SETS), SEEDS)
    run.add_argument("--encoders", nargs="+", choices=list(ENCODERS), default=list(ENCODERS))
    for one in (run, shown):
        one.add_argument("--level", choices=list(LEVELS), default="head")
    asked = parser.parse_args()
    if asked.command == "table":
        print(table(asked.work, asked.level))
        return
    for seed in asked.seeds:
        for name in asked.sets:
            source = ROOT / "data/raw/sample" if name == "sample" else asked.work / name
            if not source.exists():
                whole(asked.data / name, source)
            for encoder in asked.encoders:
                file = asked.work / f"{LEVELS[asked.level][0]}{name}.{encoder}.{seed}.csv"
                if not file.exists():
                    print(file.stem, file=sys.stderr)
                    io.write_table(file, cell(values_of(name, encoder, source, asked.level), seed, asked.level))


if __name__ == "__main__":
    main()
