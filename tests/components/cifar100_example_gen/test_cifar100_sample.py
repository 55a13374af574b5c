import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from components.cifar100_example_gen.make_sample import CLASSES
from components.cifar100_example_gen.reader import inspect, read
from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer.labels import COARSE_LABELS, FINE_LABELS

pytestmark = pytest.mark.light

OFFICIAL = Path(__file__).parents[4] / "shared" / "data" / "cifar-100-python.tar.gz"
SHA256 = "25a8f77c7f03b797d8acebd99df3da35f45f4eaf04b9f4822aaa7e6273163f94"


def test_the_shipped_sample_is_small_and_whole() -> None:
    assert SAMPLE.stat().st_size <= 12_000_000
    assert hashlib.sha256(SAMPLE.read_bytes()).hexdigest() == SHA256
    assert inspect(str(SAMPLE)).counts == {"train": 4000, "test": 800}


def test_the_sample_has_two_classes_of_each_of_five_superclasses() -> None:
    train, test = read(str(SAMPLE), "train"), read(str(SAMPLE), "test")
    assert Counter(FINE_LABELS[n] for n in train.labels) == dict.fromkeys(CLASSES, 400)
    assert Counter(FINE_LABELS[n] for n in test.labels) == dict.fromkeys(CLASSES, 80)
    pairs = set(zip(train.coarse_labels.tolist(), train.labels.tolist(), strict=True))
    assert len(pairs) == 10
    assert sorted(COARSE_LABELS[n] for n, _ in pairs) == sorted(
        2
        * [
            "flowers",
            "fruit_and_vegetables",
            "household_furniture",
            "large_natural_outdoor_scenes",
            "vehicles_1",
        ]
    )


@pytest.mark.parametrize(
    ("archive", "message"),
    [("none.tar.gz", "no such file"), (str(SAMPLE), "Give the official cifar-100-python.tar.gz")],
)
def test_another_archive_makes_no_sample(archive: str, message: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "components.cifar100_example_gen.make_sample"]
    done = subprocess.run(
        [*command, archive, "-o", tmp_path / "out"],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode != 0
    assert done.stderr.startswith(f"{archive}: ")
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(not OFFICIAL.exists(), reason="needs the official archive")
def test_the_sample_is_made_again_with_the_same_bytes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "components.cifar100_example_gen.make_sample"]
    subprocess.run([*command, OFFICIAL, "-o", tmp_path / "out"], check=True)
    assert (tmp_path / "out").read_bytes() == SAMPLE.read_bytes()
