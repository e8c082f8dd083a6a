"""Scores of queries and answers to a run."""
