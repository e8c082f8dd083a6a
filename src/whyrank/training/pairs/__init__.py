"""Objectives on pairs of sentences: similarity and classification."""
