"""Looks at the networks of the user's own before anything is trained."""
