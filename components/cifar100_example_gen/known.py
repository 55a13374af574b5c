"""The members whose bytes are known, and the check against them."""

import hashlib
from collections.abc import Callable, Mapping

from kd_trainer.errors import DataError

OFFICIAL_TRAIN_BYTES = 155249918
OFFICIAL_META_MD5 = "7973b15100ade9c7d40fb424638fde48"
# `reader.DataSummary.fingerprint` of all of CIFAR-100, in any wrapping.
OFFICIAL_FINGERPRINT = "d9bc4854c2877810a978e1c5998f5eb99e12e7de5fe929b2010a622967ba1a1f"

# {member: {size in bytes: MD5}}: the official archive's, then the shipped sample's. `meta` is
# checked with the official `train`: by itself, any pickle of its names may have its size.
KNOWN_MD5 = {
    "train": {
        OFFICIAL_TRAIN_BYTES: "16019d7e3df5f24257cddd939b257f8d",
        12419912: "08f7d82750ec93de6144cc6ce37fa894",
    },
    "test": {
        31049707: "f0ef6b0ae62326f3e7ffdfab6717acfc",
        2483636: "77f953358a36517ae2a51a7c5f2ce16f",
    },
}


def check_known(where: Callable[[str], str], content: Mapping[str, bytes]) -> None:
    """Checks the MD5 of the members that have the size of a known one.

    Other sizes pass: a subset of CIFAR-100 in the official layout is good data too. `meta` must
    be the official one where `train` has the official size.

    Args:
        where: gives the source and member, for the message, of a member's name.
        content: the bytes of each member, by its name.

    Raises:
        DataError: a member is not what its size says it is.
    """
    for member, known in KNOWN_MD5.items():
        size = len(content.get(member, b""))
        if size in known:
            _check_md5(where(member), content[member], known[size])
    if len(content.get("train", b"")) == OFFICIAL_TRAIN_BYTES:
        _check_md5(where("meta"), content["meta"], OFFICIAL_META_MD5)


def _check_md5(where: str, content: bytes, expected: str) -> None:
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != expected:
        raise DataError(
            f"{where}: wrong hash: found md5 {found}, expected {expected} for {len(content):,} "
            "bytes. The file is damaged or was altered: download it again."
        )
