"""The tables: a title, what it can be asked for, and the lines."""
