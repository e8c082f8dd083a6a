"""Pairs of sentences with a class or a score."""
