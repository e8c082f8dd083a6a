"""docs/findings.md and the registry name the same probes."""

import re
import subprocess
import sys
from pathlib import Path

from whyrank.diagnosis.preflight import PREFLIGHT
from whyrank.diagnosis.registry import PROBES

PAGE = Path(__file__).parents[3] / "docs" / "findings.md"


def test_every_code_has_its_entry_and_every_entry_its_code():
    entries = re.findall(r"^## (\S+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(entries) == len(set(entries))
    assert set(entries) == set(PREFLIGHT) | set(PROBES)


def test_entries_that_are_marked_as_preflight_are_those_of_preflight():
    marked = re.findall(r"^## (\S+)\n\n\*\*P\*\*", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(marked) == set(PREFLIGHT)


def test_preflight_imports_none_of_what_only_trained_systems_need():
    code = "import sys, whyrank.diagnosis.preflight; print(*[m for m in sys.modules if m.startswith('whyrank.')])"
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": "src"},
        cwd=PAGE.parents[1],
    )
    ours = set(loaded.stdout.split())
    allowed = {f"whyrank.diagnosis{name}" for name in ("", ".preflight", ".finding", ".records", ".probes")}
    allowed |= {"whyrank.core", "whyrank.core.errors", "whyrank.measure", "whyrank.measure.significance"}
    probes = {
        "data",
        "batches",
        "truncation",
        "label_agreement",
        "labels",
        "pair_batches",
        "pooling",
        "rating_columns",
        "rating_labels",
        "rating_tokens",
        "relabel",
        "tokenizer",
    }
    assert ours == allowed | {f"whyrank.diagnosis.probes.{name}" for name in probes}
