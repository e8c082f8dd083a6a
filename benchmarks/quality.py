"""Time to quality: what training costs until the dev MAP@10 that sentence-transformers reaches in its best of 3 epochs.

    python benchmarks/quality.py run DATA WORK [--sets …] [--seeds …]
    python benchmarks/quality.py table WORK

DATA holds conditionalqa and stackexchange in BEIR layout. Every cell (set, seed, contender) is a file in WORK; one
that is there is not run again. The peer trains the whole encoder as it is best served: lengths grouped, no attention
dropout, warm-up over a tenth of the steps; its epoch is timed without the evaluation at its end. whyrank trains by
`OURS`, the best of what was tried on split seed 101 of ConditionalQA, and is timed from the start of the training on,
kept activations and evaluations included. Both take turns on one machine; processor seconds vary less with what else
the machine does.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ |= {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pandas as pd
import task as tasks

from whyrank.core import io
from whyrank.diagnosis.report.markdown import pipe_table

FOLDER = Path(__file__).parent
SETS, SEEDS = ("conditionalqa", "stackexchange"), (101, 102, 103)
EPOCHS, BATCH, TOKENS, LEARNING_RATE = 3, 32, 128, 2e-5
SCRIPTS, CLOCKS = {"ours": "ours.py", "theirs": "peers.py"}, ("seconds", "processor")
OURS: dict[str, Any] = {
    "epochs": 2.0,
    "train": "last",
    "last_layers": 4,
    "candidates": "batch",
    "learning_rate": 5e-5,
    "encoder_learning_rate": 5e-5,
    "lr_scheduler": "linear",
    "weight_decay": 0.0,
    "similarity.learn_scale": False,
    "early_stopping.evaluations": 8,
    "early_stopping.patience": 8,
}


def cell(data: Path, seed: int, contender: str) -> pd.DataFrame:
    """seconds, processor, map@10: a row for each evaluation of a contender on one split."""
    with tempfile.TemporaryDirectory(prefix="whyrank-quality-") as name:
        task = tasks.make(data, Path(name), tokens=TOKENS, batch=BATCH, corpus=1, seed=seed)
        steps = EPOCHS * (task.pairs // BATCH)
        theirs = {"steps": steps, "warm_up": 0, "warmup": steps // 10, "options": {"grouped": True}}
        shared = {"task": name, "work": "quality", "seed": seed, "batch": BATCH, "tokens": TOKENS}
        own = {"ours": {"options": OURS}, "theirs": theirs}[contender]
        folder = task.folder / contender
        folder.mkdir()
        io.write_json(folder / "job.json", shared | {"learning_rate": LEARNING_RATE} | own)
        command = [sys.executable, str(FOLDER / SCRIPTS[contender]), str(folder)]
        subprocess.run(command, check=True, env=os.environ | {"WHYRANK_CACHE": str(folder / "cache")})
        rows = pd.DataFrame(io.read_json(folder / "result.json")["evaluations"])
        if "vectors" in rows:
            rows["map@10"] = [tasks.mean_precision(task, Path(file)) for file in rows.pop("vectors")]
    return rows


def reached(ours: pd.DataFrame, theirs: pd.DataFrame) -> dict[str, Any]:
    """What each took until the best MAP@10 of the peer; of ours NaN where it never got there."""
    best = theirs.loc[theirs["map@10"].idxmax()]
    there = ours[ours["map@10"] >= best["map@10"]]
    first = there.iloc[0] if len(there) else ours.iloc[0] * math.nan
    return {"goal": best["map@10"], "best": ours["map@10"].max(), "untrained": ours["map@10"].iloc[0]} | {
        f"{name} {clock}": one[clock] for name, one in (("theirs", best), ("ours", first)) for clock in CLOCKS
    }


def table(work: Path) -> str:
    body = []
    for name in SETS:
        for file in sorted(work.glob(f"{name}.*.theirs.csv")):
            one = reached(*(io.read_table(file.with_name(file.name.replace("theirs", who))) for who in SCRIPTS))
            seed = file.name.split(".")[1]
            clocks = [f"{one[f'{who} {clock}']:.0f}" for clock in CLOCKS for who in SCRIPTS]
            shares = [f"{one[f'ours {clock}'] / one[f'theirs {clock}']:.2f}" for clock in CLOCKS]
            body.append([name, seed, *(f"{one[key]:.3f}" for key in ("untrained", "goal", "best")), *clocks, *shares])
    head = ["set", "seed", "MAP@10 untrained", "goal", "whyrank's best", "whyrank, s", "other, s",
            "whyrank, processor s", "other, processor s", "ratio", "ratio, processor"]  # fmt: skip
    return pipe_table(head, body)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("data", type=Path)
    run.add_argument("work", type=Path)
    run.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    run.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    commands.add_parser("table").add_argument("work", type=Path)
    asked = parser.parse_args()
    if asked.command == "table":
        print(table(asked.work))
        return
    for seed in asked.seeds:
        for name in asked.sets:
            for contender in list(SCRIPTS)[:: -1 if seed % 2 else 1]:
                file = asked.work / f"{name}.{seed}.{contender}.csv"
                if not file.exists():
                    print(file.stem, file=sys.stderr)
                    io.write_table(file, cell(asked.data / name, seed, contender))


if __name__ == "__main__":
    main()
