"""What is asked of the archive reader whatever it is given: records in order, or a DataError."""

import tempfile
from pathlib import Path

from components.cifar100_example_gen.reader import load
from kd_trainer.errors import DataError


def read(content: bytes) -> None:
    """Reads an archive; anything but a DataError that names it is a finding.

    Args:
      content: of its file.
    """
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        Path(file.name).write_bytes(content)
        try:
            summary, splits = load(file.name)
        except DataError as error:
            if file.name not in str(error):
                raise AssertionError("the message does not say which file") from error
            return
    for split, count in summary.counts.items():
        records = splits[split]
        assert records.images.shape == (count, 32, 32, 3)
        assert len(records.labels) == len(records.coarse_labels) == len(set(records.ids)) == count
        assert 0 <= records.labels.min() <= records.labels.max() < 100
        assert 0 <= records.coarse_labels.min() <= records.coarse_labels.max() < 20
