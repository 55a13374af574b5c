"""Makes the sample of CIFAR-100 that ships with the product.

    python -m components.cifar100_example_gen.make_sample cifar-100-python.tar.gz

The same archive gives the same bytes each time. Whoever changes what is chosen also changes the
sample's sizes and hashes in `known.py`: the command prints them.
"""

import argparse
import bz2
import hashlib
import io
import pickle
import sys
import tarfile
from pathlib import Path

import numpy as np

from components.cifar100_example_gen.decode import decode
from components.cifar100_example_gen.records import Records
from components.cifar100_example_gen.sample import SAMPLE
from components.cifar100_example_gen.source import PYTHON, Members, read_members
from components.cifar100_example_gen.unpickle import unpickle
from kd_trainer.errors import DataError
from kd_trainer.labels import FINE_LABELS

# Two classes of each of five superclasses, that even a small model learns to tell apart.
CLASSES = (
    *("sunflower", "rose"),  # flowers
    *("motorcycle", "pickup_truck"),  # vehicles_1
    *("plain", "sea"),  # large_natural_outdoor_scenes
    *("wardrobe", "chair"),  # household_furniture
    *("orange", "apple"),  # fruit_and_vegetables
)
RECORDS_PER_CLASS = {"train": 400, "test": 80}

# Members of these sizes are the official ones, for `read_members` checks their hashes.
OFFICIAL_BYTES = {"train": 155249918, "test": 31049707}


def make_sample(archive: str) -> dict[str, bytes]:
    """Chooses the sample's records.

    Args:
        archive: the path of the official `cifar-100-python.tar.gz`.

    Returns:
        The content of the sample's members, by name.

    Raises:
        DataError: the archive is damaged, or not the official one.
    """
    members = read_members(archive)
    splits = decode(members)
    found = {split: len(members.content.get(split, b"")) for split in OFFICIAL_BYTES}
    if found != OFFICIAL_BYTES:
        raise DataError(
            f"{archive}: found members of {found} bytes in the layout {members.layout}, expected "
            f"{OFFICIAL_BYTES}. Give the official cifar-100-python.tar.gz."
        )
    content = {split: _select(members, split, splits[split]) for split in RECORDS_PER_CLASS}
    return content | {"meta": members.content["meta"]}


def _select(members: Members, split: str, records: Records) -> bytes:
    """Pickles the first records of each class, in official order, as the official files are."""
    wanted = RECORDS_PER_CLASS[split]
    rows = [np.flatnonzero(records.labels == FINE_LABELS.index(name))[:wanted] for name in CLASSES]
    kept = np.sort(np.concatenate(rows))
    batch = unpickle(members.where(split), members.content[split])
    chosen = {
        b"filenames": [batch[b"filenames"][row] for row in kept],
        b"batch_label": batch[b"batch_label"],
        b"fine_labels": [batch[b"fine_labels"][row] for row in kept],
        b"coarse_labels": [batch[b"coarse_labels"][row] for row in kept],
        b"data": batch[b"data"][kept],
    }
    # Protocol 3 is the last to name numpy's globals as the official files do, and the first to
    # hold bytes without a global of their own.
    return pickle.dumps(chosen, protocol=3)


def pack(content: dict[str, bytes]) -> bytes:
    """Packs members as a tar.bz2 whose bytes depend on nothing but them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(content):
            # A fresh TarInfo has time, owner and group 0, and mode 0644.
            entry = tarfile.TarInfo(f"{PYTHON}/{name}")
            entry.size = len(content[name])
            tar.addfile(entry, io.BytesIO(content[name]))
    return bz2.compress(buffer.getvalue(), compresslevel=9)


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description="Make the shipped sample of CIFAR-100.")
    parser.add_argument("archive", help="the official cifar-100-python.tar.gz")
    parser.add_argument("-o", "--output", type=Path, default=SAMPLE, help="default: %(default)s")
    arguments = parser.parse_args()
    try:
        content = make_sample(arguments.archive)
    except DataError as error:
        sys.exit(str(error))
    packed = pack(content)
    arguments.output.write_bytes(packed)
    for name, member in content.items():
        digest = hashlib.md5(member, usedforsecurity=False).hexdigest()
        print(f"{name}: {len(member)} bytes, md5 {digest}")
    print(f"{arguments.output}: {len(packed)} bytes, sha256 {hashlib.sha256(packed).hexdigest()}")


if __name__ == "__main__":
    main()
