"""The MD5 of a source, by which the archive that was published can be told."""

import hashlib
import json
from pathlib import Path

from components.cifar100_example_gen.source import read_members

_CHUNK_BYTES = 1 << 20


def archive_md5(source: str) -> str:
    """Returns the MD5 of an archive's file; of a folder, a JSON object of each member's.

    Args:
        source: as for `reader.load`, and found to be in order by it.

    Returns:
        Hexadecimal digits, such as `md5sum` prints; or `{"cifar-100-python/train": ...}`.
    """
    if Path(source).is_dir():
        members = read_members(source)
        digests = {
            f"{members.layout}/{name}": hashlib.md5(content, usedforsecurity=False).hexdigest()
            for name, content in members.content.items()
        }
        return json.dumps(digests, sort_keys=True)
    digest = hashlib.md5(usedforsecurity=False)
    with open(source, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
