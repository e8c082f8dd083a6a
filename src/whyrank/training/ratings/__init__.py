"""The ratings objective, trained out of fold."""
