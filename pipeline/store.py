"""How ML Metadata is reached."""

from pathlib import Path

from ml_metadata.proto import metadata_store_pb2

FILE_NAME = "metadata.sqlite"
"""The SQLite file in a workdir."""


def sqlite(path: Path) -> metadata_store_pb2.ConnectionConfig:
    """Returns the connection to a SQLite file; it and its folder are made when first used.

    TFX's own function makes the folder at once, which a dry run must not.

    Args:
      path: the file.
    """
    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(path)
    connection.sqlite.connection_mode = (
        metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    )
    return connection
