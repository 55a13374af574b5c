import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from components.cifar100_example_gen.download import fetch
from kd_trainer.errors import DataError

pytestmark = pytest.mark.light

CONTENT = bytes(range(256)) * 8000
HASH = f"md5:{hashlib.md5(CONTENT).hexdigest()}"


@dataclass
class Server:
    """A loopback server that answers each request by the next of its manners, then well."""

    url: str = ""
    manners: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    """The Range header of each request."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            manner = state.manners.pop(0) if state.manners else "well"
            state.ranges.append(self.headers["Range"])
            if manner == "missing":
                self.send_error(404)
                return
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(CONTENT):
                self.send_error(416)
                return
            body = bytes(len(CONTENT)) if manner == "wrong" else CONTENT
            if manner == "no ranges":
                self.send_response(200)
            else:
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
                body = body[start:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: 1_000_000 if manner == "drops" else None])

        def log_message(self, *_: object) -> None:
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{httpd.server_port}/cifar.tar.gz"
    monkeypatch.setattr("time.sleep", lambda _: None)  # no pause before another attempt
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield state
    httpd.shutdown()
    httpd.server_close()


def test_downloads_once(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        path = fetch(tmp_path / "new", server.url, HASH)
        assert path == tmp_path / "new" / "cifar.tar.gz"
        assert path.read_bytes() == CONTENT
    assert server.ranges == ["bytes=0-"]
    assert [entry.name for entry in path.parent.iterdir()] == ["cifar.tar.gz"]


def test_goes_on_after_a_dropped_connection(server: Server, tmp_path: Path) -> None:
    server.manners = ["drops"]
    assert fetch(tmp_path, server.url, HASH).read_bytes() == CONTENT
    first, second = (int(found.strip("bytes=-")) for found in server.ranges)
    # Not every urllib3 gives what came of the block that the connection dropped in.
    assert first == 0
    assert 500_000 < second <= 1_000_000


def test_goes_on_after_an_earlier_run(server: Server, tmp_path: Path) -> None:
    (tmp_path / "cifar.tar.gz.part").write_bytes(CONTENT[:70_000])
    assert fetch(tmp_path, server.url, HASH).read_bytes() == CONTENT
    assert server.ranges == ["bytes=70000-"]


def test_starts_over_if_the_server_knows_no_ranges(server: Server, tmp_path: Path) -> None:
    server.manners = ["drops", "no ranges"]
    assert fetch(tmp_path, server.url, HASH).read_bytes() == CONTENT
    assert len(server.ranges) == 2


@pytest.mark.parametrize(
    "part",
    [CONTENT, CONTENT + b"more", b"wrong from the start"],
    ids=["all of it", "more than it", "something else"],
)
def test_starts_over_if_what_is_there_is_no_use(
    part: bytes, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "cifar.tar.gz.part").write_bytes(part)
    assert fetch(tmp_path, server.url, HASH).read_bytes() == CONTENT
    assert server.ranges[-1] == "bytes=0-"


def test_tries_again_after_wrong_bytes(server: Server, tmp_path: Path) -> None:
    server.manners = ["wrong"]
    assert fetch(tmp_path, server.url, HASH).read_bytes() == CONTENT


@pytest.mark.parametrize("manner", ["wrong", "missing"])
def test_gives_up(manner: str, server: Server, tmp_path: Path) -> None:
    server.manners = [manner] * 100
    with pytest.raises(DataError, match="download failed") as error:
        fetch(tmp_path, server.url, HASH)
    for part in (server.url, HASH, "--data PATH"):
        assert part in str(error.value)
    assert len(server.ranges) == 5
    assert list(tmp_path.iterdir()) == []


def test_no_server(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--data PATH"):
        fetch(tmp_path, "http://127.0.0.1:1/cifar.tar.gz", HASH)
