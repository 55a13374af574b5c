"""ML Metadata in a real MariaDB server, which the tests start and stop."""

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import time

import pytest
from small_runs import SMALL, sets

from kd_trainer.errors import ConfigError
from pipeline import cli, store

pytestmark = pytest.mark.slow

PASSWORD = "s3cret/@:%"
QUOTED = "s3cret%2F%40%3A%25"
SQL = f"""
CREATE DATABASE runs;
CREATE USER 'tfx'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON runs.* TO 'tfx'@'127.0.0.1';
GRANT ALL ON missing.* TO 'tfx'@'127.0.0.1';
"""


def executable(name):
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if not found:
        pytest.skip(f"{name} is not installed: apt-get install mariadb-server (make test-tools)")
    return found


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Yields the server's port and its data directory."""
    mariadbd, install = executable("mariadbd"), executable("mariadb-install-db")
    folder = tmp_path_factory.mktemp("mariadb")
    common = ["--no-defaults", f"--user={getpass.getuser()}", f"--datadir={folder / 'data'}"]
    made = subprocess.run(
        [install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
        capture_output=True,
        text=True,
        timeout=300,
        encoding="utf-8",
    )
    assert made.returncode == 0, made.stdout + made.stderr
    (folder / "init.sql").write_text(SQL, encoding="utf-8")
    port = free_port()
    command = [
        *(mariadbd, *common, "--bind-address=127.0.0.1", f"--port={port}"),
        *(f"--socket={folder / 's'}", f"--pid-file={folder / 'pid'}"),
        f"--init-file={folder / 'init.sql'}",
    ]
    with open(folder / "server.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for(port, process, folder / "server.log")
        yield port, folder / "data"
    finally:
        process.terminate()
        process.wait(timeout=120)


def _wait_for(port, process, log):
    for _ in range(600):
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _no_password(monkeypatch):
    monkeypatch.setenv("MYSQL_PWD", "")  # is as it was after the test
    monkeypatch.delenv("MYSQL_PWD")


@pytest.fixture
def url(server):
    return f"mysql://tfx@127.0.0.1:{server[0]}/runs"


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return tmp_path_factory.mktemp("workdir")


def test_1_what_is_wrong_is_told(server):
    port, _ = server
    for text, expected in [
        (f"mysql://tfx:{QUOTED}@127.0.0.1:{port}/missing", "CREATE DATABASE `missing`"),
        (f"mysql://tfx:wrong@127.0.0.1:{port}/runs", "refuses the user 'tfx' or the password"),
        (f"mysql://tfx:{QUOTED}@127.0.0.1:{port}/mysql", "Access denied"),
        (f"mysql://tfx:{QUOTED}@127.0.0.1:{free_port()}/runs", "no server can be reached"),
    ]:
        with pytest.raises(ConfigError, match=expected) as raised:
            store.check(store.connect(text))
        assert "wrong" not in str(raised.value)
        assert PASSWORD not in str(raised.value)


def test_2_runs_go_through_and_are_cached(server, workdir, capfd, monkeypatch):
    port, data = server
    places = ["--workdir", str(workdir)]
    places += ["--metadata", f"mysql://tfx:{QUOTED}@127.0.0.1:{port}/runs"]
    printed = ""
    for expected in ("Blessed", "cached"):
        monkeypatch.setattr(sys, "argv", ["tfx-distill"])
        status = cli.main(["run", *places, *sets(SMALL)])
        captured = capfd.readouterr()
        printed += captured.out + captured.err
        assert status == 0, printed
        assert expected in captured.out
    trained = [line for line in captured.out.splitlines() if line.startswith("✓ DistillTrainer")]
    assert trained[0].endswith("cached")
    assert not (workdir / "metadata.sqlite").exists()
    # The password is nowhere: not on the screen, in a log, an artifact or the database.
    files = [path for folder in (workdir, data) for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".ibd" for path in files)
    for secret in (PASSWORD, QUOTED):
        assert secret not in printed
        assert not [path for path in files if secret.encode() in path.read_bytes()]


def test_3_they_are_read(url, workdir, capsys, monkeypatch):
    monkeypatch.setenv("MYSQL_PWD", PASSWORD)

    def read(*command):
        assert cli.main([*command, "--json", "--metadata", url]) == 0
        return json.loads(capsys.readouterr().out)

    first, second = read("runs")
    [version] = [path.name for path in (workdir / "serving" / "quick").glob("[0-9]*")]
    assert (first["outcome"], first["version"]) == ("pushed", version)
    assert (second["outcome"], second["version"]) == ("unchanged", version)
    document = read("lineage", version)
    assert document["student"]["run"] == first["id"]
    assert document["student"]["method"]["temperature"] == 2.0
    assert document["runs"][first["id"]]["command"][-2:] == ["--metadata", url]
    changes = read("diff", first["id"], second["id"])["changes"]
    assert set(changes["results"]) == {"outcome"}
    assert not changes["config"]
