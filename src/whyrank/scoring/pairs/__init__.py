"""Cosines of test pairs to correlations."""
