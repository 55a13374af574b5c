"""The front door: what a run is, which components it chains, where it runs, the command line."""

import kd_trainer  # noqa: F401 (sets TensorFlow's environment, before TFX loads it)
