"""Converts the student for phones and other devices."""
