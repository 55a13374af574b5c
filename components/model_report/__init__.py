"""Writes a run down on one HTML page."""
