"""File formats to rows."""
