"""Compare the systems, test the differences, and say why one is better or worse than another."""
