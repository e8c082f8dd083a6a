"""From a system and prepared data to a trained system."""
