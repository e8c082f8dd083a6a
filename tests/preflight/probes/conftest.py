"""The recorded runs that the probes of diagnosis are tested on serve those of preflight, too."""

from ...diagnosis.probes.conftest import findings, healthy, lab, looked_at_once, remembered

__all__ = ["findings", "healthy", "lab", "looked_at_once", "remembered"]
