"""Distils a teacher into several students at once."""
