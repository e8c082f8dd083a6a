"""The recorded runs that the probes of diagnosis are tested on serve those of preflight, too."""

from ...diagnosis.probes.conftest import drawn_once, findings, healthy, lab

__all__ = ["drawn_once", "findings", "healthy", "lab"]
