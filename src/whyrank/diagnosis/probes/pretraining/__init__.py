"""Probes of the pretraining."""
