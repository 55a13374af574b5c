"""Checks that the exported student answers where it will be served as it does here."""
