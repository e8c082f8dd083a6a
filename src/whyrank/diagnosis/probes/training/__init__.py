"""Probes of a training run."""
