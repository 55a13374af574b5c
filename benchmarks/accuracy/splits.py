"""The official splits of CIFAR-100, in memory."""

from components.cifar100_example_gen import reader
from kd_trainer.data import Dataset


def load(source: str, classes: int) -> dict[str, Dataset]:
    """Returns the official splits, of the first classes alone.

    Args:
      source: an archive or folder of CIFAR-100.
      classes: how many of the classes that are there, in the order of their numbers.
    """
    splits = {}
    for name, records in reader.load(source)[1].items():
        numbers = sorted(set(records.labels.tolist()))[:classes]
        place = {number: position for position, number in enumerate(numbers)}
        chosen = [n for n, number in enumerate(records.labels.tolist()) if number in place]
        labels = [place[number] for number in records.labels[chosen].tolist()]
        splits[name] = Dataset(records.images[chosen], records.labels[chosen] * 0 + labels)
    return splits
