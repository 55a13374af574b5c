"""Decides whether a student may go into service."""
