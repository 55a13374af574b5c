import os
import subprocess
import sys

import pytest
from ml_metadata import metadata_store

from kd_trainer.errors import ConfigError
from pipeline import cli, store


@pytest.fixture(autouse=True)
def _no_password(monkeypatch):
    monkeypatch.setenv("MYSQL_PWD", "")  # is as it was after the test
    monkeypatch.delenv("MYSQL_PWD")


def test_a_path_is_a_sqlite_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    connection = store.connect("some/metadata.sqlite")
    assert connection.sqlite.filename_uri == str(tmp_path / "some" / "metadata.sqlite")
    assert store.name(connection) == str(tmp_path / "some" / "metadata.sqlite")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "user", "host", "port", "database", "password", "name"),
    [
        (
            "mysql://tfx@db.example/runs",
            *("tfx", "db.example", 3306, "runs", None),
            "mysql://tfx@db.example:3306/runs",
        ),
        (
            "mysql://a%40b:p%2Fw%3A%40@[::1]:3307/my%20runs",
            *("a@b", "::1", 3307, "my runs", "p/w:@"),
            "mysql://a%40b@[::1]:3307/my%20runs",
        ),
    ],
)
def test_a_url_is_a_server(text, user, host, port, database, password, name):
    connection = store.connect(text)
    mysql = connection.mysql
    assert (mysql.user, mysql.host, mysql.port, mysql.database) == (user, host, port, database)
    # TFX prints connections: the client library finds the password elsewhere.
    assert not mysql.password
    assert os.environ.get("MYSQL_PWD") == password
    assert store.name(connection) == name
    assert store.connect(name) == connection


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://u:secret@h/d", "found postgresql://, expected .* mysql://"),
        ("mysql://h/d", "USER missing"),
        ("mysql://u:secret@h", "DATABASE missing"),
        ("mysql://u:secret@h:x/d", "PORT is a number"),
        ("mysql://u:secret/1@h/d", "write / as %2F"),
    ],
)
def test_a_wrong_url_is_told_without_its_password(text, expected):
    with pytest.raises(ConfigError, match=expected) as raised:
        store.connect(text)
    assert "secret" not in str(raised.value)


def test_a_server_that_does_not_answer():
    with pytest.raises(ConfigError, match=r"no server can be reached at 127\.0\.0\.1:1 "):
        store.read(store.connect("mysql://u@127.0.0.1:1/d"))


@pytest.mark.parametrize("command", [["lineage"], ["runs"], ["diff", "a", "b"]])
def test_reading_makes_nothing(command, tmp_path, capsys):
    assert cli.main([*command, "--workdir", str(tmp_path / "none")]) == 2
    assert "nothing has been run there" in capsys.readouterr().err
    assert cli.main([*command, "--metadata", str(tmp_path / "none.sqlite")]) == 2
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_something_else(tmp_path):
    other = tmp_path / "notes.txt"
    other.write_text("not a database\n" * 100, encoding="utf-8")
    for look in (store.read, store.check):
        with pytest.raises(ConfigError, match=r"notes\.txt cannot be used: .*not a database"):
            look(store.connect(str(other)))
    assert other.read_text(encoding="utf-8") == "not a database\n" * 100


def test_a_store_is_read(tmp_path):
    connection = store.sqlite(tmp_path / "metadata.sqlite")
    metadata_store.MetadataStore(connection)
    assert store.read(connection).get_artifacts() == []


def test_a_run_needs_a_place_that_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be written: Not a directory.*--metadata"):
        store.check(store.sqlite(tmp_path / "file" / "metadata.sqlite"))
    store.check(store.sqlite(tmp_path / "a" / "b" / "metadata.sqlite"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_folder_of_a_new_file_is_made_by_the_run_alone(tmp_path):
    places = ["--workdir", f"{tmp_path}/w", "--metadata", f"{tmp_path}/new/metadata.sqlite"]
    assert cli.main(["run", "--dry-run", *places]) == 0
    assert not list(tmp_path.iterdir())


def test_a_file_that_another_process_holds(tmp_path, monkeypatch):
    connection = store.sqlite(tmp_path / "metadata.sqlite")
    metadata_store.MetadataStore(connection)
    code = (
        "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); time.sleep(60)"
    )
    words = [sys.executable, "-c", code, connection.sqlite.filename_uri]
    monkeypatch.setattr(store, "_SECONDS", 0.2)
    with subprocess.Popen(words, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ConfigError, match=r"locked.* `fuser .*metadata.sqlite` names"):
            store.check(connection)
        holder.kill()
    store.check(connection)
