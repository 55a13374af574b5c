"""Trainings in a process of its own: `python distributed_training.py DISTRIBUTION OUT CASE...`.

Prints `CASE epoch N` after each epoch, and writes to OUT/CASE.json the history and to OUT/CASE.npz
the weights. Devices and processes must be set up before TensorFlow computes anything, which it has
in the tests' own process. A checkpoint is kept in the folder that CHECKPOINT names.
"""

import json
import os
import sys
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from kd_helpers import sample, sharpen, tiny
from keras import layers

from kd_trainer import distribution, progress, training
from kd_trainer.checkpoint import Checkpoint
from kd_trainer.methods import create
from kd_trainer.networks import NETWORKS
from kd_trainer.recipe import Recipe

CLASSES = 100
METHODS = {
    "soft_logits": {"name": "soft_logits"},
    "attention_transfer": {"name": "attention_transfer"},
    "fitnet": {"name": "fitnet", "preset": "paper", "taps": ["stage1"]},
    "dml": {"name": "dml"},
}
CASES = ["alone", *METHODS]


def synchronised(*arguments, **options) -> keras.Model:
    """A network that computes by the same operations on one device as on several.

    It is smooth: where a ReLU switches a gradient jumps, and on some processors rounding had one
    switch.
    """
    network = tiny(*arguments, activation=partial(layers.Activation, "softplus"), **options)
    distribution.synchronise(network)
    return network


def run(case: str, kind: str, out: Path) -> None:
    recipe = Recipe(
        epochs=3,
        batch_size=8,
        # Low, for the terms weigh up to 1000: large steps would make rounding grow.
        learning_rate=0.001,
        milestones=(),
        keep="best",
        distribution=kind,
    )
    data = {
        "train_set": sample("train", 24),
        # The last step of measuring has one image, fewer than there are replicas.
        "eval_set": sample("test", 251),
        "name": case,
        "log_dir": out / case,
        "checkpoint": Checkpoint(Path(os.environ["CHECKPOINT"]), case)
        if "CHECKPOINT" in os.environ
        else None,
    }
    if case == "alone":
        network, history = training.train_alone("tiny", CLASSES, recipe, 2, **data)
    else:
        keras.utils.set_random_seed(7)
        teacher = sharpen(synchronised(CLASSES, "teacher", size=32, stages=3))
        network, history = training.distil(
            teacher, "tiny", create(METHODS[case]), CLASSES, recipe, 2, **data
        )
    (out / f"{case}.json").write_text(json.dumps(history), encoding="utf-8")
    np.savez(out / f"{case}.npz", *network.get_weights())


def main(kind: str, out: Path, cases: list[str]) -> None:
    if kind == "mirrored":
        (cpu,) = tf.config.list_physical_devices("CPU")
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
    distribution.join(kind)
    NETWORKS["tiny"] = ("distributed_training:synchronised", {"stages": 3, "size": 32})

    def tell(moment: progress.Progress) -> None:
        if moment.epoch_ended:
            print(f"{moment.model} epoch {moment.epoch}", flush=True)

    progress.subscribe(tell)
    out.mkdir(parents=True, exist_ok=True)
    for case in cases:
        run(case, kind, out)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
