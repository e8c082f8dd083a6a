"""The shipped params.yaml, and its systems."""

from pathlib import Path

import yaml

from whyrank.findings.systems import Systems

PARAMS = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text(encoding="utf-8"))
SHIPPED = Systems.of(PARAMS)
