"""The recorded runs that the probes of diagnosis are tested on serve those of preflight, too."""

from ...diagnosis.probes.conftest import cluster_null_drawn_once, findings, healthy, lab

__all__ = ["cluster_null_drawn_once", "findings", "healthy", "lab"]
