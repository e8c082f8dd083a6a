"""Baselines that only count words: no encoder, no torch."""
