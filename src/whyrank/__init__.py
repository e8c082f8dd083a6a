"""whyrank: fine-tune text encoders to rank answers, and say why a model came out better or worse."""
