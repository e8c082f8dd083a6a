"""Raw files -> prepared tables: read, validate, split, select text, count. Imports `core` only; knows no path."""
