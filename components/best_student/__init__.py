"""Passes on the student that did best in a comparison."""
