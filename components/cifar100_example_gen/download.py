"""Downloads the official archive."""

import os
from functools import partial
from pathlib import Path

from kd_trainer.errors import DataError

OFFICIAL_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
OFFICIAL_HASH = "md5:eb9058c3a382ffc7106e4002c42a8d85"

_RETRIES = 4
_TIMEOUTS = (10, 60)  # seconds to connect, and to wait for the next bytes
_CHUNK_BYTES = 1 << 18


def fetch(directory: str | Path, url: str = OFFICIAL_URL, known_hash: str = OFFICIAL_HASH) -> Path:
    """Downloads an archive, unless it lies in the directory already.

    A failed download is tried again after a pause. An interrupted one, of this run or of an
    earlier one, goes on from where it stopped if the server can do that.

    Args:
        directory: where to put the archive; made if need be.
        url: where to get it.
        known_hash: the hash that it must have, such as `md5:...`.

    Returns:
        The path of the archive, of which the hash is right.

    Raises:
        DataError: the server cannot be reached, or what it sends has another hash.
    """
    import pooch  # brings in requests: only a download pays for it

    directory, name = Path(directory), url.rsplit("/", 1)[-1]
    downloader = partial(_download, part=directory / f"{name}.part")
    store = pooch.create(
        directory,
        base_url="",
        registry={name: known_hash},
        urls={name: url},
        retry_if_failed=_RETRIES,
    )
    try:
        return Path(store.fetch(name, downloader=downloader))
    except (ValueError, OSError) as error:
        raise DataError(
            f"{url}: the download failed: {error}. Expected a file with the hash {known_hash}. "
            "Try again later, or get the archive by other means and give it with `--data PATH`."
        ) from error


def _download(url: str, output_file: str, _pooch: object, *, part: Path) -> None:
    """Downloads for pooch, which wants a whole file each time: `part` lasts between attempts."""
    import requests
    from rich import progress

    done = part.stat().st_size if part.exists() else 0
    # Without an encoding, or the ranges and lengths would be those of the encoded bytes.
    headers = {"Accept-Encoding": "identity", "Range": f"bytes={done}-"}
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUTS) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            # The part holds all that there is, or more: the next attempt starts afresh.
            part.unlink(missing_ok=True)
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            done = 0  # the server sends the whole file
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
        )
        with progress.Progress(*columns) as bar, part.open("ab" if done else "wb") as file:
            task = bar.add_task(part.stem, total=total, completed=done)
            for chunk in response.iter_content(_CHUNK_BYTES):
                bar.advance(task, file.write(chunk))
            done = file.tell()
    if total is not None and done < total:
        raise requests.ConnectionError(f"the connection closed after {done:,} of {total:,} bytes")
    os.replace(part, output_file)
