"""What DistillTrainer runs."""

import json
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact

from components.artifacts import KeptTeacherOutputs
from kd_trainer.teacher_use import Use

Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Loads the teacher, distils the student, measures both on `test`, exports the student."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Runs the distillation; of several processes, the chief alone writes.

        Args:
          input_dict: `examples`, `schema`, `teacher`.
          output_dict: `model`, `model_run`, `summary`; with a limit above 0 `teacher_outputs`.
          exec_properties: as `DistillTrainer` takes them, `config` as a JSON document.

        Raises:
          UserError: the data, the configuration or the networks' taps do not fit.
          FloatingPointError: the loss is not finite.
        """
        # TensorFlow is loaded where it is needed: the component's definition is not.
        from components.distill_trainer import inputs as given
        from components.distill_trainer import results
        from kd_trainer import distribution, methods, training
        from kd_trainer.checkpoint import Checkpoint, digest, finish
        from kd_trainer.recipe import Recipe
        from kd_trainer.teacher_outputs import TeacherOutputs

        method = methods.chosen(exec_properties["method"], exec_properties["method_preset"])
        config = {**json.loads(exec_properties["config"]), "method": method}
        recipe = Recipe.model_validate(config["recipe"])
        distribution.join(recipe.distribution)
        (model,), (model_run,) = output_dict["model"], output_dict["model_run"]
        inputs = given.read(input_dict)
        checkpoint = Checkpoint(
            Path(exec_properties["checkpoint_dir"]),
            digest(config, exec_properties["code_fingerprint"], inputs.classes, *inputs.arrays),
        )
        outputs = None
        if gigabytes := exec_properties["teacher_cache_gigabytes"]:
            outputs = TeacherOutputs(Path(exec_properties["teacher_cache_dir"]), gigabytes)
        student, history = training.distil(
            inputs.teacher,
            config["student"],
            methods.create(method),
            inputs.classes,
            recipe,
            config["seed"],
            train_set=inputs.splits["train"],
            eval_set=inputs.splits.get("eval"),
            name="student",
            log_dir=Path(model_run.uri),
            checkpoint=checkpoint,
            teacher_outputs=outputs,
        )
        if not distribution.is_chief(recipe.distribution):
            return
        results.write(inputs, config, student, history, model, *output_dict["summary"])
        if outputs is not None:
            (artifact,) = output_dict["teacher_outputs"]
            _record(outputs.uses, artifact)
        finish(checkpoint)


def _record(uses: list[Use], artifact: Artifact) -> None:
    """Writes what the training had of the teacher's kept outputs."""
    path = Path(artifact.uri) / KeptTeacherOutputs.FILE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([use.model_dump() for use in uses], indent=1), encoding="utf-8")
    for use in uses:
        artifact.set_string_custom_property(f"outputs_{use.key}", use.sentence)
