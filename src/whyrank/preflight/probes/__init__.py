"""Recorded tables of prepare to findings. No torch."""
