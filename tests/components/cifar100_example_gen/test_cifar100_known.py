"""The official members are known to the last bit."""

import pickle
import tarfile

import pytest

from components.cifar100_example_gen.known import check_known
from kd_trainer.errors import DataError

pytestmark = pytest.mark.light


@pytest.mark.slow
def test_official_members_are_held_against_their_md5(official_archive):
    with tarfile.open(official_archive) as archive:
        content = {
            name: archive.extractfile(f"cifar-100-python/{name}").read()
            for name in ("train", "test", "meta")
        }
    check_known(str, content)
    # The same names, pickled anew.
    meta = pickle.dumps(pickle.loads(content["meta"], encoding="bytes"), protocol=3)
    with pytest.raises(DataError, match="meta: wrong hash"):
        check_known(str, {**content, "meta": meta})
    train = content["train"][:-1] + b"\0"
    with pytest.raises(DataError, match="train: wrong hash"):
        check_known(str, {**content, "train": train})
