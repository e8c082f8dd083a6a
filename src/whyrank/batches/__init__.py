"""Which texts stand together in a training batch. No torch."""
