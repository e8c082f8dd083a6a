"""Other ways to rank with what is there already, which fine-tuning has to beat: no torch, seconds on kept vectors."""
