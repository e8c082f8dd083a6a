"""The ranking objective."""
