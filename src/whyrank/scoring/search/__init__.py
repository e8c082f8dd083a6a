"""Exact top-k search over tiles of the score matrix."""
