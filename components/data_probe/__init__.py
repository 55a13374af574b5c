"""Looks at the data before it is brought in."""
