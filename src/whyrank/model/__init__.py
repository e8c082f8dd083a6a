"""Texts to vectors: encoders, the heads on top of them, and how both are saved."""
