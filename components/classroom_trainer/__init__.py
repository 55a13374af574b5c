"""Distils a teacher into a student."""
