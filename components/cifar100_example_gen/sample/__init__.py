"""The sample of CIFAR-100 that ships with the product; `make_sample` makes it."""

from pathlib import Path

SAMPLE = Path(__file__).parent / "cifar-100-sample.tar.bz2"
