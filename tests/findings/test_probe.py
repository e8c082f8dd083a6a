"""Probes in a registry: causes first, and which of two with one code speaks."""

import os
import subprocess
import sys

import pytest

from whyrank.findings import probe


@pytest.fixture
def register(monkeypatch):
    """Probes that report nothing, in a registry of their own."""
    monkeypatch.setattr(probe, "_REGISTERED", [])

    def add(code, *explains, on="trained", **options):
        probe.probe(code, on=on, explains=explains, **options)(lambda records: iter(()))

    return add


def test_causes_come_first_however_they_are_registered_and_a_cycle_is_refused(register):
    register("symptom")
    register("middle", "symptom")
    register("root", "middle")
    assert [one.code for one in probe.registered("trained")] == ["root", "middle", "symptom"]
    register("symptom", "root", about="pairs")
    with pytest.raises(ValueError, match="explain themselves"):
        probe.registered("trained")


def test_a_trained_probe_speaks_for_the_preflight_probe_of_its_code(register):
    register("leak", on="preflight")
    register("text", on="preflight")
    register("leak")
    assert [(one.code, one.on) for one in probe.registered("preflight", "trained")] == [
        ("text", "preflight"),
        ("leak", "trained"),
    ]


def test_the_order_of_all_probes_is_the_same_in_every_process():
    order = "from whyrank.diagnosis import registry; print(*registry.codes())"
    said = {
        subprocess.run(
            [sys.executable, "-c", order], env=os.environ | {"PYTHONHASHSEED": seed}, check=True, capture_output=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
