"""File systems whose locks other machines do not see."""

from pathlib import Path

import pytest

from kd_trainer.errors import ConfigError
from pipeline.cluster import volume

pytestmark = pytest.mark.light

# As /proc/self/mountinfo has them.
ROOT = "552 500 0:99 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/a:/b"
AT_WORK = {
    "nfs": "560 552 0:91 / /work rw,relatime - nfs4 10.0.0.2:/export rw,vers=4.1",
    "cephfs": "560 552 0:91 / /work rw shared:7 - ceph 10.0.0.2:6789:/ rw,name=a",
    "ceph-fuse": "560 552 0:91 / /work rw - fuse.ceph-fuse ceph-fuse rw",
    "gcsfuse": "560 552 0:91 / /work rw,nosuid - fuse.gcsfuse my-bucket rw,user_id=0",
    "gke": "560 552 0:91 / /work rw,nosuid - fuse my-bucket rw,user_id=0",
    "s3": "560 552 0:91 / /work rw - fuse mountpoint-s3 rw,user_id=0,allow_other",
}
ELSEWHERE = "561 552 0:92 / /workshop rw - fuse.gcsfuse other rw"


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    def put(*lines):
        table = tmp_path / "mountinfo"
        table.write_text("\n".join([ROOT, *lines, ELSEWHERE]) + "\n", encoding="utf-8")
        monkeypatch.setattr(volume, "MOUNTS", table)

    return put


@pytest.mark.parametrize("kind", ["nfs", "cephfs", "ceph-fuse"])
def test_a_volume_whose_locks_all_machines_see(mounted, kind):
    mounted(AT_WORK[kind])
    volume.check_locks(Path("/work"))
    volume.check_locks(Path("/work/serving/quick"))


@pytest.mark.parametrize("kind", ["gcsfuse", "gke", "s3"])
def test_a_bucket_is_refused(mounted, kind):
    mounted(AT_WORK[kind])
    with pytest.raises(ConfigError, match=r"/work/serving is on '.*fuse.*one machine alone.*NFS"):
        volume.check_locks(Path("/work/serving"))


def test_a_bucket_that_is_mounted_over_is_not_meant(mounted):
    mounted(AT_WORK["gcsfuse"], AT_WORK["nfs"].replace("/work", "/work/serving"))
    volume.check_locks(Path("/work/serving/quick"))
    mounted(AT_WORK["gcsfuse"], AT_WORK["nfs"])
    volume.check_locks(Path("/work"))


def test_a_path_with_a_blank(mounted):
    mounted(AT_WORK["s3"].replace("/work", r"/my\040work"))
    with pytest.raises(ConfigError):
        volume.check_locks(Path("/my work"))


def test_this_machine():
    volume.check_locks(Path("/proc/self"))
