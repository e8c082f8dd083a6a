"""Arrays to numbers, and how sure they are. Knows neither files nor models."""
