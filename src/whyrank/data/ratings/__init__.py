"""Texts rated on several targets."""
