"""Answers, queries and relevance labels: checked, split, shortened."""
