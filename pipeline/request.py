"""What is asked for on the command line: a run, or a comparison."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ml_metadata.proto import metadata_store_pb2

from pipeline import store


class Request(NamedTuple):
    """A run, or a comparison.

    Attributes:
      verb: the command, `run` or `compare`.
      preset: the preset's name.
      overrides: `key=value` each.
      workdir: where everything is written; absolute.
      metadata: where ML Metadata is, if that was asked for; else it is a SQLite file in the
        workdir.
    """

    verb: str
    preset: str
    overrides: Sequence[str]
    workdir: Path
    metadata: metadata_store_pb2.ConnectionConfig | None = None

    @property
    def connection(self) -> metadata_store_pb2.ConnectionConfig:
        """Where ML Metadata is."""
        return self.metadata or store.default(self.workdir)
