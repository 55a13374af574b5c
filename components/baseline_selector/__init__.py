"""Chooses what a student is compared with."""
