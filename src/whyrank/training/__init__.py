"""Objectives, losses and batches to trained weights and their history."""
