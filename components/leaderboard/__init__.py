"""Says which of several methods did best, and what is chance."""
