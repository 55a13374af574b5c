"""What DistillTrainer runs."""

import json
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils, path_utils

from components.artifacts import DistillationSummary, KeptTeacherOutputs
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
        from kd_trainer import distribution, methods, training
        from kd_trainer import examples as reader
        from kd_trainer.checkpoint import Checkpoint, digest
        from kd_trainer.export import export, load
        from kd_trainer.labels import class_names
        from kd_trainer.networks import build
        from kd_trainer.recipe import Recipe
        from kd_trainer.teacher_outputs import TeacherOutputs

        method = methods.chosen(exec_properties["method"], exec_properties["method_preset"])
        config = {**json.loads(exec_properties["config"]), "method": method}
        recipe = Recipe.model_validate(config["recipe"])
        distribution.join(recipe.distribution)
        (examples,) = input_dict["examples"]
        (model,), (model_run,) = output_dict["model"], output_dict["model_run"]
        splits = {
            split: reader.load([f"{artifact_utils.get_split_uri([examples], split)}/*"])
            for split in artifact_utils.decode_split_names(examples.split_names)
        }
        schema = io_utils.get_only_uri_in_dir(artifact_utils.get_single_uri(input_dict["schema"]))
        classes = reader.num_classes(schema)
        teacher = load(artifact_utils.get_single_uri(input_dict["teacher"]))
        checkpoint = Checkpoint(
            Path(exec_properties["checkpoint_dir"]),
            digest(
                config,
                exec_properties["code_fingerprint"],
                classes,
                *(array for name in sorted(splits) for array in splits[name].arrays),
                *teacher.get_weights(),
            ),
        )
        outputs = None
        if gigabytes := exec_properties["teacher_cache_gigabytes"]:
            outputs = TeacherOutputs(Path(exec_properties["teacher_cache_dir"]), gigabytes)
        student, history = training.distil(
            teacher,
            config["student"],
            methods.create(method),
            classes,
            recipe,
            config["seed"],
            train_set=splits["train"],
            eval_set=splits.get("eval"),
            name="student",
            log_dir=Path(model_run.uri),
            checkpoint=checkpoint,
            teacher_outputs=outputs,
        )
        if not distribution.is_chief(recipe.distribution):
            return
        export(student, path_utils.serving_model_dir(model.uri), class_names(classes))

        (summary,) = output_dict["summary"]
        networks = {"teacher": teacher, "student": student}
        document = {
            **config,
            "networks": {name: network.name for name, network in networks.items()},
            "test": {
                name: training.accuracy(network, splits["test"])
                for name, network in networks.items()
            },
            "parameters": {
                # A method may export another network than the one that the baseline is.
                "baseline": training.parameters(build(config["student"], classes)),
                **{name: training.parameters(network) for name, network in networks.items()},
            },
            "seconds": round(sum(row["seconds"] for row in history), 1),
        }
        path = Path(summary.uri) / DistillationSummary.FILE_NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=1))
        model.set_string_custom_property("method", methods.label(method))
        model.set_float_custom_property("test_top1", document["test"]["student"]["top1"])
        if outputs is not None:
            (artifact,) = output_dict["teacher_outputs"]
            _record(outputs.uses, artifact)
        checkpoint.clear()


def _record(uses: list[Use], artifact: Artifact) -> None:
    """Writes what the training had of the teacher's kept outputs."""
    path = Path(artifact.uri) / KeptTeacherOutputs.FILE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([use.model_dump() for use in uses], indent=1))
    for use in uses:
        artifact.set_string_custom_property(f"outputs_{use.key}", use.sentence)
