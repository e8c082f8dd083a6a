"""Token ids to vectors: loading, pooling, layers, caches."""
