"""What is in order, and what bad input is given beside."""

import shutil
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from cifar_archives import PYTHON, batch, python_files, write_tar

from kd_trainer.export import export
from kd_trainer.labels import FINE_LABELS
from kd_trainer.networks import build
from schemas import CIFAR100


def lay_out(folder: Path) -> dict[str, Path]:
    """Writes an archive, an image, a served student and one whose files are damaged; says where."""
    write_tar(folder / "data.tar.gz", PYTHON, python_files(batch(300), batch(50)))
    (folder / "text.txt").write_text("no database", encoding="utf-8")
    (folder / "schema.pbtxt").write_text(
        CIFAR100.read_text(encoding="utf-8").replace("max: 99", "max: 999"), encoding="utf-8"
    )
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    (folder / "image.png").write_bytes(tf.io.encode_png(image).numpy())
    keras.utils.set_random_seed(0)
    export(build("resnet8", 100), str(folder / "student" / "Format-Serving"), FINE_LABELS)
    served, damaged = folder / "student" / "Format-Serving", folder / "damaged"
    shutil.copytree(served, damaged)
    content = (served / "saved_model.pb").read_bytes()
    (damaged / "saved_model.pb").write_bytes(content[: len(content) // 2])
    return {
        "data": folder / "data.tar.gz",
        "file": folder / "text.txt",
        "schema": folder / "schema.pbtxt",
        "image": folder / "image.png",
        "served": served,
        "damaged": damaged,
    }
