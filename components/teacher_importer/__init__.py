"""Brings a trained teacher of the user's own in as a model."""
