"""Intervals, tests and corrections for differences between systems."""
