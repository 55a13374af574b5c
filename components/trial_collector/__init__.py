"""Collects what was measured of the networks of one seed of a comparison."""
