"""Pushes a blessed model in one step."""
