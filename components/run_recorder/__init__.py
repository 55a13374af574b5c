"""Keeps what a run is: command, configuration, code and environment."""
