"""Probes of similarity."""
