"""Records of trained systems to findings."""
