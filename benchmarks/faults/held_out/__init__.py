"""Kinds of faults that nobody set a threshold on, written without a look at the checks."""
