"""What ModelProfiler runs."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils
from tfx.utils import path_utils

from components import profile
from components.artifacts import LiteModels, ModelProfile
from components.model_profiler import latency, served
from components.profile import NetworkProfile, Profile
from kd_trainer import metrics
from kd_trainer.labels import class_names, superclass_names

Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Lets each network answer the test images, and measures."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Writes `profile.json` and `predictions.npz`.

        Args:
          input_dict: `examples`, `teacher`, `baseline`, `student`; `lite` may be absent.
          output_dict: `profile`.
          exec_properties: not read.

        Raises:
          FloatingPointError: a network's answer is not finite.
        """
        # TensorFlow is loaded where it is needed: the component's definition is not.
        from kd_trainer import examples as reader

        pattern = [f"{artifact_utils.get_split_uri(input_dict['examples'], 'test')}/*"]
        test, coarse_labels = reader.load(pattern), reader.load_coarse_labels(pattern)
        networks = _networks(input_dict)
        predictions: dict[str, Any] = {
            name: served.probabilities(name, network, test.images)
            for name, network in networks.items()
        }
        one_image = test.images[:1]
        seconds = latency.in_turns(
            {name: partial(network.predict, one_image) for name, network in networks.items()}
        )
        classes = predictions["teacher"].shape[1]
        measured = Profile(
            class_names=list(class_names(classes)),
            superclass_names=list(superclass_names(classes, int(coarse_labels.max()) + 1)),
            networks={
                name: NetworkProfile(
                    top1=metrics.top_k_accuracy(found, test.labels),
                    top5=metrics.top_k_accuracy(found, test.labels, 5),
                    calibration_error=metrics.expected_calibration_error(found, test.labels),
                    parameters=networks[name].parameters,
                    bytes=networks[name].bytes,
                    latency_ms=float(np.median(seconds[name])) * 1000,
                    latency_ratio=float(np.median(seconds[name] / seconds["teacher"])),
                    agreement=metrics.agreement(predictions["teacher"], found),
                    divergence=metrics.divergence(predictions["teacher"], found),
                )
                for name, found in predictions.items()
            },
        )
        (artifact,) = output_dict["profile"]
        profile.write(measured, artifact.uri)
        np.savez_compressed(
            Path(artifact.uri) / ModelProfile.PREDICTIONS_NAME,
            labels=test.labels,
            coarse_labels=coarse_labels,
            **predictions,
        )


def _networks(input_dict: Artifacts) -> dict[str, served.Served]:
    networks = {
        role: served.saved_model(
            path_utils.serving_model_dir(artifact_utils.get_single_uri(input_dict[role]))
        )
        for role in ("teacher", "baseline", "student")
    }
    if input_dict.get("lite"):
        folder = Path(artifact_utils.get_single_uri(input_dict["lite"]))
        for precision, file in LiteModels.FILE_NAMES.items():
            networks[f"tflite {precision}"] = served.tflite(folder / file)
    return networks
