"""Probes of the ranking."""
