"""How ML Metadata is reached: a SQLite file, or a MySQL or MariaDB server."""

import os
import socket
import sqlite3
import textwrap
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from ml_metadata import errors, metadata_store
from ml_metadata.proto import metadata_store_pb2

from kd_trainer.errors import ConfigError
from pipeline.quiet import output_to
from pipeline.workdir import check_writable

FILE_NAME = "metadata.sqlite"
_FORM = "mysql://USER[:PASSWORD]@HOST[:PORT]/DATABASE"
_MYSQL_PORT = 3306
_SECONDS = 10


def sqlite(path: Path) -> metadata_store_pb2.ConnectionConfig:
    """Returns the connection to a SQLite file; it and its folder are made when a run uses it.

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


def default(workdir: Path) -> metadata_store_pb2.ConnectionConfig:
    """Returns the connection to a workdir's own SQLite file."""
    return sqlite(workdir / FILE_NAME)


def connect(text: str) -> metadata_store_pb2.ConnectionConfig:
    """Returns the connection that `--metadata` asks for; nothing is opened.

    A password goes into the environment variable MYSQL_PWD, where the client library looks for
    it, and not into the connection, which TFX prints and hands around.

    Args:
      text: a SQLite file's path, or `mysql://USER[:PASSWORD]@HOST[:PORT]/DATABASE` with what is
        special in a URL percent-encoded.

    Raises:
      ConfigError: neither of them. The message never holds the text: a password may be in it.
    """
    scheme, separator, _ = text.partition("://")
    if not separator:
        return sqlite(Path(text).absolute())
    if scheme != "mysql":
        raise ConfigError(
            f"--metadata: found {scheme}://, expected a SQLite file's path or {_FORM} "
            "(MariaDB too)."
        )
    try:
        url = urlsplit(text)
        port = url.port or _MYSQL_PORT
    except ValueError:
        raise ConfigError(
            f"--metadata: this is no URL of the form {_FORM}. PORT is a number; in a password "
            "write / as %2F, : as %3A, @ as %40, or give it as the environment variable MYSQL_PWD."
        ) from None
    user, host, database = url.username or "", url.hostname or "", url.path.strip("/")
    parts = {"USER": user, "HOST": host, "DATABASE": database}
    missing = [part for part, value in parts.items() if not value]
    if missing:
        raise ConfigError(f"--metadata: {' and '.join(missing)} missing, expected {_FORM}.")
    connection = metadata_store_pb2.ConnectionConfig()
    connection.mysql.user = unquote(user)
    connection.mysql.host = host
    connection.mysql.port = port
    connection.mysql.database = unquote(database)
    connection.mysql.skip_db_creation = True  # a misspelt name is no new database
    if url.password is not None:
        os.environ["MYSQL_PWD"] = unquote(url.password)
    return connection


def name(connection: metadata_store_pb2.ConnectionConfig) -> str:
    """Returns what `connect` takes for a connection, without a password."""
    if connection.HasField("sqlite"):
        return connection.sqlite.filename_uri
    mysql = connection.mysql
    host = f"[{mysql.host}]" if ":" in mysql.host else mysql.host  # IPv6
    return f"mysql://{quote(mysql.user, '')}@{host}:{mysql.port}/{quote(mysql.database, '')}"


def check(connection: metadata_store_pb2.ConnectionConfig) -> None:
    """Checks that a run can use ML Metadata; a SQLite file that is not there yet is in order.

    Raises:
      ConfigError: the server, the database or the file cannot be used.
    """
    if exists(connection):
        read(connection)
    else:
        check_writable(Path(connection.sqlite.filename_uri).parent, "--metadata")


def read(connection: metadata_store_pb2.ConnectionConfig) -> metadata_store.MetadataStore:
    """Opens ML Metadata to read it.

    Raises:
      ConfigError: there is none, or the server, the database or the file cannot be used.
    """
    reading = metadata_store_pb2.ConnectionConfig()
    reading.CopyFrom(connection)
    if reading.HasField("sqlite"):
        if not _holds_something(reading):
            raise ConfigError(
                f"There is no ML Metadata at {name(connection)!r}: nothing has been run there. "
                "Say where it is with --workdir or --metadata."
            )
        _check_unlocked(Path(reading.sqlite.filename_uri))
        # Not READONLY: what a killed run left half-written could not be rolled back.
        reading.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE
    else:
        _check_listening(connection.mysql)
    try:
        # The client library prints guesses of its own.
        with output_to(Path(os.devnull)):
            return metadata_store.MetadataStore(reading)
    except (RuntimeError, errors.StatusError) as error:
        raise ConfigError(_explained(reading, str(error))) from None


def exists(connection: metadata_store_pb2.ConnectionConfig) -> bool:
    """Returns whether there is anything to read; of a server that is taken as given."""
    return connection.HasField("mysql") or _holds_something(connection)


def _holds_something(connection: metadata_store_pb2.ConnectionConfig) -> bool:
    path = Path(connection.sqlite.filename_uri)
    return path.exists() and path.stat().st_size > 0


def _check_unlocked(path: Path) -> None:
    """Asks SQLite itself: ML Metadata's client tries for minutes, and then does not say why."""
    try:
        with closing(sqlite3.connect(path, timeout=_SECONDS, isolation_level=None)) as database:
            database.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError as error:
        raise ConfigError(
            f"--metadata: {str(path)!r} cannot be read: {error}. If another process holds it, "
            f"which `fuser {path}` names, wait for it or end it; else let this user read it."
        ) from None
    except sqlite3.DatabaseError:
        pass  # no database: ML Metadata says so


def _check_listening(mysql: metadata_store_pb2.MySQLDatabaseConfig) -> None:
    try:
        socket.create_connection((mysql.host, mysql.port), _SECONDS).close()
    except OSError as error:
        raise ConfigError(
            f"--metadata: no server can be reached at {mysql.host}:{mysql.port} "
            f"({error.strerror or error}). Start it, or mend host and port."
        ) from None


def _explained(connection: metadata_store_pb2.ConnectionConfig, error: str) -> str:
    where = f"--metadata: {name(connection)}"
    mysql = connection.mysql
    if "mysql_real_connect" in error:  # which says no more than that
        return (
            f"{where}: the server refuses the user {mysql.user!r} or the password. Give it as the "
            "environment variable MYSQL_PWD. (The host localhost means the server's socket file; "
            "127.0.0.1 does not.)"
        )
    if "Unknown database" in error:
        return (
            f"{where}: the server has no such database. Make it: CREATE DATABASE `{mysql.database}`"
        )
    return f"{where} cannot be used: {textwrap.shorten(error, 120)}"
