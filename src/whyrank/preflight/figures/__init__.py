"""Figures that prepare measures with the untrained encoder."""
