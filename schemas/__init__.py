"""What the data must look like."""

from pathlib import Path

CIFAR100 = Path(__file__).with_name("cifar100.pbtxt")
