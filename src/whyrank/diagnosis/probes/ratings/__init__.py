"""Probes of ratings."""
