"""What the pretrained encoder costs in fewer bits, layers or features, and what is lost. As docs/results.md says.

    python -m benchmarks.serving run DATA WORK [SET …] [--only FORMAT …]   # DATA/<set> in BEIR layout; WORK/<set> each
    python -m benchmarks.serving memory FOLDER SYSTEM      # peak memory of a process that encodes some texts, MB
    python -m benchmarks.serving table WORK

The stages prepare, evaluate and diagnose run as `whyrank examine` runs them, on the test queries against all answers,
with the shipped params.yaml. Lost points are those of `diagnose`: accuracy@1, 95 % CI, answers resampled. Texts a
second and milliseconds a text are measured in turns with the encoder as it was made, in one process.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

import pandas as pd

from whyrank.commands import in_process
from whyrank.core import io, prepared
from whyrank.core.options import overrides, params
from whyrank.core.options.yaml_files import PARAMS, read_yaml

ROOT = Path(__file__).parents[1]
SETS = ("conditionalqa", "stackexchange")
BASE, TEXTS = "base", 64
SERVED = {
    "torch-int8": {"format": "torch-int8"},
    "onnx": {"format": "onnx"},
    "onnx-int8": {"format": "onnx-int8"},
    "static": {"format": "static"},
    "layers-4": {"layers": 4},
    "layers-3": {"layers": 3},
    "layers-4-onnx-int8": {"layers": 4, "format": "onnx-int8"},
}
COMPRESSED: dict[str, dict[str, Any]] = {
    "float16": {"store": "float16"},
    "int8": {"store": "int8"},
    "binary": {"store": "binary"},
    "binary-rescored": {"store": "binary", "rescore": 100},
    "dims-128": {"dims": 128},
    "dims-128-int8": {"dims": 128, "store": "int8"},
    "dims-64": {"dims": 64},
}


def values_of(source: Path, only: Sequence[str]) -> dict[str, Any]:
    """Shipped values, with the pretrained encoder and what is made of it as the only systems."""
    shipped = read_yaml(str(ROOT / PARAMS))
    values = overrides.put(shipped, {"prepare.source": str(source.resolve()), "pretrain_barlow.steps": 0})
    systems = {BASE: shipped["systems"][BASE], "tfidf": shipped["systems"]["tfidf"]}
    rival = {"role": "rival"}
    systems |= {name: {"kind": "served", **rival, "made_of": f"models/{BASE}", **own} for name, own in SERVED.items()}
    systems |= {
        name: {"kind": "compressed", **rival, "made_of": f"data/runs/{BASE}", **own} for name, own in COMPRESSED.items()
    }
    kept = {name: system for name, system in systems.items() if system["role"] != "rival" or name in only}
    values |= {"systems": kept, "inits": []}
    params.check(values)
    return values


def run(source: Path, folder: Path, only: Sequence[str]) -> None:
    values = values_of(source, only)
    in_process.arrange(folder, ROOT, values)
    in_process.run(folder, ROOT, in_process.plan(values, ROOT), lambda name: print(name, file=sys.stderr, flush=True))
    rows = {
        name: int(subprocess.check_output([sys.executable, "-m", "benchmarks.serving", "memory", str(folder), name]))
        for name in (BASE, *filter(only.__contains__, SERVED))
    }
    io.write_json(folder / "memory.json", rows)


def memory(folder: Path, name: str) -> int:
    from whyrank.scoring.rivals import served  # torch is no part of the other commands

    values = read_yaml(str(folder / PARAMS))
    options, system = params.section(values, "encoder", params.Encoder), params.system(values, name)
    rows = prepared.read(folder / "data/prepared").token_ids[:TEXTS]
    with chdir(folder):
        model = (
            served.restored(system, options, Path("data/runs") / name)
            if system.kind == "served"
            else served.unchanged(system, options)
        )
    served.encoding(model, system.format, options)(rows)
    # Not getrusage, whose maximum a process takes over from the one that started it.
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(peak) // 1024


def table(folder: Path) -> pd.DataFrame:
    """A row for each system made of the pretrained encoder."""
    differences = io.read_table(folder / "metrics/diagnose/comparisons.csv").query("type == 'all'").set_index("a")
    megabytes, rows = io.read_json(folder / "memory.json"), []
    for name in filter(differences.index.__contains__, (*SERVED, *COMPRESSED)):
        own, how = differences.loc[name], io.read_json(folder / "data/runs" / name / "how.json")
        assert own["b"] == BASE
        row = {"system": name, **{key: 100 * own[key] for key in ("difference", "low", "high")}}
        row |= {key: how[key] for key in ("bytes_before", "bytes")}
        if name in SERVED:
            row["texts_per_s"] = how["texts_per_s_after"] / how["texts_per_s_before"]
            row["ms_per_text"] = how["ms_per_text_after"] / how["ms_per_text_before"]
            row |= {"memory": megabytes[name], "memory_before": megabytes[BASE]}
        rows.append(row)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "memory", "table"))
    parser.add_argument("first", type=Path)
    parser.add_argument("rest", nargs="*")
    every = [*SERVED, *COMPRESSED]
    parser.add_argument("--only", nargs="+", choices=every, default=every, help="formats to run; all by default")
    given = parser.parse_args()
    if given.what == "run":
        work, *sets = given.rest
        for name in sets or SETS:
            run(given.first / name, Path(work) / name, given.only)
    elif given.what == "memory":
        print(memory(given.first, given.rest[0]))
    else:
        for folder in sorted(path for path in given.first.iterdir() if path.is_dir()):
            print(folder.name, table(folder).round(2).to_string(index=False), sep="\n")


if __name__ == "__main__":
    main()
