"""Metrics of arrays: ranking, correlation, ratings, geometry, separation."""
