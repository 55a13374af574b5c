"""What GateEvaluator runs."""

from typing import Any

import tensorflow as tf
from tfx.components.evaluator import executor
from tfx.types import Artifact, standard_component_specs
from tfx.utils import json_utils, proto_utils

from components import gate_bounds
from components.gate_evaluator.eval_config import eval_config

Artifacts = dict[str, list[Artifact]]


class Executor(executor.Executor):
    """TFX's Evaluator on the split `test`, with the gate's bounds as its thresholds."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Evaluates.

        Args:
          input_dict: `examples`, `model`, `baseline_model`.
          output_dict: `evaluation`, `blessing`.
          exec_properties: `gate`, `reference`; the others are not read.

        Raises:
          ConfigError: `gate` holds no bounds, or wrong ones.
        """
        gate = gate_bounds.read(exec_properties["gate"])
        config = eval_config(gate, exec_properties["reference"])
        properties = {
            standard_component_specs.EVAL_CONFIG_KEY: proto_utils.proto_to_json(config),
            standard_component_specs.EXAMPLE_SPLITS_KEY: json_utils.dumps(["test"]),
        }
        # Nothing here is Python for a graph; to look for it in TFMA's metrics takes seconds.
        tf.autograph.experimental.do_not_convert(super().Do)(input_dict, output_dict, properties)
