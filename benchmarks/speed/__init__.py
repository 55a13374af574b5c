"""How long a step takes, as ratios of one run."""

import os

# TensorFlow's notices would stand between the rows that are printed as they are measured.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
