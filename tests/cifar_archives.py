"""Tiny sources in the official layouts, for the tests."""

import io
import pickle
import tarfile
from pathlib import Path

import numpy as np

from kd_trainer.labels import COARSE_LABELS, FINE_LABELS

PYTHON = "cifar-100-python"
BINARY = "cifar-100-binary"


def batch(count: int, seed: int = 0) -> dict:
    """What an official python file holds, with `count` random records."""
    rng = np.random.default_rng(seed)
    return {
        b"data": rng.integers(0, 256, (count, 3072), dtype=np.uint8),
        b"fine_labels": rng.integers(0, 100, count).tolist(),
        b"coarse_labels": rng.integers(0, 20, count).tolist(),
        b"filenames": [b"image.png"] * count,
        b"batch_label": b"batch 1 of 1",
    }


def meta() -> dict:
    return {
        b"fine_label_names": [name.encode() for name in FINE_LABELS],
        b"coarse_label_names": [name.encode() for name in COARSE_LABELS],
    }


def python_files(train: dict | None = None, test: dict | None = None, **other) -> dict[str, bytes]:
    """The members of the python layout; `other` replaces some, by dict or as bytes."""
    members = {"train": train or batch(12, 1), "test": test or batch(5, 2), "meta": meta()} | other
    return {
        name: content if isinstance(content, bytes) else pickle.dumps(content, protocol=3)
        for name, content in members.items()
    }


def binary_files(train: dict | None = None, test: dict | None = None) -> dict[str, bytes]:
    """The members of the binary layout, with the records of the python one."""
    return {
        "train.bin": _rows(train or batch(12, 1)),
        "test.bin": _rows(test or batch(5, 2)),
        "fine_label_names.txt": "\n".join(FINE_LABELS).encode() + b"\n",
        "coarse_label_names.txt": "\n".join(COARSE_LABELS).encode() + b"\n",
    }


def _rows(records: dict) -> bytes:
    labels = zip(records[b"coarse_labels"], records[b"fine_labels"], strict=True)
    rows = zip(labels, records[b"data"], strict=True)
    return b"".join(bytes(pair) + image.tobytes() for pair, image in rows)


def write_tar(path: Path, layout: str, files: dict[str, bytes], mode: str = "w:gz") -> str:
    with tarfile.open(path, mode) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{layout}/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return str(path)


def write_folder(parent: Path, layout: str, files: dict[str, bytes]) -> str:
    folder = parent / layout
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return str(folder)
