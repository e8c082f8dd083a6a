"""What can be said before any training."""
