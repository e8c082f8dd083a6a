"""Recorded evidence to findings and a report. Loads no model and no torch."""
