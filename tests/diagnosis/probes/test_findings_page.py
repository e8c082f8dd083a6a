"""docs/findings.md and the registry name the same probes."""

import re
import subprocess
import sys
from pathlib import Path

from whyrank.diagnosis import registry
from whyrank.findings.probe import registered

PAGE = Path(__file__).parents[3] / "docs" / "findings.md"


def test_every_code_has_its_entry_and_every_entry_its_code():
    entries = re.findall(r"^### (\S+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(entries) == len(set(entries))
    assert set(entries) == set(registry.codes())


def test_entries_that_are_marked_as_preflight_are_those_of_preflight():
    marked = re.findall(r"^### (\S+)\n\*\*P\*\*", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(marked) == {probe.code for probe in registered("preflight")}


def test_preflight_imports_none_of_what_only_trained_systems_need():
    code = "import sys, whyrank.preflight.examine; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": "src"},
        cwd=PAGE.parents[1],
    )
    loaded = set(loaded.stdout.split())
    layers = {name.split(".")[1] for name in loaded if name.startswith("whyrank.")}
    assert layers == {"core", "findings", "measure", "preflight"}
    assert not {name for name in loaded if name.startswith("whyrank.preflight.figures")}
    assert not loaded & {"torch", "transformers", "sklearn"}
