"""`python -m benchmarks.faults run | fix | report`: run the bench, and say how much of it the diagnosis saw."""

import os

# One thread each, set before NumPy and torch are imported: cases run side by side.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
# The threads of a tokenizer do not survive a fork.
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse  # noqa: E402
import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("command", choices=["run", "fix", "report", "list"])
    parser.add_argument(
        "--kinds", choices=["development", "held-out", "blind", "blind-2", "healthy"], default="development"
    )
    parser.add_argument("--only", nargs="*", default=[], help="parts of the names of faults, sets or tasks")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, each on the next set")
    parser.add_argument("--at-once", type=int, default=2, help="cases side by side")
    parser.add_argument("--out", type=Path, help="file of results; benchmarks/faults/results/<kinds>-<version>.jsonl")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "whyrank-faults")
    asked = parser.parse_args()

    from benchmarks.faults import report, run, warm

    out = asked.out or Path(__file__).parent / "results" / f"{asked.kinds}-{run.version()}.jsonl"
    found = run.planned(asked.kinds, asked.only, asked.seeds)
    if asked.command == "list":
        print("\n".join(f"{case.key}: {case.fault.sentence}" for case in found))
    elif asked.command in ("run", "fix"):
        warm.up()
        act = {"run": run.run, "fix": run.mend}[asked.command]
        act(found, asked.work / run.version(), out.resolve(), at_once=asked.at_once)
    if asked.command != "list":
        print(report.report(run.rows(out), asked.kinds))


if __name__ == "__main__":
    main()
