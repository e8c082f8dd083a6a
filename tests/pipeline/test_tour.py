"""The notebook of docs/, cell by cell, after a run: it reads what a run leaves with other people's libraries alone."""

import json
from pathlib import Path

import pytest

from ..shipped import PARAMS

ROOT = Path(__file__).parents[2]
NOTEBOOK = json.loads((ROOT / "docs/tour.ipynb").read_text(encoding="utf-8"))
CODE = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
SHOWN = """
print(json.dumps({
    "systems": sorted(figures["system"].unique()),
    "findings": len(findings),
    "checks": int(checks["status"].value_counts().sum()),
    "scores": found["score"].tolist(),
    "curves": [len(axis.get_lines()) for axis in (left, right)],
}))
"""


def test_it_is_kept_without_outputs_and_needs_no_code_of_ours():
    cells = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
    assert "whyrank" not in "".join(CODE)


@pytest.mark.slow
def test_every_cell_runs_in_order_and_shows_what_the_run_left(ran, tmp_path):
    clone = ran.copy(tmp_path / "clone")
    script = clone.folder / "docs/tour.py"
    script.write_text("\n".join([*CODE, SHOWN]))
    shown = json.loads(clone.done("python", "docs/tour.py", MPLBACKEND="agg").splitlines()[1])
    assert shown["systems"] == sorted(PARAMS["systems"])
    written = json.loads((clone.folder / "metrics/diagnose/findings.json").read_text())
    assert shown["findings"] == len(written) and shown["checks"] > 100
    assert shown["scores"] == sorted(shown["scores"], reverse=True) and shown["curves"] == [2, 2]
