"""Barlow Twins pretraining."""
