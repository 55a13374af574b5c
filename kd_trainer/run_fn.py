"""What TFX's Trainer calls to train the teacher and the baseline."""

from pathlib import Path
from typing import Any, Protocol

from kd_trainer import distribution
from kd_trainer.checkpoint import Checkpoint, digest, finish
from kd_trainer.examples import load, num_classes
from kd_trainer.export import export
from kd_trainer.labels import class_names
from kd_trainer.recipe import Recipe
from kd_trainer.training import train_alone


class FnArgs(Protocol):
    """What is read of TFX's `FnArgs`."""

    train_files: list[str]
    eval_files: list[str]
    schema_path: str
    serving_model_dir: str
    model_run_dir: str
    custom_config: dict[str, Any]


def run_fn(fn_args: FnArgs) -> None:
    """Trains a network on the labels alone and exports it; of several processes, the chief does.

    Args:
      fn_args: `custom_config` holds `name` (what the network is called while it trains),
        `network`, `recipe`, `seed`, `validate` (whether the eval files are an eval split) and
        `checkpoint_dir` (where a killed training left its state, and this one keeps its own).

    Raises:
      UserError: the data or the configuration cannot be trained on.
      FloatingPointError: the loss is not finite.
    """
    config = fn_args.custom_config
    recipe = Recipe.model_validate(config["recipe"])
    distribution.join(recipe.distribution)
    classes = num_classes(fn_args.schema_path)
    train_set = load(fn_args.train_files)
    eval_set = load(fn_args.eval_files) if config["validate"] else None
    checkpoint = Checkpoint(
        Path(config["checkpoint_dir"]),
        digest(config, classes, *train_set.arrays, *(eval_set.arrays if eval_set else ())),
    )
    network, _ = train_alone(
        config["network"],
        classes,
        recipe,
        config["seed"],
        train_set=train_set,
        eval_set=eval_set,
        name=config["name"],
        log_dir=Path(fn_args.model_run_dir),
        checkpoint=checkpoint,
    )
    if not distribution.is_chief(recipe.distribution):
        # TFX's Trainer fails if the folder is missing, in each of the processes.
        Path(fn_args.serving_model_dir).mkdir(parents=True, exist_ok=True)
        return
    export(network, fn_args.serving_model_dir, class_names(classes))
    finish(checkpoint)
