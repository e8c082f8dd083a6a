"""What is trained on top of an encoder, and how it is exported to sentence-transformers."""
