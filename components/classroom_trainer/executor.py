"""What ClassroomTrainer runs."""

import json
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact

Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Loads the teacher, distils all students at once, exports each as DistillTrainer does."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Runs the distillations.

        Args:
          input_dict: `examples`, `schema`, `teacher`.
          output_dict: `<student>_model`, `<student>_model_run`, `<student>_summary` of each.
          exec_properties: as `ClassroomTrainer` takes them, `config` and `students` as JSON.

        Raises:
          UserError: the data, the configuration or the networks' taps do not fit.
          FloatingPointError: losses are not finite; raised once all others have ended, whose states
            are kept for the next start.
        """
        # TensorFlow is loaded where it is needed: the component's definition is not.
        from components.distill_trainer import inputs as given
        from components.distill_trainer import results
        from kd_trainer import methods
        from kd_trainer.checkpoint import Checkpoint, digest, finish
        from kd_trainer.recipe import Recipe
        from kd_trainer.together import Student, distil_together

        config = json.loads(exec_properties["config"])
        specs = json.loads(exec_properties["students"])
        recipe = Recipe.model_validate(config["recipe"])
        inputs = given.read(input_dict)
        own = {name: {**config, "method": spec["method"]} for name, spec in specs.items()}
        folder = Path(exec_properties["checkpoint_dir"])
        # Each rests on what is its own alone, so that it is found again beside others.
        checkpoints = {
            name: Checkpoint(
                folder,
                digest(own[name], spec["code_fingerprint"], inputs.classes, *inputs.arrays),
            )
            for name, spec in specs.items()
        }
        students = {
            name: Student(
                config["student"],
                methods.create(spec["method"]),
                {
                    "name": name,
                    "log_dir": Path(output_dict[f"{name}_model_run"][0].uri),
                    "checkpoint": checkpoints[name],
                },
            )
            for name, spec in specs.items()
        }
        trained = distil_together(
            inputs.teacher,
            students,
            inputs.classes,
            recipe,
            config["seed"],
            inputs.splits["train"],
            inputs.splits.get("eval"),
        )
        errors = [error for future in trained.values() if (error := future.exception())]
        diverged = [str(error) for error in errors if isinstance(error, FloatingPointError)]
        if errors:
            raise FloatingPointError(" ".join(diverged)) if diverged else errors[0]
        for name, future in trained.items():
            student, history = future.result()
            (model,), (summary,) = (output_dict[f"{name}_{key}"] for key in ("model", "summary"))
            results.write(inputs, own[name], student, history, model, summary)
        finish(*checkpoints.values())
