"""How fast whyrank is beside sentence-transformers and angle_emb on this machine, and whether it learns as much.

python benchmarks/speed.py --brief                                        # after `make .venv/installed-test`
python benchmarks/speed.py --data data/raw/sample --write docs/speed.md   # makes benchmarks/.venv-peers for angle_emb
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

# The same for all, and before torch starts its threads. Processors only. A thread that waits sleeps, as whyrank sets it
# for itself: with other work on the machine the peers would lose by spinning.
os.environ |= {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import contenders
import machine
import speed_table
import task as tasks

from whyrank.core import command, io

# Five rounds in under five minutes, beside sentence-transformers alone, which the test requirements bring.
BRIEF = {"repeats": 5, "steps": 2, "warm_up": 1}
QUICK = {"repeats": 1, "steps": 2, "warm_up": 1, "batch": 8, "tokens": 32, "texts": 64}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=tasks.ROOT / "data/raw/sample", help="folder in BEIR layout")
    parser.add_argument("--write", type=Path, help="file to write the page to, as Markdown")
    parser.add_argument("--repeats", type=int, default=5, help="rounds")
    parser.add_argument("--steps", type=int, default=20, help="timed steps of a training")
    parser.add_argument("--warm-up", type=int, default=3, help="steps before those")
    parser.add_argument("--batch", type=int, default=32, help="pairs")
    parser.add_argument("--tokens", type=int, default=128, help="at which training cuts a text")
    parser.add_argument("--texts", type=int, default=1000, help="of the corpus to encode, drawn from the data")
    parser.add_argument("--seed", type=int, default=7)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--brief", action="store_true", help="under five minutes: beside sentence-transformers alone")
    sizes.add_argument("--quick", action="store_true", help="a smoke run of 2 steps, without angle_emb")
    options = parser.parse_args()
    vars(options).update(BRIEF if options.brief else QUICK if options.quick else {})
    return options


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="whyrank-speed-") as folder:
        task = tasks.make(
            options.data,
            Path(folder),
            tokens=options.tokens,
            batch=options.batch,
            corpus=options.texts,
            seed=options.seed,
        )
        own = machine.measure()
        left = contenders.left_out(has_bf16=own.has_bf16, quick=options.quick, brief=options.brief)
        results = contenders.run_rounds(task, options, left)
        page = speed_table.markdown(own, task, options, results, left)
    print(page)
    if options.write:
        io.write_text(options.write, page)
        print(f"written to {options.write}", file=sys.stderr)


if __name__ == "__main__":
    command.run(main)
