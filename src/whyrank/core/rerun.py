"""Which stage makes a file: what a message tells the user to run when a file is damaged."""

import os
import re
from pathlib import Path

import yaml

PIPELINE = "dvc.yaml"
# The same in C, ten times as fast, where PyYAML was built with it.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
KINDS = ("outs", "metrics", "plots")
ONE = "[^/]+"  # part of a path


def remedy(path: str | Path) -> str:
    """What makes a damaged file or folder anew: the stage that writes it, or, of a file of the user's, a copy."""
    stage = maker(path)
    return f"run `dvc repro -f -s {stage}`, then `dvc repro`" if stage else "copy it here again, whole"


def maker(file: str | Path) -> str | None:
    """The stage of dvc.yaml that writes `file`, for instance `evaluate@base`; None where there is none."""
    try:
        stages = yaml.load(Path(PIPELINE).read_text(encoding="utf-8"), LOADER)["stages"]
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return None
    place = os.path.relpath(file)
    for name, stage in stages.items():
        entry = stage.get("do", stage)
        outs = [out if isinstance(out, str) else next(iter(out)) for kind in KINDS for out in entry.get(kind, [])]
        # The longest first: `metrics/${item.init}.json` is no folder `metrics/${item.init}`.
        for path in sorted(outs, key=len, reverse=True):
            texts = re.split(r"\$\{(.*?)\}", path)
            # A stage of a `foreach` is called by its key alone, whatever else is in its paths: ${item.kind}.
            own = [f"({ONE})" if name == "key" or "do" not in stage else ONE for name in texts[1::2]] + [""]
            pattern = "".join(re.escape(text) + one for text, one in zip(texts[::2], own, strict=True))
            if found := re.fullmatch(f"{pattern}(?:/.*)?", place):
                return "@".join([name, *found.groups()])
    return None
