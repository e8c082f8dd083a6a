"""Nouns, typed parameters, atomic files, runtime. Imports nothing else of this package."""
