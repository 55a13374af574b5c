"""Options that several tables share."""

import argparse
from pathlib import Path

from components.cifar100_example_gen.sample import SAMPLE


def add_pair(parser: argparse.ArgumentParser, batches: list[int]) -> None:
    """Adds the networks and the sizes of their batches."""
    parser.add_argument("--teacher", default="resnet32x4", metavar="NETWORK")
    parser.add_argument("--student", default="resnet8x4", metavar="NETWORK")
    parser.add_argument("--batches", nargs="+", type=int, default=batches, metavar="IMAGES")


def add_precision(parser: argparse.ArgumentParser) -> None:
    """Adds what the networks compute in."""
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")


def add_rounds(parser: argparse.ArgumentParser, rounds: int) -> None:
    """Adds how often each subject is measured."""
    parser.add_argument("--rounds", type=int, default=rounds)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Adds where the images are."""
    parser.add_argument(
        "--data", type=Path, default=SAMPLE, metavar="ARCHIVE", help="of CIFAR-100 (the sample)"
    )
