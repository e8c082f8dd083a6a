"""Text to vectors: encoder, pooling, heads, and the folder they are saved in."""
