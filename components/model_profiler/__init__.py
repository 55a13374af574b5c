"""Measures the run's networks as they are served."""
