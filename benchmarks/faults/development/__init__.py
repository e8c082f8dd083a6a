"""Kinds of faults that thresholds are set on."""
