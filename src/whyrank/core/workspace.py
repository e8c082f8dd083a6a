"""The folder that holds the pipeline: every path of ours is relative to it, wherever the user stands in it."""

import os
from pathlib import Path

from whyrank.core.errors import UserError

FILES = ("dvc.yaml", "params.yaml")


def enter() -> None:
    """Go to the nearest folder, from here upwards, that holds a pipeline. Raises UserError where there is none."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if all((folder / name).is_file() for name in FILES):
            os.chdir(folder)
            return
    raise UserError(f"{here} is in no repository of whyrank: no folder here or above has {' and '.join(FILES)}")
