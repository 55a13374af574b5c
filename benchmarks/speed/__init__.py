"""How long a step takes, as ratios of one run."""
