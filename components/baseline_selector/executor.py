"""What BaselineSelector runs."""

import os
from typing import Any, NamedTuple

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils, path_utils

from components.serving_versions import in_service
from kd_trainer.errors import ConfigError

Artifacts = dict[str, list[Artifact]]


class Choice(NamedTuple):
    """What was chosen, and why; `in_service` is the newest version, whatever was chosen."""

    path: str
    choice: str
    champion_version: str
    reason: str
    in_service: str


def choose(policy: str, push_directory: str, from_scratch: str, candidate: str) -> Choice:
    """Chooses the baseline.

    Args:
      policy: `champion` or `from_scratch`.
      push_directory: where versions are pushed to.
      from_scratch: SavedModel directory of the student trained without a teacher.
      candidate: SavedModel directory of the student to be judged.

    Raises:
      ConfigError: the policy is neither.
    """
    if policy not in ("champion", "from_scratch"):
        raise ConfigError(f"gate.baseline: found {policy!r}, expected champion or from_scratch.")
    newest = in_service(push_directory, candidate)
    version = os.path.basename(newest or "")
    if policy == "from_scratch":
        return Choice(from_scratch, policy, "", "gate.baseline is from_scratch", version)
    if newest is None:
        return Choice(from_scratch, "from_scratch", "", "no other model has been pushed yet", "")
    reason = f"version {version} is the newest pushed one"
    return Choice(newest, "champion", version, reason, version)


class Executor(base_executor.BaseExecutor):
    """Copies the chosen SavedModel."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Chooses and copies.

        Args:
          input_dict: `from_scratch`, `candidate`.
          output_dict: `model`.
          exec_properties: `policy`, `push_directory`; the others are not read.
        """
        serving = {
            key: path_utils.serving_model_dir(artifact_utils.get_single_uri(input_dict[key]))
            for key in ("from_scratch", "candidate")
        }
        choice = choose(exec_properties["policy"], exec_properties["push_directory"], **serving)
        (model,) = output_dict["model"]
        io_utils.copy_dir(choice.path, path_utils.serving_model_dir(model.uri))
        model.set_string_custom_property("choice", choice.choice)
        model.set_string_custom_property("champion_version", choice.champion_version)
        model.set_string_custom_property("reason", choice.reason)
        model.set_string_custom_property("in_service", choice.in_service)
