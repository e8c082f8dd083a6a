"""Weights, or words, to a run: every query scored against every answer by one code path."""
