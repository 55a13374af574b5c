"""The members whose bytes are known, and the check against them."""

import hashlib

from kd_trainer.errors import DataError

# {member: {size in bytes: MD5}}: the official archive's, then the shipped sample's. `meta` is not
# here: its names are compared one by one, and any pickle of them may have the official one's size.
KNOWN_MD5 = {
    "train": {
        155249918: "16019d7e3df5f24257cddd939b257f8d",
        12419912: "08f7d82750ec93de6144cc6ce37fa894",
    },
    "test": {
        31049707: "f0ef6b0ae62326f3e7ffdfab6717acfc",
        2483636: "77f953358a36517ae2a51a7c5f2ce16f",
    },
}


def check_known(where: str, member: str, content: bytes) -> None:
    """Checks the MD5 of a member that has the size of a known one.

    Other sizes pass: a subset of CIFAR-100 in the official layout is good data too.

    Args:
        where: the source and member, for the message.
        member: the member's name, such as `train`.
        content: its bytes.

    Raises:
        DataError: the size is that of a known member and the content is not.
    """
    expected = KNOWN_MD5.get(member, {}).get(len(content))
    if expected is None:
        return
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != expected:
        raise DataError(
            f"{where}: wrong hash: found md5 {found}, expected {expected} for {len(content):,} "
            "bytes. The file is damaged or was altered: download it again."
        )
