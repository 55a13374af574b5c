"""A training in a process of its own: `python distributed.py CASE DISTRIBUTION OUT [CHECKPOINT]`.

Prints `epoch N` after each epoch, and writes to OUT.json the history and to OUT.npz the weights.
Devices and processes are set up before TensorFlow computes anything, which a test's process has.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from kd_helpers import sample, tiny

from kd_trainer import distribution as distributing
from kd_trainer import progress, training
from kd_trainer.checkpoint import Checkpoint
from kd_trainer.methods import create
from kd_trainer.networks import NETWORKS
from kd_trainer.recipe import Recipe

CASES = {
    "alone": None,
    "soft_logits": {"name": "soft_logits"},
    "attention_transfer": {"name": "attention_transfer"},
    "fitnet": {"name": "fitnet", "preset": "paper", "taps": ["stage1"]},
    "dml": {"name": "dml"},
    "jacobian_matching": {"name": "jacobian_matching"},
}
CLASSES = 100


def main(case: str, distribution: str, out: Path, checkpoint: Path | None) -> None:
    if distribution == "mirrored":
        (cpu,) = tf.config.list_physical_devices("CPU")
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
    distributing.join(distribution)
    NETWORKS["tiny"] = ("kd_helpers:tiny", {"stages": 3, "size": 32})
    recipe = Recipe(
        epochs=3,
        batch_size=8,
        learning_rate=0.02,
        milestones=(),
        keep="best",
        distribution=distribution,
    )
    data = {
        "train_set": sample("train", 24),
        # Neither divisible by two.
        "eval_set": sample("test", 251),
        "name": case,
        "log_dir": out,
        "checkpoint": Checkpoint(checkpoint) if checkpoint else None,
    }
    progress.subscribe(lambda told: told.epoch_ended and print(f"epoch {told.epoch}", flush=True))
    if CASES[case] is None:
        network, history = training.train_alone("tiny", CLASSES, recipe, 2, **data)
    else:
        keras.utils.set_random_seed(7)
        teacher = tiny(CLASSES, "teacher", size=32, stages=3)
        network, history = training.distil(
            teacher, "tiny", create(CASES[case]), CLASSES, recipe, 2, **data
        )
    out.with_suffix(".json").write_text(json.dumps(history))
    np.savez(out.with_suffix(".npz"), *network.get_weights())


if __name__ == "__main__":
    case, distribution, out, *checkpoint = sys.argv[1:]
    main(case, distribution, Path(out), Path(*checkpoint) if checkpoint else None)
