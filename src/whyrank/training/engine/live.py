"""The history of a training shown as it grows by dvclive, for whoever sets WHYRANK_DVCLIVE to a folder.

dvclive feeds the views of DVC's extension for VS Code and of DVC Studio; `pip install 'whyrank[live]'` brings it.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from whyrank.core import processes
from whyrank.core.errors import UserError

FOLDER = "WHYRANK_DVCLIVE"


class Live:
    """Passes rows on to `<folder>/<stage of DVC, else work>/<part>` of `what`, `part: work`; nothing without FOLDER."""

    def __init__(self, what: str) -> None:
        self.live: Any = None
        folder = os.environ.get(FOLDER)
        if not folder or not processes.is_first():
            return
        try:
            import dvclive
        except ImportError as error:
            raise UserError(f"{FOLDER}={folder} needs dvclive; use pip install dvclive") from error
        part, _, work = what.rpartition(": ")
        # No commit, no dvc.yaml of its own: this pipeline has both. A run that goes on adds to its curves.
        self.live = dvclive.Live(
            str(Path(folder) / os.environ.get("DVC_STAGE", work) / part),
            resume=True,
            report=None,
            save_dvc_exp=False,
            dvcyaml=None,
            monitor_system=False,
        )

    def __call__(self, step: int, row: Mapping[str, float]) -> None:
        if self.live:
            self.live.step = step
            for name, value in row.items():
                self.live.log_metric(name, value)
            self.live.make_summary()

    def end(self) -> None:
        if self.live:
            self.live.end()
