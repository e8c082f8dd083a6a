"""Predictions of ratings to correlations."""
