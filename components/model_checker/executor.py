"""What ModelChecker runs."""

import json
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils
from tfx.utils import path_utils

Artifacts = dict[str, list[Artifact]]
RESULT = "result.json"
_IMAGES = 32


class Executor(base_executor.BaseExecutor):
    """Asks the exported model in a clean process, and says whether it may be served."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Checks the model. One that must not be served is a finding, not an error.

        Args:
          input_dict: `model`, `examples` with a `test` split.
          output_dict: `blessing`.
          exec_properties: `code_fingerprint`, not read.

        Raises:
          DataError: the `test` split is empty.
        """
        # TensorFlow is loaded where it is needed: the component's definition is not.
        from components.model_checker.check import check
        from kd_trainer import examples as reader

        model_dir = artifact_utils.get_single_uri(input_dict["model"])
        test = artifact_utils.get_split_uri(input_dict["examples"], "test")
        images = reader.load([f"{test}/*"]).images[:_IMAGES]
        found = check(model_dir, path_utils.serving_model_dir(model_dir), images)

        (blessing,) = output_dict["blessing"]
        blessed, reason = not found.reasons, "; ".join(found.reasons)
        document = {
            "blessed": blessed,
            "reason": reason,
            "max_difference": found.max_difference,
            "images": len(images),
        }
        path = Path(blessing.uri, RESULT)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=1), encoding="utf-8")
        # `blessed` is what TFX's InfraValidator sets, and its Pusher reads.
        blessing.set_int_custom_property("blessed", int(blessed))
        blessing.set_int_custom_property("faults", len(found.reasons))
        blessing.set_string_custom_property("reason", reason)
        if found.max_difference is not None:
            blessing.set_float_custom_property("max_difference", found.max_difference)
