"""The systems of the shipped params.yaml."""

from pathlib import Path

import yaml

from whyrank.findings.systems import Systems

SHIPPED = Systems.of(yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text(encoding="utf-8")))
